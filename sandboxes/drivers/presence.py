"""Who works on a run directory: each worker keeps a note there, by which others tell what is under way from what is dead.

workers/<instance>.json    {"instance", "identity", "driver", "started_at", "heartbeat_at"}, times in seconds since 1970
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sandboxes.drivers.processes import identity, lives
from sandboxes.drivers.run_dir import RunDirectory, write_document

FOLDER = "workers"
SILENT_SECONDS = 60.0
"""After which a worker of another container, whose process can't be seen from here, is taken for dead."""
NOTE_BYTES = 4_096
WORKERS = 100


@dataclass(frozen=True)
class Worker:
    """One worker process, as it noted itself."""

    instance: str
    """The label `instance` of its sandboxes."""
    identity: str
    driver: str
    started_at: float
    heartbeat_at: float

    @property
    def pid(self) -> int:
        """Its process id; 0 for a note that makes no sense."""
        number = self.identity.split("/")[1:2]
        return int(number[0]) if number and number[0].isdigit() else 0

    def alive(self) -> bool:
        """Whether it still runs."""
        told = lives(self.identity)
        return time.time() - self.heartbeat_at < SILENT_SECONDS if told is None else told


def announce(run_dir: Path, instance: str, driver: str, started_at: float) -> None:
    """Say that this process is the worker of an instance; to be said again every few seconds.

    Raises OSError, DriverUnavailable.
    """
    RunDirectory(run_dir).prepare()
    folder = run_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    note = Worker(instance, identity(), driver, started_at, time.time())
    write_document(folder / f"{instance}.json", asdict(note))


def leave(run_dir: Path, instance: str) -> None:
    """Take the note back, at a clean end."""
    (run_dir / FOLDER / f"{instance}.json").unlink(missing_ok=True)


def living_workers(run_dir: Path) -> list[Worker]:
    """The workers that run now on this run directory."""
    return recent_workers(run_dir, 0.0)


def recent_workers(run_dir: Path, seconds: float) -> list[Worker]:
    """The workers that run now, and those that ended without a word less than `seconds` ago: they may be coming back."""
    found = []
    for path in sorted((run_dir / FOLDER).glob("*.json"))[:WORKERS]:
        worker = _read(path)
        if worker is not None and (worker.alive() or time.time() - worker.heartbeat_at < seconds):
            found.append(worker)
    return found


def _read(path: Path) -> Worker | None:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(NOTE_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(document, Mapping):
        return None
    try:
        return Worker(
            instance=str(document["instance"]),
            identity=str(document["identity"]),
            driver=str(document["driver"]),
            started_at=float(document["started_at"]),
            heartbeat_at=float(document["heartbeat_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
