"""`python -m roadmap`."""

from commandline import run
from roadmap.cli import main

run(main)
