"""Bounds on what a check takes in from a service in the sandbox: the learner's code may have made it talk without end."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from sandboxes.interface import TooLarge

MAX_BYTES = 32 * 1_048_576
"""What one connection or one answer may bring."""
PIECE = 65_536
ACCEPT_SECONDS = 30.0


class BoundedDoor:
    """A Unix socket of our own in front of one of the sandbox's; it closes when more than MAX_BYTES came out.

    For clients that take in whatever a server sends, as libpq does. One connection, for as long as the context lasts.
    """

    def __init__(self, inner: Path, max_bytes: int = MAX_BYTES) -> None:
        self._inner = inner
        self._left = max_bytes
        self._sockets: list[socket.socket] = []
        self.exceeded = False
        """Whether the bound was reached."""
        self.folder = Path()
        """Holds a socket of the inner one's name."""

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="door-"))
        listener = socket.socket(socket.AF_UNIX)
        self._sockets.append(listener)
        try:
            listener.bind(str(self.folder / self._inner.name))
            listener.listen(1)
        except OSError:
            self._close()
            raise
        listener.settimeout(ACCEPT_SECONDS)
        threading.Thread(target=self._serve, args=(listener,), name="bounded-door", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for each in self._sockets:
            _end(each)
            each.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _serve(self, listener: socket.socket) -> None:
        # Closed sockets end every wait in here.
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            self._sockets.append(client)
            with client:
                client.settimeout(None)
                server = socket.socket(socket.AF_UNIX)
                self._sockets.append(server)
                with server:
                    server.connect(str(self._inner))
                    threading.Thread(target=self._carry, args=(client, server), daemon=True).start()
                    try:
                        self._carry_bounded(server, client)
                    finally:
                        _end(client)
                        _end(server)

    def _carry_bounded(self, source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(PIECE):
            self._left -= len(data)
            if self._left < 0:
                self.exceeded = True
                return
            target.sendall(data)

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def _end(each: socket.socket) -> None:
    """Closing alone wakes nobody who waits for it in another thread."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


class BoundedTransport(httpx.BaseTransport):
    """A transport whose answers are at most MAX_BYTES long, and not compressed. Raises TooLarge."""

    def __init__(self, inner: httpx.BaseTransport, max_bytes: int = MAX_BYTES) -> None:
        self._inner = inner
        self._max_bytes = max_bytes

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        answer = self._inner.handle_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            answer.close()
            raise TooLarge("A service gave a compressed answer that nobody asked for.")
        assert isinstance(answer.stream, httpx.SyncByteStream)
        answer.stream = _BoundedStream(answer.stream, self._max_bytes)
        return answer

    def close(self) -> None:
        self._inner.close()


class _BoundedStream(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, left: int) -> None:
        self._inner = inner
        self._left = left

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise TooLarge("A service gave more than is read.")
            yield piece

    def close(self) -> None:
        self._inner.close()
