"""The bond between the two agents of a sandbox whose learner runs as another user than its services.

The keeper listens on `join.sock` until one process of the learner's user has come; the driver starts that process before there
is any code of the learner's. It is handed its orders and the sockets to answer on, bound already: so the learner's user can
write nowhere in the folder that is shared with the outside. What comes back are lines of JSON, `{"state", "detail"}` or
`{"log", "line"}`, and at last the end of the stream. Only the learner's agent holds the other end, and it is closed to
tracing, so that no code of the learner's can speak for it, or keep the stream open when the agent has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandboxes.agent.logs import LINE_BYTES, LineLog
from sandboxes.agent.status import StatusBoard
from sandboxes.protocol import AgentSpec

ORDERS_BYTES = 1_048_576
NEWS_BYTES = 65_536
"""One line of news."""
WAITING_BYTES = 1_048_576
"""News that wait for a slow keeper; what a process printed is left out beyond."""
HANDOVER_SECONDS = 10.0
CONNECT_SECONDS = 0.01
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Orders:
    """What the learner's agent is told when it comes."""

    spec: AgentSpec
    services: Mapping[str, str]
    """The variables of the sandbox's services."""


def listen(path: Path) -> socket.socket:
    """A Unix socket that everybody who reaches its folder may connect to. Raises OSError."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    path.chmod(0o777)
    server.listen(128)
    return server


class Entrance:
    """Where the keeper waits for the learner's agent."""

    def __init__(self, path: Path, uid: int) -> None:
        self._path = path
        self._uid = uid
        self._server = listen(path)
        self._server.setblocking(False)

    async def admit(self, orders: Orders, sockets: Mapping[str, socket.socket]) -> asyncio.StreamReader:
        """Wait for the learner's agent, give it what is its own, and return its news. Raises OSError."""
        try:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(self._server)
                if _peer(connection) == self._uid:
                    break
                connection.close()
        finally:
            self._server.close()
            self._path.unlink(missing_ok=True)
        await asyncio.to_thread(_hand_over, connection, orders, sockets)
        for each in sockets.values():
            each.close()
        reader, self._writer = await asyncio.open_unix_connection(sock=connection, limit=NEWS_BYTES)
        return reader


def _peer(connection: socket.socket) -> int:
    size = _CREDENTIALS.size
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def _hand_over(connection: socket.socket, orders: Orders, sockets: Mapping[str, socket.socket]) -> None:
    document = {"spec": asdict(orders.spec), "services": dict(orders.services), "sockets": list(sockets)}
    data = json.dumps(document).encode() + b"\n"
    connection.settimeout(HANDOVER_SECONDS)
    socket.send_fds(connection, [data[:1]], [each.fileno() for each in sockets.values()])
    connection.sendall(data[1:])


def read_news(line: bytes) -> dict[str, Any]:
    """One line of news; empty for what is none."""
    try:
        news = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return news if isinstance(news, dict) else {}


def join(path: Path, seconds: float) -> tuple[Orders, dict[str, socket.socket], socket.socket]:
    """Come to the keeper: the orders, the sockets by name, and the connection for news.

    Blocks until the keeper listens. Raises OSError, ValueError.
    """
    deadline = time.monotonic() + seconds
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    while True:
        try:
            connection.connect(str(path))
            break
        except (FileNotFoundError, ConnectionRefusedError, PermissionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(CONNECT_SECONDS)
    data, descriptors, _, _ = socket.recv_fds(connection, ORDERS_BYTES, 16)
    while not data.endswith(b"\n"):
        more = connection.recv(ORDERS_BYTES)
        if not more or len(data) > ORDERS_BYTES:
            raise ValueError("the keeper's orders broke off")
        data += more
    document = json.loads(data)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    sockets = {
        name: socket.socket(fileno=number)
        for name, number in zip(document["sockets"], descriptors, strict=True)
    }
    return Orders(AgentSpec(**document["spec"]), document["services"]), sockets, connection


class NewsLine:
    """The learner's agent's end of the bond."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @classmethod
    async def open(cls, connection: socket.socket) -> NewsLine:
        _, writer = await asyncio.open_unix_connection(sock=connection)
        return cls(writer)

    def send(self, news: Mapping[str, Any], *, may_be_dropped: bool = False) -> None:
        """Tell the keeper something; never waits."""
        transport = self._writer.transport
        if transport.is_closing() or (may_be_dropped and transport.get_write_buffer_size() > WAITING_BYTES):
            return
        self._writer.write(json.dumps(news).encode() + b"\n")

    async def close(self) -> None:
        """Send what waits, and hang up."""
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.drain(), HANDOVER_SECONDS)
        self._writer.close()


class FarStatus(StatusBoard):
    """The learner's agent's own state, told to the keeper."""

    def __init__(self, news: NewsLine) -> None:
        super().__init__(Path(os.devnull), [])
        self._news = news

    def save(self) -> None:
        self._news.send({"state": self._state.value, "detail": self._detail})


class FarLog(LineLog):
    """A log that the keeper keeps."""

    def __init__(self, news: NewsLine, name: str, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(secrets)
        self._news = news
        self._name = name

    def _put(self, line: bytes) -> None:
        text = line[: LINE_BYTES + 16].decode("utf-8", "replace").rstrip("\n")
        self._news.send({"log": self._name, "line": text}, may_be_dropped=True)
