"""The relay, with the real program at its other end as a process of this machine, and with liars in its place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandboxes.drivers import relay
from sandboxes.drivers.attach import plain_socket
from sandboxes.drivers.relay import Relays, Tunnel
from sandboxes.multiplex import CHUNK, CREDIT, WINDOW, Decoder, Frame, Kind
from tests.conftest import ROOT

NAMES = ("echo.sock", "deep/count.sock")
SECONDS = 60


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Pipes:
    """A process's input and output, as an engine's client over SSH gives them: nearly a socket."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._input, self._output = process.stdin, process.stdout

    def recv(self, size: int) -> bytes:
        return self._output.read(size) or b""

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._input.write(view) or 0 :]

    def close(self) -> None:
        self._input.close()


class Inside:
    """A folder of sockets as a container has it: one answers with what it hears, one counts what it hears until the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "deep").mkdir(parents=True)
        self._servers = [self._serve(NAMES[0], _echo), self._serve(NAMES[1], _count)]
        self.processes: list[subprocess.Popen[bytes]] = []
        self.alive = True

    def _serve(self, name: str, answer: Callable[[socket.socket], None]) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self.folder / name))
        server.listen(300)

        def run() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        threading.Thread(target=run, daemon=True).start()
        return server

    def attach(self) -> socket.socket:
        command = [sys.executable, "-P", "-s", "-m", "sandboxes.agent.tunnel", str(self.folder), *NAMES]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            bufsize=0,
        )
        self.processes.append(process)
        return plain_socket(Pipes(process))

    def tunnel(self) -> Tunnel:
        return Tunnel(self.attach, lambda: self.alive, plain)

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for process in self.processes:
            process.kill()
            process.wait(60)


def plain(reader: asyncio.StreamReader) -> Callable[[], object]:
    """No framing of an engine."""
    return lambda: reader.read(65_536)


def _echo(client: socket.socket) -> None:
    with client, contextlib.suppress(OSError):
        while data := client.recv(65_536):
            client.sendall(data)


def _count(client: socket.socket) -> None:
    heard = 0
    with client:
        while data := client.recv(65_536):
            heard += len(data)
        client.sendall(f"{heard} bytes".encode())


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SECONDS)
    client.connect(str(path))
    return client


def read_all(client: socket.socket) -> bytes:
    parts = []
    try:
        while data := client.recv(65_536):
            parts.append(data)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end inside has as long to start, and a connection to wait for it, as a busy machine needs."""
    monkeypatch.setattr(relay, "READY_SECONDS", float(SECONDS))
    monkeypatch.setattr(relay, "HOLD_SECONDS", float(SECONDS))
    monkeypatch.setattr(relay, "CALL_SECONDS", 2.0 * SECONDS)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name leaves room for sockets."""
    with tempfile.TemporaryDirectory(prefix="rl-") as folder:
        yield Path(folder)


@pytest.fixture
def inside(short: Path) -> Iterator[Inside]:
    inside = Inside(short / "in")
    yield inside
    inside.close()


@pytest.fixture
def relays() -> Iterator[Relays]:
    relays = Relays()
    yield relays
    relays.close_all()


@pytest.fixture
def doors(short: Path, inside: Inside, relays: Relays) -> Path:
    relays.open("box", short / "doors", NAMES, inside.tunnel())
    return short / "doors"


def test_connections_pass_and_half_close(doors: Path) -> None:
    with connect(doors / "echo.sock") as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
    with connect(doors / "deep" / "count.sock") as client:
        client.sendall(bytes(3_000_000))
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b"3000000 bytes"


def test_many_streams_at_once_keep_their_bytes_apart(doors: Path) -> None:
    answers: dict[int, bytes] = {}

    def talk(number: int) -> None:
        text = f"{number:03d}".encode() * 50_000
        with connect(doors / "echo.sock") as client:
            threading.Thread(
                target=lambda: (client.sendall(text), client.shutdown(socket.SHUT_WR)), daemon=True
            ).start()
            answers[number] = read_all(client)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert all(answers[number] == f"{number:03d}".encode() * 50_000 for number in range(60))


def test_a_client_that_does_not_read_stops_only_itself(doors: Path) -> None:
    with connect(doors / "echo.sock") as slow, connect(doors / "echo.sock") as quick:
        slow.settimeout(0.5)
        with pytest.raises(TimeoutError):
            slow.sendall(bytes(50_000_000))
        quick.sendall(b"still here")
        assert quick.recv(100) == b"still here"


def test_a_connection_too_many_is_refused_and_room_comes_back(doors: Path) -> None:
    clients = [connect(doors / "echo.sock") for _ in range(256)]
    clients[-1].sendall(b"x")
    assert clients[-1].recv(1) == b"x"
    with connect(doors / "echo.sock") as one_more:
        assert read_all(one_more) == b""
    for client in clients:
        client.close()

    def room() -> bool:
        with connect(doors / "echo.sock") as client:
            try:
                client.sendall(b"x")
                return client.recv(1) == b"x"
            except OSError:
                return False

    until(room, "the slots stayed taken")


def test_a_name_that_the_inside_does_not_know_is_refused(short: Path, inside: Inside, relays: Relays) -> None:
    outside = short / "outside.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(outside))
    server.listen()
    server.settimeout(0.2)
    tunnel = inside.tunnel()
    # A liar outside could ask for any path: the inside connects to its own names only.
    (short / "doors2").mkdir()
    relays.open("box", short / "doors2" / "x", ("echo.sock", "../outside.sock"), tunnel)
    with connect(short / "doors2" / "outside.sock") as client:
        assert read_all(client) == b""
    with pytest.raises(TimeoutError):
        server.accept()
    server.close()
    with connect(short / "doors2" / "x" / "echo.sock") as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"


def test_a_dead_end_inside_is_started_again_and_ends_with_its_input(
    doors: Path, inside: Inside, relays: Relays
) -> None:
    with connect(doors / "echo.sock") as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        inside.processes[0].kill()
        assert read_all(client) == b""
    with connect(doors / "echo.sock") as client:  # waits for the new one
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    assert len(inside.processes) == 2
    relays.close("box")
    assert inside.processes[1].wait(SECONDS) == 0
    with pytest.raises(OSError):
        connect(doors / "echo.sock")


def test_the_doors_close_when_the_container_is_gone_and_open_again_when_asked(
    doors: Path, inside: Inside, relays: Relays
) -> None:
    inside.alive = False
    inside.processes[0].kill()

    def closed() -> bool:
        try:
            connect(doors / "echo.sock").close()
        except OSError:
            return True
        return False

    until(closed, "the doors stayed open")
    until(lambda: not relays._relays["box"].running, "it still had doors to close")
    inside.alive = True
    relays.ensure("box", doors, NAMES, inside.tunnel())
    with connect(doors / "echo.sock") as client:
        client.sendall(b"again")
        assert client.recv(5) == b"again"


def test_one_process_keeps_the_doors_and_the_next_takes_over(
    short: Path, doors: Path, inside: Inside, relays: Relays
) -> None:
    other = Relays()
    try:
        other.ensure("box", doors, NAMES, inside.tunnel())
        with pytest.raises(OSError):
            other.open("box", doors, NAMES, inside.tunnel())
        with connect(doors / "echo.sock") as client:
            client.sendall(b"first")
            assert client.recv(5) == b"first"
        assert len(inside.processes) == 1
        relays.close_all()
        other.ensure("box", doors, NAMES, inside.tunnel())
        with connect(doors / "echo.sock") as client:
            client.sendall(b"second")
            assert client.recv(6) == b"second"
    finally:
        other.close_all()


def test_an_end_inside_that_does_not_start_is_an_error(short: Path, relays: Relays) -> None:
    def refused() -> socket.socket:
        raise OSError("the engine did not start it: no such program")

    with pytest.raises(OSError, match="no such program"):
        relays.open("box", short / "doors", NAMES, Tunnel(refused, lambda: False, plain))
    relays.open("box", short / "doors", NAMES[:1], Tunnel(_liar(b""), lambda: True, plain))


LIES = {
    "garbage": os.urandom(50_000) + bytes(50_000),
    "data of no stream": Frame(Kind.DATA, 7, bytes(CHUNK)).encode() * 500,
    "streams of its own": b"".join(Frame(Kind.OPEN, n, b"echo.sock").encode() for n in range(1000)),
    "credit": Frame(Kind.CREDIT, 1, CREDIT.pack(WINDOW)).encode() * 10_000,
    "greetings": Frame(Kind.HELLO, 0, b"1").encode() * 10_000,
}


def _liar(lie: bytes, *, honest_after: list[int] | None = None) -> Callable[[], socket.socket]:
    """An end inside that greets, and says something else once it is asked for a stream."""

    def attach() -> socket.socket:
        ours, theirs = socket.socketpair()
        if honest_after is not None:
            honest_after.append(1)

        def lying() -> None:
            decoder = Decoder()
            try:
                while data := theirs.recv(65_536):
                    for frame in decoder.feed(data):
                        if frame.kind is Kind.HELLO:
                            theirs.sendall(frame.encode())
                        if frame.kind is Kind.OPEN:
                            theirs.sendall(lie)
            except OSError:
                pass

        threading.Thread(target=lying, daemon=True).start()
        return ours

    return attach


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_inside_is_hung_up_on_and_tried_again(
    short: Path, relays: Relays, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    attached: list[int] = []
    with caplog.at_level(logging.WARNING, "sandboxes.tunnel"):
        relays.open(
            "box", short / "doors", NAMES, Tunnel(_liar(LIES[lie], honest_after=attached), lambda: True, plain)
        )
        with connect(short / "doors" / "echo.sock") as client:
            assert read_all(client) == b""
        until(lambda: len(attached) > 1, "it was not tried again")
    assert "again in" in caplog.text
