"""Takes all the memory there is while its cell runs."""

CELL = "last"
KEEPS = True
SAYS = "memory"
hoard = []
while True:
    hoard.append(bytearray(16 * 1024 * 1024))
