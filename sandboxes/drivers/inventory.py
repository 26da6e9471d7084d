"""What runs now, with whose it is, since when and what it uses: for operators. Nothing in it opens a sandbox."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from sandboxes.drivers.presence import Worker
from sandboxes.drivers.processes import lives
from sandboxes.drivers.run_dir import RunDirectory
from sandboxes.interface import Driver, SandboxError, SandboxState

THREADS = 4
SECONDS = 15.0


@dataclass(frozen=True)
class Running:
    """One sandbox that runs."""

    id: str
    driver: str
    purpose: str
    """`session`, `grading` or whatever its labels say; `waiting` for a blank one, empty when unknown."""
    state: str
    """A state of `SandboxState`; `unknown` when there was no time to ask."""
    labels: Mapping[str, str] = field(default_factory=dict)
    blank: bool = False
    started_at: float | None = None
    """In seconds since 1970; None when its record is lost."""
    memory_bytes: int | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    """Service → state."""

    @property
    def age_seconds(self) -> float | None:
        """How long ago its start began."""
        return max(0.0, time.time() - self.started_at) if self.started_at else None


def inventory(driver: Driver, run_dir: Path, seconds: float = SECONDS) -> list[Running]:
    """What runs by a driver, oldest first; within `seconds`, even when some sandboxes do not answer. Raises DriverUnavailable."""
    running = driver.running()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="inventory")
    asked = {
        sandbox_id: pool.submit(_look, driver, run_dir, sandbox_id, labels) for sandbox_id, labels in running
    }
    wait(asked.values(), timeout=seconds)
    pool.shutdown(wait=False, cancel_futures=True)
    found: list[Running] = []
    for sandbox_id, labels in running:
        future = asked[sandbox_id]
        if not future.done() or future.cancelled():
            found.append(Running(sandbox_id, driver.name, labels.get("purpose", ""), "unknown", dict(labels)))
        elif (seen := _result(future)) is not None:
            found.append(seen)
    return sorted(found, key=lambda one: (one.started_at or 0.0, one.id))


def kept(
    run_dir: Path, running: Collection[tuple[str, Mapping[str, str]]], workers: Collection[Worker]
) -> list[str]:
    """Which of the running sandboxes belong to somebody who lives: a worker's instance, or the process that started it."""
    records = RunDirectory(run_dir)
    instances = {worker.instance for worker in workers}
    found = []
    for sandbox_id, labels in running:
        record = records.record(sandbox_id)
        starter = lives(record.starter) if record is not None else False
        # Of a starter that can't be seen from here only its worker's note could tell that it lives.
        if labels.get("instance") in instances or starter:
            found.append(sandbox_id)
    return found


def _result(future: Future[Running | None]) -> Running | None:
    try:
        return future.result()
    except SandboxError:
        return None  # it ended while it was looked at, or the engine did


def _look(driver: Driver, run_dir: Path, sandbox_id: str, labels: Mapping[str, str]) -> Running | None:
    sandbox = driver.find(sandbox_id)
    if sandbox is None:
        return None  # it ended meanwhile
    record = RunDirectory(run_dir).record(sandbox_id)
    blank = record is not None and record.blank
    status = sandbox.status()
    state = status.state
    if state is SandboxState.STOPPED and record is not None:
        return None
    return Running(
        id=sandbox_id,
        driver=driver.name,
        purpose="waiting" if blank else labels.get("purpose", ""),
        state=str(state) if record is not None else "orphan",
        labels=dict(labels),
        blank=blank,
        started_at=(record.started_at or None) if record is not None else None,
        memory_bytes=sandbox.memory_bytes(),
        # The names are the record's: what the status calls them may be the learner's words.
        services={
            service.name: str(service.state)
            for service in status.services
            if record is not None and service.name in record.services
        },
    )
