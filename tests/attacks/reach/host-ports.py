"""Connects to services of the host by every address the host might have."""

LOOT = "LOOT-PORT"
import socket

ports = [HOST["port"], 22, 80, 443, 2375, 2376, 5432, 6379, 8000, 8001]
for address in (
    "127.0.0.1",
    "::1",
    "172.17.0.1",
    "172.18.0.1",
    "10.0.2.2",
    "192.168.65.2",
    "0.0.0.0",
    "localhost",
    "sandbox",
):
    for port in ports:
        try:
            socket.create_connection((address, port), timeout=0.1).close()
        except OSError:
            continue
        raise RuntimeError(f"LOOT-PORT {address}:{port}")
