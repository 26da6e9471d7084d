"""Searches with a regular expression that takes longer than the universe."""

CELL = "sum-up"
KEEPS = True
SAYS = "did not answer in time"
import re


def total(lines):
    return bool(re.match(r"^(a+)+$", "a" * 64 + "b"))
