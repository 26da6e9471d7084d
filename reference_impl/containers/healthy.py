"""The health check of a container: whether what listens on its port can do its work. Exit code 1 when not.

    python -I -S healthy.py http 8080       # a service that is ready
    python -I -S healthy.py kafka 9092      # a broker that answers

A script of the standard library alone, which starts quickly: it runs in every container every few seconds.
"""

from __future__ import annotations

import socket
import struct
import sys

SECONDS = 3.0
LARGEST_ANSWER = 65_536
API_VERSIONS = struct.pack(">hhih", 18, 0, 1, -1)
"""The request that every Kafka client begins with: key 18 in version 0, number 1, a client without a name."""


def ready(connection: socket.socket) -> bool:
    """Whether a service says that it is ready. Raises OSError."""
    connection.sendall(b"GET /health/readiness HTTP/1.0\r\nHost: localhost\r\n\r\n")
    with connection.makefile("rb") as answer:
        return answer.readline(LARGEST_ANSWER).split(b" ")[1:2] == [b"200"]


def answers(connection: socket.socket) -> bool:
    """Whether a broker says what it can do. Raises OSError."""
    connection.sendall(struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS)
    with connection.makefile("rb") as answer:
        head = answer.read(10)
    return len(head) == 10 and struct.unpack(">iih", head)[1:] == (1, 0)


CHECKS = {"http": ready, "kafka": answers}


def main(kind: str, port: int) -> int:
    """Check once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            return 0 if CHECKS[kind](connection) else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
