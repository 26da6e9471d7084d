"""Opens raw, packet, netlink and other rare kinds of sockets, to reach what ordinary ones can't."""

LOOT = "LOOT-RAW"
import socket

for family, kind, protocol in (
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
    (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    (socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300),
    (40, socket.SOCK_STREAM, 0),
    (31, socket.SOCK_RAW, 1),
):
    try:
        out = socket.socket(family, kind, protocol)
        if family == 40:
            out.settimeout(0.5)
            out.connect((2, 1024))
    except OSError:
        continue
    raise RuntimeError(f"LOOT-RAW {family} {kind}")
