"""Asks for namespaces by clone, clone3 and setns, past the filter of unshare."""

LOOT = "LOOT-CLONE"
import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
pid = libc.syscall(56, 0x10000000 | signal.SIGCHLD, None, None, None, None)
if pid == 0:
    os._exit(0)
if pid > 0:
    raise RuntimeError("LOOT-CLONE a user namespace")
for name in ("mnt", "net", "pid", "ipc", "uts", "cgroup"):
    try:
        handle = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
    except OSError:
        continue
    if libc.setns(handle, 0) == 0:
        raise RuntimeError(f"LOOT-CLONE joined {name}")
