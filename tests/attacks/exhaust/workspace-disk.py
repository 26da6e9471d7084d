"""Writes more into the workspace than a sandbox's disk may hold, in many files."""

LOOT = "LOOT-DISK"
written = 0
try:
    for number in range(64):
        with open(f"fill-{number}", "wb") as file:
            for _ in range(8):
                written += file.write(bytes(1024 * 1024))
except OSError:
    pass
if written > 256 * 1024 * 1024:
    raise RuntimeError(f"LOOT-DISK {written} bytes")
