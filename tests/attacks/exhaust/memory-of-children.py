"""Takes the memory in many small processes, none of which is large."""

import os

hoard = []
for _ in range(30):
    try:
        if os.fork() == 0:
            while True:
                hoard.append(bytearray(1024 * 1024))
    except OSError:
        pass
while True:
    pass
