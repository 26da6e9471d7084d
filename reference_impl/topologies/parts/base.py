"""What every part has: a program that is found or not, a process, a moment at which it answers, an end."""

from __future__ import annotations

import ctypes
import secrets
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

STOP_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


class PartFailed(Exception):
    """A part can't be started; the message says why and what to do."""


class Part(ABC):
    """One server beside the services, in a process of its own, with its data below a folder of its own."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, data: Path) -> None:
        self.folder = data / self.name
        self.log = data / "logs" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Begin to start it. Raises PartFailed."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it does its work; quick, and never raises."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """The variables by which services find it, once it answers."""

    @property
    @abstractmethod
    def detail(self) -> str:
        """What it is and where, for people; without passwords."""

    def wait(self, seconds: float) -> None:
        """Return when it answers. Raises PartFailed when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            if self.process is not None and self.process.poll() is not None:
                raise PartFailed(
                    f"{self.name} ended with exit code {self.process.returncode}; its log is {self.log}."
                )
            if time.monotonic() > deadline:
                raise PartFailed(f"{self.name} did not answer within {seconds:g} s; its log is {self.log}.")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, with force when it does not."""
        if self.process is not None:
            end(self.process, self.stop_signal, STOP_SECONDS)


def launch(
    arguments: Sequence[str | Path], log: Path, *, environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """A process whose words go to a log, and which ends when we do, however that happens."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,  # Ctrl-C is for us; we end the others in the right order
            preexec_fn=_end_with_parent(),
            **options,
        )


def end(process: subprocess.Popen[bytes], how: signal.Signals, seconds: float) -> bool:
    """Ask a process to end, and end it with force when it does not; whether asking was enough."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def password(file: Path) -> str:
    """A password that only we can read, made when missing: other users of this machine reach the same ports."""
    if not file.exists() or not file.read_text():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(24))
    return file.read_text()


def _end_with_parent() -> Callable[[], None] | None:
    """Linux tells a child when its parent is gone; elsewhere a parent that is killed leaves its children behind."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
