"""`python -m question_bank`."""

from commandline import run
from commandline.loading import loading

with loading():
    from question_bank.cli import main

run(main)
