"""Ports of the loopback that nobody uses."""

from __future__ import annotations

import contextlib
import os
import socket


def free_ports(count: int) -> int:
    """The first of so many TCP ports in a row that nobody uses now, below those that are handed out to clients.

    Each process begins to look elsewhere, so that two at once seldom want the same. Raises RuntimeError.
    """
    for first in range(20_000 + os.getpid() % 500 * 20, 32_000, count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise RuntimeError("there are no free ports")
