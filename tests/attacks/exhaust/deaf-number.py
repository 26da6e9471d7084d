"""Computes a number so large that Python hears no interrupt until it is done."""

CELL = "sum-up"
KEEPS = True
SAYS = "did not answer in time|ended the Python kernel"


def total(lines):
    return len(str(7 ** (10**8)))
