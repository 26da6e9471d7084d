"""Connects to abstract Unix sockets of the host, which no file permission guards."""

LOOT = "LOOT-ABSTRACT"
import socket

names = [HOST["abstract"], "/containerd-shim/x.sock", "/tmp/.X11-unix/X0", "docker"]
try:
    names += [line.split("@")[1].strip() for line in open("/proc/net/unix") if "@" in line]
except OSError:
    pass
for name in names:
    try:
        with socket.socket(socket.AF_UNIX) as out:
            out.settimeout(0.5)
            out.connect("\0" + name)
    except OSError:
        continue
    raise RuntimeError(f"LOOT-ABSTRACT {name}")
