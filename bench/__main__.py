"""`python -m bench [NAME …] [--rounds N]`."""

from __future__ import annotations

import sys

from bench.cli import main

sys.exit(main())
