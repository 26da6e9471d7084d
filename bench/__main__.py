"""`python -m bench [NAME …] [--rounds N]`."""

from __future__ import annotations

from bench.cli import main
from commandline import run

run(main)
