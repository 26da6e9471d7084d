"""What an engine gives to talk with a process inside a container, and which transport to sandboxes an engine needs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import docker

from sandboxes.interface import DriverUnavailable

PIECE = 65_536
HEADER = struct.Struct(">BxxxI")
STDOUT = 1
LOCAL_ENGINE = "http+docker://localhost"
"""What the library calls a Unix socket of this machine."""


class Transport(StrEnum):
    """How those outside reach the sockets of a container."""

    SOCKETS = "sockets"
    """They are in a folder that both see."""
    TUNNEL = "tunnel"
    """Through the engine."""


def parse_transport(wanted: str) -> Transport | None:
    """The transport of that name, None for `auto`. Raises DriverUnavailable for what is none."""
    if wanted == "auto":
        return None
    try:
        return Transport(wanted)
    except ValueError as error:
        raise DriverUnavailable(
            f"There is no transport {wanted!r} to sandboxes; there are auto, {', '.join(Transport)}."
        ) from error


def needed_transport(client: docker.APIClient) -> Transport:
    """The tunnel for an engine in a virtual machine or elsewhere, whose folders carry no sockets. Raises like the client."""
    if str(client.base_url) != LOCAL_ENGINE:
        return Transport.TUNNEL
    system = str(client.info().get("OperatingSystem", ""))
    return Transport.TUNNEL if "docker desktop" in system.lower() else Transport.SOCKETS


def plain_socket(raw: Any) -> socket.socket:
    """A socket of the system for what the engine's client gives, which over TLS or SSH is none."""
    inner = getattr(raw, "_sock", raw)
    if type(inner) is socket.socket:
        plain = inner.dup()
        raw.close()
        plain.settimeout(None)
        return plain
    with contextlib.suppress(AttributeError):
        inner.settimeout(None)
    ours, theirs = socket.socketpair()
    for pump in (pump_between(inner.recv, theirs.sendall), pump_between(theirs.recv, inner.sendall)):
        threading.Thread(target=pump, args=(inner, theirs), name="tunnel pump", daemon=True).start()
    return ours


def pump_between(
    receive: Callable[[int], bytes], send: Callable[[bytes], object]
) -> Callable[[Any, socket.socket], None]:
    """A thread's work: pass on what comes until either side ends, then end both."""

    def pump(inner: Any, theirs: socket.socket) -> None:
        try:
            while data := receive(PIECE):
                send(data)
        except OSError:
            pass
        finally:
            # A shutdown wakes the other thread out of its wait; closing alone does not.
            for end in (inner, theirs):
                with contextlib.suppress(OSError, AttributeError):
                    end.shutdown(socket.SHUT_RDWR)
            for end in (inner, theirs):
                with contextlib.suppress(OSError):
                    end.close()

    return pump


def engine_output(reader: asyncio.StreamReader) -> Callable[[], Awaitable[bytes]]:
    """Reads standard output out of the engine's framing: a kind, a length, so many bytes. Other kinds are passed over."""
    left = 0
    kind = STDOUT

    async def read() -> bytes:
        nonlocal left, kind
        while True:
            while left == 0:
                try:
                    kind, left = HEADER.unpack(await reader.readexactly(HEADER.size))
                except asyncio.IncompleteReadError:
                    return b""
            data = await reader.read(min(left, PIECE))
            left -= len(data)
            if kind == STDOUT or not data:
                return data

    return read
