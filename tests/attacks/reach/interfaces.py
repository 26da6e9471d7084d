"""Looks for network interfaces and routes, and makes its own."""

LOOT = "LOOT-INTERFACE"
import socket
import struct

names = [
    name
    for _, name in socket.if_nameindex()
    if name
    not in ("lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0")
]
routes = [line for line in open("/proc/net/route").read().splitlines()[1:] if line.strip()]
if names or routes:
    raise RuntimeError(f"LOOT-INTERFACE {names} {routes}")
try:
    import fcntl

    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"eth0", 1))
except OSError:
    pass
else:
    raise RuntimeError("LOOT-INTERFACE brought one up")
