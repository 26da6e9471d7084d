"""Reads the agent's memory through /proc, process_vm_readv, ptrace and its file descriptors."""

LOOT = "LOOT-MEMORY"
import ctypes
import os
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
agent = os.getppid()
for pid in {1, agent}:
    for name in ("mem", "fd", "environ", "maps", "stack"):
        path = Path(f"/proc/{pid}/{name}")
        try:
            found = os.listdir(path) if name == "fd" else path.open("rb").read(64)
        except OSError:
            continue
        raise RuntimeError(f"LOOT-MEMORY {path}")


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


here = ctypes.create_string_buffer(16)
local = Vector(ctypes.addressof(here), 16)
remote = Vector(0x400000, 16)
if libc.process_vm_readv(agent, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) >= 0:
    raise RuntimeError("LOOT-MEMORY process_vm_readv")
if libc.ptrace(16, agent, None, None) == 0:
    libc.ptrace(17, agent, None, None)
    raise RuntimeError("LOOT-MEMORY ptrace")
