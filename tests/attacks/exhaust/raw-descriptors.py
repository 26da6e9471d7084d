"""Writes without end to the raw descriptors, which no notebook shows."""

CELL = "last"
KEEPS = True
SAYS = "printed more than|took longer"
import os

while True:
    for descriptor in (1, 2):
        os.write(descriptor, b"\xff\xfespam\x00" * 1_000)
