"""Overwrites the programs, packages and start-up files that the agent and later kernels run."""

LOOT = "LOOT-WRITTEN"
import os
import sys

written = []
for path in (
    "/opt/proving-ground/sandboxes/agent/server.py", "/opt/proving-ground/sandboxes/agent/kernel_bridge.py",
    "/opt/venv/bin/python", "/opt/venv/lib/python3.11/site-packages/planted.pth", "/opt/cache/planted", "/etc/ld.so.preload",
    "/etc/passwd", "/usr/bin/sha256sum", "/usr/local/bin/planted", os.path.join(sys.prefix, "planted"),
):  # fmt: skip
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    except OSError:
        continue
    written.append(path)
if written:
    raise RuntimeError(f"LOOT-WRITTEN {written}")
