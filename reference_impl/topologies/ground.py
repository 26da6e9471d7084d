"""The directory of a running Meridian: who runs on it, in what state, and where the logs are.

One Meridian at a time holds a directory. What it tells of itself stands in `state.json`; that it still lives is the lock on
`lock`, which the operating system takes away when it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

LARGEST_LOG_BYTES = 64 * 1024 * 1024


class Phase(StrEnum):
    """How far a process, or the platform, is::

    starting ──► ready ──► stopping
        ▲          │
        └─ waiting ◄┘   (it ended by itself; the supervisor starts it again, or does not: failed)
    """

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"
    STOPPING = "stopping"


class ProcessState(BaseModel):
    """One process."""

    name: str
    kind: Annotated[str, Field(description="`service`, or `part` for what services run on.")]
    phase: Phase
    pid: int | None = None
    url: str = ""
    """Where it is asked over HTTP; parts are not."""
    detail: str = ""
    restarts: int = 0


class PlatformState(BaseModel):
    """The whole."""

    topology: str
    pid: int
    phase: Phase
    url: str
    """Where customers go."""
    socket: Path | None = None
    started_at: datetime
    seconds: float | None = None
    """How long the start took."""
    processes: list[ProcessState] = []


class Held(Exception):
    """A Meridian runs on this directory already; the message says what to do."""


class Ground:
    """One data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data.resolve()
        self.logs = self.data / "logs"
        self._state = self.data / "state.json"
        self._lock = self.data / "lock"
        self._requests = self.data / "requests"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one that runs here. Raises Held."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Held(
                    f"A Meridian runs on {self.data} already; stop it with `python -m reference_impl down`, "
                    "or choose another --data."
                ) from None
            self._state.unlink(missing_ok=True)
            shutil.rmtree(self._requests, ignore_errors=True)
            self._requests.mkdir()
            try:
                yield
            finally:
                self._state.unlink(missing_ok=True)

    def write(self, state: PlatformState) -> None:
        """Tell everybody how it stands."""
        half = self._state.with_suffix(".half")
        half.write_text(state.model_dump_json(indent=1))
        half.replace(self._state)

    def read(self) -> PlatformState | None:
        """How it stands, or None when nothing runs here."""
        try:
            with self._lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except BlockingIOError:
            pass
        except OSError:
            return None
        try:
            return PlatformState.model_validate_json(self._state.read_text())
        except (OSError, ValidationError):
            return None  # it holds the directory and has not told anything yet, or has just ended

    def database_url(self) -> str | None:
        """The PostgreSQL server that the platform on this directory has started for itself; None when it has none."""
        running = self.read()
        part = next((item for item in running.processes if item.name == "postgres"), None) if running else None
        try:
            password = (self.data / "postgres" / "password").read_text().strip()
        except OSError:
            return None
        return f"postgresql://meridian:{password}@{part.detail}" if part and part.detail else None

    def ask_restart(self, service: str) -> None:
        """Ask the supervisor to restart a service."""
        (self._requests / service).touch()

    def restart_asked(self, service: str) -> bool:
        """Whether somebody asked for it since the last look."""
        try:
            (self._requests / service).unlink()
        except FileNotFoundError:
            return False
        return True

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.logs / f"{name}.log"

    def trim_logs(self) -> None:
        """Move logs that became too large aside; processes append, so they go on in the emptied file."""
        for file in self.logs.glob("*.log"):
            if file.stat().st_size > LARGEST_LOG_BYTES:
                shutil.copyfile(file, file.with_suffix(".log.1"))
                os.truncate(file, 0)
