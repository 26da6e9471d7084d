"""`python -m roadmap`."""

from commandline import run
from commandline.loading import loading

with loading():
    from roadmap.cli import main

run(main)
