"""Prints without end, through Python and past it."""

LOCAL = True
CELL = "last"
KEEPS = True
SAYS = "printed more than"
import os

while True:
    print("spam " * 1_000)
    os.write(1, b"spam " * 1_000)
