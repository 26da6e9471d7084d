"""Makes device files and opens those of the machine."""

LOOT = "LOOT-DEVICE"
import os
import stat

for folder in (".", "/tmp", "/dev/shm", os.path.expanduser("~"), "/dev"):
    for kind, major, minor in ((stat.S_IFBLK, 8, 0), (stat.S_IFBLK, 254, 0), (stat.S_IFCHR, 1, 1)):
        try:
            os.mknod(f"{folder}/device-{major}-{minor}", kind | 0o666, os.makedev(major, minor))
        except OSError:
            continue
        raise RuntimeError(f"LOOT-DEVICE made in {folder}")
for name in (
    "sda",
    "vda",
    "nvme0n1",
    "mem",
    "kmem",
    "port",
    "kmsg",
    "kvm",
    "fuse",
    "net/tun",
    "loop-control",
    "loop0",
    "mapper/control",
):
    try:
        os.close(os.open(f"/dev/{name}", os.O_RDONLY))
    except OSError:
        continue
    raise RuntimeError(f"LOOT-DEVICE /dev/{name} opened")
