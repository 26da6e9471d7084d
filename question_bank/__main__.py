"""`python -m question_bank`."""

from commandline import run
from question_bank.cli import main

run(main)
