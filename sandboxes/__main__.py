"""`python -m sandboxes`."""

import sys

from sandboxes.cli import main

sys.exit(main())
