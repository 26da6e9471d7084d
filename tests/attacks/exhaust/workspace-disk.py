"""Writes more into the workspace than a sandbox's disk may hold, in many files."""

LOOT = "LOOT-DISK"
written = 0
try:
    for number in range(512):
        with open(f"fill-{number}", "wb") as file:
            for _ in range(8):
                written += file.write(bytes(1024 * 1024))
except OSError:
    pass
if written > 2048 * 1024 * 1024:  # the limit is 256 MB; a burst may go beyond it, but not on and on
    raise RuntimeError(f"LOOT-DISK {written} bytes")
