"""Two web servers, started alike, and clients that ask one of them as fast as it answers."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.pages.visiting import AGENT
from portal.settings import ROOT

CLIENTS = 4
"""Connections at once; each sends its next request when it has its answer."""
ANSWER_SECONDS = 60.0
START_SECONDS = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Rate:
    """One round."""

    per_second: float
    cpu_seconds: float | None
    """CPU time of the web server's processes for one request; None when it can't be seen."""


@dataclass(frozen=True)
class Target:
    """A page on a server."""

    port: int
    path: str
    cookie: str
    host: str = "localhost"
    """What is asked for by name; the connection goes to the loopback's address."""
    pid: int | None = None
    """The server's first process."""

    @property
    def request(self) -> bytes:
        """What a client sends."""
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nCookie: {self.cookie}\r\n"
            f"Accept: text/html\r\nUser-Agent: {AGENT}\r\n\r\n"
        ).encode()


@contextmanager
def served(app: str, port: int, environment: Mapping[str, str], log: Path, threads: int) -> Iterator[int]:
    """A gunicorn as the product starts its own (one process, `threads` threads); yields its pid. Raises RuntimeError."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
             "--threads", str(threads), "--workers", "1", "--timeout", "120", "--graceful-timeout", "5",
             "--log-level", "warning", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"],  # noqa: S108 - as ours
            cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield process.pid
    except BaseException:
        sys.stderr.write(log.read_text(errors="replace")[-2000:])
        raise
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_answers(target: Target) -> None:
    """Wait until the page is there. Raises RuntimeError."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with _connected(target) as connection:
                _ask(connection, target.request, bytearray())
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing answers on port {target.port}: {error}") from error
            time.sleep(0.2)


def rate(target: Target, seconds: float) -> Rate:
    """Ask for so long, with CLIENTS clients. Raises RuntimeError when an answer isn't 200."""
    counts: list[int] = []
    faults: list[BaseException] = []
    end = time.perf_counter() + seconds
    used = _cpu(target.pid)
    begun = time.perf_counter()
    clients = [threading.Thread(target=_client, args=(target, end, counts, faults)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    lasted = time.perf_counter() - begun
    if faults:
        raise RuntimeError(f"{target.path}: {faults[0]}") from faults[0]
    total = sum(counts)
    after = _cpu(target.pid)
    return Rate(total / lasted, None if used is None or after is None else (after - used) / total)


def _client(target: Target, end: float, counts: list[int], faults: list[BaseException]) -> None:
    done = 0
    request, kept = target.request, bytearray()
    try:
        with _connected(target) as connection:
            while done == 0 or time.perf_counter() < end:
                _ask(connection, request, kept)
                done += 1
    except (OSError, RuntimeError, ValueError) as error:
        faults.append(error)
    counts.append(done)


@contextmanager
def _connected(target: Target) -> Iterator[socket.socket]:
    with contextlib.closing(socket.create_connection(("127.0.0.1", target.port), ANSWER_SECONDS)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def _ask(connection: socket.socket, request: bytes, kept: bytearray) -> None:
    """One request on a connection that stays open; `kept` is what was read beyond the last answer."""
    connection.sendall(request)
    while (split := kept.find(b"\r\n\r\n")) < 0:
        kept += _more(connection)
    head = bytes(kept[:split]).lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"the server answered {head.splitlines()[0].decode(errors='replace')}")
    place = head.find(b"\r\ncontent-length:")
    if place < 0:
        raise RuntimeError("the server did not say how long its answer is")
    end = split + 4 + int(head[place + 17 :].split(b"\r\n", 1)[0])
    while len(kept) < end:
        kept += _more(connection)
    del kept[:end]


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def _cpu(pid: int | None) -> float | None:
    """CPU seconds of a process and of its children so far; None when there is no /proc."""
    if pid is None:
        return None
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (pid, *children)]
    except OSError:
        return None
    return sum(int(one[11]) + int(one[12]) for one in fields) / _TICKS
