"""The relay as the program that it is, before a server that speaks TCP only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandboxes.services import relay
from sandboxes.services.base import free_port

ROOT = Path(__file__).parents[4]
ECHO = """
import os, pathlib, socket, sys, threading
def serve(connection):
    with connection:
        said = b""
        while data := connection.recv(65536):
            said += data
        connection.sendall(said[::-1])
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
pathlib.Path(sys.argv[2]).write_text(str(os.getpid()))
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
"""Says what it was told backwards, once the other side has said all."""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a socket lives in it."""
    folder = Path(tempfile.mkdtemp(prefix="pgr-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a relay before a command and waits until `ready` is there."""
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int, *command: str, ready: Path | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sandboxes.services.relay",
                str(folder / "r.sock"),
                str(port),
                "--",
                *command,
            ],
            cwd=ROOT,
            start_new_session=True,
        )
        started.append(process)
        until(lambda: ready is None or (ready.exists() and ready.read_text() != ""))
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(60)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def connect(folder: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(60)
    client.connect(str(folder / "r.sock"))
    return client


def ask(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    client.shutdown(socket.SHUT_WR)
    answer = b""
    while data := client.recv(65_536):
        answer += data
    return answer


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def echo(folder: Path, start: Start) -> subprocess.Popen[bytes]:
    port = free_port()
    return start(port, sys.executable, "-c", ECHO, str(port), str(folder / "pid"), ready=folder / "pid")


def test_both_ways_are_led_on_whole_and_each_end_is_passed_on(
    folder: Path, echo: subprocess.Popen[bytes]
) -> None:
    words = os.urandom(3_000_000)
    with connect(folder) as client:
        assert ask(client, words) == words[::-1]


def test_every_user_may_connect_who_can_pass_the_folder(folder: Path, echo: subprocess.Popen[bytes]) -> None:
    assert stat.S_IMODE((folder / "r.sock").stat().st_mode) == 0o777


def test_more_connections_than_it_relays_at_once_wait_their_turn(
    folder: Path, echo: subprocess.Popen[bytes]
) -> None:
    open_ones = [connect(folder) for _ in range(relay.CONNECTIONS)]
    with connect(folder) as late:
        late.sendall(b"late")
        late.shutdown(socket.SHUT_WR)
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.recv(10)
        assert [ask(client, b"abc") for client in open_ones] == [b"cba"] * relay.CONNECTIONS
        for client in open_ones:
            client.close()
        late.settimeout(60)
        assert late.recv(10) == b"etal"


def test_a_stop_signal_is_passed_on_and_nothing_stays(folder: Path, echo: subprocess.Popen[bytes]) -> None:
    command = int((folder / "pid").read_text())
    # Once it leads on what is said it also passes on signals; the command may be ready before.
    with connect(folder) as client:
        assert ask(client, b"abc") == b"cba"
    with connect(folder) as client:
        echo.terminate()
        assert echo.wait(60) == 128 + signal.SIGTERM
        assert client.recv(10) == b""
    assert not running(command)


def test_the_command_does_not_outlive_a_relay_that_was_killed(
    folder: Path, echo: subprocess.Popen[bytes]
) -> None:
    command = int((folder / "pid").read_text())
    echo.kill()
    until(lambda: not running(command))


def test_it_ends_with_the_commands_exit_code(start: Start) -> None:
    assert start(1, sys.executable, "-c", "raise SystemExit(7)").wait(60) == 7


def test_a_client_is_sent_away_while_nothing_listens_on_the_port(folder: Path, start: Start) -> None:
    start(free_port(), sys.executable, "-c", "import time; time.sleep(60)")
    until((folder / "r.sock").exists)
    with connect(folder) as client:
        assert client.recv(10) == b""


def test_a_connection_in_which_nothing_moves_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(relay, "IDLE_SECONDS", 0.1)

    async def scene() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as silent, relay.listen_unix(folder / "r.sock") as listener:
            relaying = asyncio.create_task(relay.relay(listener, silent.getsockname()[1]))
            with connect(folder) as client:
                said = await asyncio.to_thread(client.recv, 10)
            relaying.cancel()
            return said

    assert asyncio.run(scene()) == b""


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["s", "port", "--", "true"], 2), (["s", "1", "true", "x"], 2)]
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], code: int) -> None:
    assert relay.main(arguments) == code


def test_a_command_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert relay.main([str(folder / "r.sock"), "1", "--", str(folder / "absent")]) == 127
    assert "can't be started" in capsys.readouterr().err


@pytest.mark.parametrize("turns", range(5))
def test_a_connection_is_given_up_at_the_moment_in_which_it_comes_about(
    folder: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    import asyncio

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        arrived, gate, connect_now = asyncio.Event(), asyncio.Event(), socket.socket.connect

        async def connected(server: socket.socket, address: tuple[str, int]) -> None:
            arrived.set()
            await gate.wait()
            server.setblocking(True)
            connect_now(server, address)
            server.setblocking(False)

        monkeypatch.setattr(loop, "sock_connect", connected)
        with socket.create_server(("127.0.0.1", 0)) as silent, relay.listen_unix(folder / "r.sock") as listener:
            relaying = asyncio.create_task(relay.relay(listener, silent.getsockname()[1]))
            with connect(folder):
                async with asyncio.timeout(60):
                    await arrived.wait()
                gate.set()
                for _ in range(turns):
                    await asyncio.sleep(0)
                relaying.cancel()
                done, _ = await asyncio.wait([relaying], timeout=60)
                assert done, "the relay forgot that it was told to end"

    asyncio.run(scene())
