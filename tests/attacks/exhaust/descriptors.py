"""Opens files, pipes and sockets until no descriptor is left, and keeps them."""

CELL = "last"
import os
import socket

kept = []
for opener in (lambda: open("/dev/null"), os.pipe, socket.socketpair):
    try:
        while len(kept) < 50_000:
            kept.append(opener())
    except OSError:
        pass
