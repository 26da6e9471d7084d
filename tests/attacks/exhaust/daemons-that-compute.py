"""Leaves detached processes behind that use up the processor while others are checked."""

import os

for _ in range(12):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                pass
        os._exit(0)
