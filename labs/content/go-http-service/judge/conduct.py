"""Starts the service, asks it, and stops it while it works: what happened is printed as one JSON object.

Runs inside the sandbox, beside the service, and knows nothing of what is right. Its argument is the folder of the built program.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE = 12.0
SETTLE = 0.3

Seen = dict[str, Any]


class Service:
    """One run of the program."""

    def __init__(self, folder: Path, name: str, grace_ms: int) -> None:
        self._port, self._end = folder / f"{name}.port", folder / f"{name}.end"
        self._errors = (folder / f"{name}.err").open("wb")
        self.process = subprocess.Popen(
            [str(folder / "judge"), str(grace_ms), str(self._port), str(self._end)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
        )  # fmt: skip
        until(self._port.exists)
        self.port = int(self._port.read_text()) if self._port.exists() else 1

    def open(self, sent: bytes) -> socket.socket:
        """A connection on which this was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection.sendall(sent)
        return connection

    def hold(self, count: int, deaf: int = 0, unread: int = 0) -> list[socket.socket]:
        """So many requests in flight, so many whose handler does not look at its context, and so many whose body nobody reads."""
        sent = [request("/hold")] * count + [request("/deaf")] * deaf + [UNREAD] * unread
        held = [self.open(one) for one in sent]
        until(lambda: self._arrived() >= len(held))
        return held

    def _arrived(self) -> int:
        with contextlib.suppress(OSError, ValueError), self.open(request("/count", close=True)) as connection:
            return int(read(connection).rsplit(b"\r\n", 1)[-1])
        return 0

    def say(self, word: str) -> None:
        """Tell the program to go on, or to break its listener."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(f"{word}\n".encode())
            self.process.stdin.flush()

    def stop(self) -> None:
        """What Kubernetes sends."""
        self.process.send_signal(signal.SIGTERM)

    def refuses(self) -> bool:
        """Whether nobody accepts a connection."""
        try:
            self.open(b"").close()
        except OSError:
            return True
        return False

    def over(self) -> bool:
        """Whether Run returned, or the process ended without that."""
        return self._end.exists() or self.process.poll() is not None

    def end(self) -> Seen:
        """How it ended, if it did within a while. Until then the process stays, for what Run left open to be seen."""
        exited = until(self.over)
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE if exited else SETTLE)
        self.process.kill()
        self.process.wait()
        told = json.loads(self._end.read_text()) if self._end.exists() else {}
        self._errors.close()
        said = Path(self._errors.name).read_bytes()[:4000].decode("utf-8", "replace")
        return {
            "exited": exited,
            "code": self.process.returncode,
            "race": "DATA RACE" in said,
            "panic": "panic:" in said,
            **told,
        }


def request(path: str, close: bool = False) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: {'close' if close else 'keep-alive'}\r\n\r\n".encode()


UNREAD = b"POST /hold HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\n"


def read(connection: socket.socket, most: int = 200_000, until_end: bytes = b"") -> bytes:
    """What comes until the other side closes, or says `until_end`, or nothing more for a while."""
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < most and not (until_end and data.endswith(until_end)):
            piece = connection.recv(65_536)
            if not piece:
                break
            data += piece
    return data


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def closed(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side closes within so many seconds."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def drain(folder: Path, count: int) -> Seen:
    """Requests in flight, an idle connection, and the signal."""
    service = Service(folder, "drain", 60_000)
    held = service.hold(count)
    idle = service.open(request("/count"))
    idle.settimeout(PATIENCE)
    read(idle, until_end=b"\n")
    service.stop()
    refused = until(service.refuses)
    time.sleep(SETTLE)
    service.say("go")
    answers = []
    end = time.monotonic() + PATIENCE
    for one in held:
        one.settimeout(max(0.1, end - time.monotonic()))
        answers.append(read(one, until_end=b"end"))
    whole = sum(b" 200 " in one[:20] and one.endswith(b"end") and len(one) > 50_000 for one in answers)
    hung_up = closed(idle, PATIENCE)
    for one in [*held, idle]:
        one.close()
    return {
        "refused": refused,
        "whole": whole,
        "asked": count,
        "idle_closed": hung_up,
        **service.end(),
    }


def grace(folder: Path, count: int) -> Seen:
    """Requests in flight that never end by themselves; one does not even hear of anything."""
    service = Service(folder, "grace", 400)
    held = service.hold(count, deaf=1, unread=1)
    service.stop()
    until(service.over)
    end = time.monotonic() + PATIENCE / 2
    cut = [closed(one, max(0.1, end - time.monotonic())) for one in held]
    return {"cut": sum(cut), "asked": len(held), **service.end()}


def broken(folder: Path, count: int) -> Seen:
    """The listener fails, and nobody sent a signal."""
    service = Service(folder, "broken", 60_000)
    service.say("break")
    return service.end()


def halting(folder: Path, count: int) -> Seen:
    """A client that begins a request and never ends its header."""
    service = Service(folder, "halting", 60_000)
    half = service.open(b"GET /count HTTP/1.1\r\nHost: shop\r\n")
    dropped = closed(half, PATIENCE)
    half.close()
    service.stop()
    return {"dropped": dropped, **service.end()}


def main() -> None:
    folder, count = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    seen: dict[str, Seen] = {}

    def play(scene: Callable[[Path, int], Seen]) -> None:
        try:
            seen[scene.__name__] = scene(folder, count)
        except OSError as error:
            seen[scene.__name__] = {"lost": repr(error)}

    threads = [threading.Thread(target=play, args=(scene,)) for scene in (drain, grace, broken, halting)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"\n{json.dumps(seen)}\n")


main()
