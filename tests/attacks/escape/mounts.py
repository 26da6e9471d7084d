"""Mounts file systems, and makes namespaces in which it would be allowed to."""

LOOT = "LOOT-MOUNT"
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
NAMESPACES = {
    "user": 0x10000000,
    "mount": 0x00020000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "cgroup": 0x02000000,
}
os.makedirs("m", exist_ok=True)
for name, flag in NAMESPACES.items():
    if libc.unshare(flag) == 0:
        raise RuntimeError(f"LOOT-MOUNT a {name} namespace")
for kind, source in (
    (b"tmpfs", b"x"),
    (b"proc", b"proc"),
    (b"sysfs", b"sysfs"),
    (b"cgroup", b"cgroup"),
    (b"overlay", b"o"),
):
    if libc.mount(source, b"m", kind, 0, None) == 0:
        raise RuntimeError(f"LOOT-MOUNT {kind!r}")
if libc.mount(b"/", b"m", None, 4096, None) == 0 or libc.mount(None, b"/", None, 32, None) == 0:
    raise RuntimeError("LOOT-MOUNT bind or remount")
if libc.umount2(b"/home/learner/work", 2) == 0 or libc.syscall(155, b".", b".") == 0:
    raise RuntimeError("LOOT-MOUNT unmounted or pivoted")
