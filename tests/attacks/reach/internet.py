"""Connects to addresses of the internet, by IPv4 and IPv6, TCP and UDP."""

LOOT = "LOOT-INTERNET"
import socket

for family, address in (
    (socket.AF_INET, ("1.1.1.1", 53)),
    (socket.AF_INET, ("8.8.8.8", 443)),
    (socket.AF_INET, ("93.184.215.14", 80)),
    (socket.AF_INET6, ("2606:4700:4700::1111", 53)),
):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(family, kind) as out:
                out.settimeout(0.3)
                out.connect(address)
                out.send(b"x")
        except OSError:
            continue
        raise RuntimeError(f"LOOT-INTERNET {address}")
