"""Attaches to Meridian's process with ptrace, to read and change what it knows."""

LAB = "saga-compensation"
LOOT = "LOOT-ATTACHED"
import ctypes
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
for path in Path("/proc").glob("[0-9]*/cmdline"):
    try:
        if b"reference_impl" not in path.read_bytes():
            continue
        path.with_name("mem").open("rb").close()
    except OSError:
        continue
    raise RuntimeError("LOOT-ATTACHED its memory can be opened")
