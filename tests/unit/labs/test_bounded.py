"""What a check takes in from a service has a bound, however much the service sends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from labs.bounded import BoundedDoor, BoundedTransport
from sandboxes.interface import TooLarge


@contextlib.contextmanager
def serving(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """A server that deals with one connection."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def work() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    serve(connection)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(bytes(65_536))


@pytest.fixture
def inner(tmp_path: Path) -> Path:
    return tmp_path / "s.sock"


def test_what_fits_passes_both_ways(inner: Path) -> None:
    with serving(inner, echo), BoundedDoor(inner) as door, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(door.folder / inner.name))
        client.sendall(b"x" * 100_000)
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    assert received == b"x" * 100_000
    assert not door.exceeded
    assert not door.folder.exists()


def test_a_flood_is_cut_off(inner: Path) -> None:
    with serving(inner, flood), BoundedDoor(inner, max_bytes=1_000_000) as door:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(door.folder / inner.name))
            received = 0
            with contextlib.suppress(ConnectionResetError):
                while data := client.recv(65_536):
                    received += len(data)
        assert received <= 1_000_000
        assert door.exceeded


def test_nobody_behind_the_door_ends_the_connection(inner: Path) -> None:
    with BoundedDoor(inner) as door, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(door.folder / inner.name))
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""


def answers(data: bytes, **headers: str) -> httpx.Client:
    inner = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(data)))
    return httpx.Client(transport=BoundedTransport(inner, max_bytes=1_000))


def test_an_answer_has_a_bound_and_is_not_compressed() -> None:
    assert answers(b"x" * 1_000).get("http://x").content == b"x" * 1_000
    with pytest.raises(TooLarge):
        answers(b"x" * 1_001).get("http://x")
    with pytest.raises(TooLarge, match="compressed"):
        answers(b"\x1f\x8b", **{"content-encoding": "gzip"}).get("http://x")
