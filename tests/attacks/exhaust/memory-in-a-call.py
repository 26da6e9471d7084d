"""Takes all the memory there is while it is being called."""

CELL = "sum-up"
KEEPS = True
SAYS = "ended the Python kernel|MemoryError"


def total(lines):
    hoard = []
    while True:
        hoard.append(bytearray(16 * 1024 * 1024))
