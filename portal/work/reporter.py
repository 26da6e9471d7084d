"""The reporter: a thread of the worker that writes what it sees, for the operator's page and for Prometheus."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError

from portal.models import (
    OPEN_STATES,
    CodeRun,
    LabSession,
    RunState,
    SessionState,
    Submission,
    SubmissionState,
    WorkerStatus,
    utcnow,
)
from portal.reports import CheckLine, ChecksReport, PoolReport, SandboxesReport, SandboxLine
from portal.work import metrics
from portal.work.context import WorkContext
from portal.work.failures import forget_old_failures
from portal.work.reaping import GRACE_SECONDS, reap
from sandboxes.doctor import Surroundings, examine
from sandboxes.drivers import presence
from sandboxes.drivers.inventory import Running, inventory
from sandboxes.drivers.pool_note import read_pool_note
from sandboxes.interface import DriverUnavailable

log = structlog.get_logger("worker")
REPORT_EVERY = 10.0
EXAMINE_EVERY = 600.0


class Reporter(threading.Thread):
    """Reports every ten seconds, and examines the machine every ten minutes, until stopped."""

    def __init__(self, context: WorkContext) -> None:
        super().__init__(name="reporter", daemon=True)
        self.context = context
        self._stopping = threading.Event()
        self._started_at = time.time()
        self._reaped_at: datetime | None = None
        self._reaped = 0
        self._next_examination = 0.0
        self._examining = threading.Lock()
        self._reaping = threading.Lock()

    def run(self) -> None:
        while True:
            self._round()
            if self._stopping.wait(REPORT_EVERY):
                return

    def begin(self) -> None:
        """At the start: note that this worker lives, before it looks at anything. Never raises."""
        try:
            self.announce()
        except (DriverUnavailable, OSError) as error:
            log.warning("this worker could not be noted in the run directory", error=str(error))

    def stop(self) -> None:
        """End the loop, and take the worker's note back."""
        self._stopping.set()
        presence.leave(self.context.settings.run_dir, self.context.labels["instance"])

    def _round(self) -> None:
        try:
            self.announce()
            self.report()
            if time.monotonic() >= self._next_examination:
                self.examine()
                forget_old_failures(self.context)
        except (SQLAlchemyError, DriverUnavailable, OSError) as error:
            log.warning("reporter will try again", error=str(error))
        except Exception as error:
            log.exception("reporter will try again", exc_info=error)

    def announce(self) -> None:
        """Note in the run directory that this worker lives, so that nobody takes its sandboxes for dead.

        Raises OSError, DriverUnavailable.
        """
        driver = self.context.driver
        if driver is not None and not self._stopping.is_set():
            presence.announce(
                self.context.settings.run_dir, self.context.labels["instance"], driver.name, self._started_at
            )

    def report(self) -> None:
        """Write what runs and what waits. Raises DriverUnavailable, SQLAlchemyError."""
        driver, run_dir = self.context.driver, self.context.settings.run_dir
        running: list[Running] = []
        remains = 0
        if driver is not None:
            running = [one for one in inventory(driver, run_dir) if self._is_ours(one)]
            remains = len(driver.remains([key for key, _labels in driver.running()], GRACE_SECONDS))
        report = SandboxesReport.of(
            utcnow(),
            [_line(one) for one in running],
            remains=remains,
            reaped_at=self._reaped_at,
            reaped=self._reaped,
        )
        pool = self.pool()
        self._write(sandboxes=report.document(), pool=pool.document() if pool is not None else None)
        metrics.running((one.purpose for one in running), report.memory_bytes)
        metrics.waiting(self._waiting())

    def pool(self) -> PoolReport | None:
        """What this worker's pool says; None when it keeps none."""
        note = read_pool_note(self.context.settings.run_dir, self._started_at)
        try:
            return PoolReport.of_note(note) if note is not None else None
        except (TypeError, ValueError):
            return None

    def examine(self) -> None:
        """Examine the machine and write what was found, unless that is under way. Raises SQLAlchemyError."""
        if not self._examining.acquire(blocking=False):
            return
        try:
            self._next_examination = time.monotonic() + EXAMINE_EVERY
            settings = self.context.settings
            findings = examine(Surroundings(settings.run_dir, settings.workspaces_dir))
            lines = tuple(CheckLine(one.name, str(one.state), one.found, one.todo) for one in findings)
            self._write(checks=ChecksReport(utcnow(), lines).document())
        finally:
            self._examining.release()

    def reap(self) -> None:
        """End sandboxes that nobody is left for, and remove what a crash left, unless that is under way.

        Raises SandboxError, OSError, SQLAlchemyError.
        """
        if self.context.driver is None or not self._reaping.acquire(blocking=False):
            return
        try:
            self.announce()
            removed = reap(self.context, abandoned=True)
            self._reaped_at, self._reaped = utcnow(), len(removed)
            log.info("reaped on demand", sandboxes=removed)
        finally:
            self._reaping.release()
        self.report()

    def _is_ours(self, one: Running) -> bool:
        return one.labels.get("instance") in (None, self.context.labels["instance"])

    def _waiting(self) -> dict[str, int]:
        with self.context.database.transaction() as db:
            launches = db.scalar(
                select(func.count())
                .select_from(LabSession)
                .where(
                    LabSession.state.in_(OPEN_STATES),
                    LabSession.state.not_in([SessionState.READY, SessionState.STOPPING]),
                    LabSession.run_token.is_(None),
                )
            )
            gradings = db.scalar(
                select(func.count()).select_from(Submission).where(Submission.state == SubmissionState.QUEUED)
            )
            programs = db.scalar(
                select(func.count()).select_from(CodeRun).where(CodeRun.state == RunState.QUEUED)
            )
        return {"launch": launches or 0, "grading": gradings or 0, "program": programs or 0}

    def _write(self, **reports: Any) -> None:
        with self.context.database.transaction() as db:
            # The row is the caretaker's: before it made it, there is nobody to show this to.
            db.execute(update(WorkerStatus).where(WorkerStatus.id == 1).values(**reports))


def _line(one: Running) -> SandboxLine:
    session = one.labels.get("session", "")
    return SandboxLine(
        id=one.id,
        purpose=one.purpose,
        state=one.state,
        session=int(session) if session.isdigit() else None,
        lab=one.labels.get("lab", ""),
        started_at=one.started_at,
        memory_bytes=one.memory_bytes,
    )
