"""Fills every memory file system: shared memory, temporary files, the home and anonymous memory files."""

import os

kept = []
for folder in ("/dev/shm", "/tmp", "/run", os.path.expanduser("~"), "/var/lib/sandbox", "/run/sandbox"):
    try:
        for number in range(100):
            with open(f"{folder}/fill-{number}", "wb") as file:
                for _ in range(16):
                    file.write(bytes(1024 * 1024))
    except OSError:
        pass
try:
    for _ in range(100):
        kept.append(os.memfd_create("fill"))
        os.write(kept[-1], bytes(4 * 1024 * 1024))
except OSError:
    pass
