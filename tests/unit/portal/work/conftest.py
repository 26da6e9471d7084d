"""A worker's context over a driver of fakes, whose use a test sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from portal.content import Content, ContentSource
from portal.database import Database
from portal.models import LabSession
from portal.settings import Settings
from portal.work.context import WorkContext
from portal.work.workspaces import Workspaces
from sandboxes.interface import Activity, ProgressListener, Sandbox, SandboxError, SandboxSpec
from tests.unit.labs.fake_driver import FakeDriver, FakeSandbox


class UsedSandbox(FakeSandbox):
    """A fake whose learner does what the test says."""

    used: Activity | None = None
    asked = 0

    def activity(self) -> Activity | None:
        self.asked += 1
        return self.used

    def use(self, last: datetime, *, busy: bool = False, connections: int = 1) -> None:
        """From now on it says this of its use."""
        self.used = Activity(last, busy, connections)


class UsedDriver(FakeDriver):
    """Starts them, notes what it was asked to keep, and can hand out sandboxes with ids of their own, as a pool does."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[set[str], float]] = []
        self.room: list[int] = []
        self.settled: list[tuple[Path, bool]] = []
        """What was settled, and whether it was there."""
        self.settle_error: SandboxError | None = None
        self.pooled: SandboxSpec | None = None

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        if self.start_error is not None:
            raise self.start_error
        if self.pooled is not None:
            spec = SandboxSpec(spec.workspace, labels=spec.labels)
            self.pooled = spec
        sandbox = UsedSandbox(spec, self)
        sandbox.web_path = f"/s/{spec.sandbox_id}/{spec.access_token}/"
        self.sandboxes.append(sandbox)
        return sandbox

    def run_for(self, row: LabSession, labels: Mapping[str, str] | None = None) -> UsedSandbox:
        """A sandbox that runs for this row."""
        spec = SandboxSpec(Path("/nonexistent"), sandbox_id=row.sandbox_id, labels=labels or {})
        sandbox = UsedSandbox(spec, self)
        self.sandboxes.append(sandbox)
        return sandbox

    def settle(self, below: Path) -> None:
        self.settled.append((below, below.exists()))
        if self.settle_error is not None:
            raise self.settle_error

    def make_room(self, most: int) -> None:
        self.room.append(most)

    def reap(self, keep: object, grace_seconds: float = 0.0) -> list[str]:
        self.kept.append((set(keep), grace_seconds))  # type: ignore[call-overload]
        return []


@pytest.fixture
def used_driver() -> UsedDriver:
    return UsedDriver()


@pytest.fixture
def site(settings: Settings, database: Database, content: Content, used_driver: UsedDriver) -> WorkContext:
    """The context of a worker of this site."""
    return WorkContext(
        settings=settings,
        database=database,
        source=ContentSource(content),
        driver=used_driver,
        driver_reason="for the test",
        workspaces=Workspaces(settings.workspaces_dir),
    )
