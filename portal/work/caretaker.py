"""The caretaker: a loop in the worker that lets no work get lost.

Rows say what is to be done; messages only say that now is the time. So whatever the queue lost, or a dead worker left half done,
is found here by its row and asked for again.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from portal.jobs import Jobs
from portal.models import (
    OPEN_STATES,
    LabSession,
    SessionState,
    Submission,
    SubmissionState,
    WorkerStatus,
    utcnow,
)
from portal.work.context import WorkContext
from portal.work.launching import fail_ended_session, services_of
from sandboxes.interface import SandboxState

log = structlog.get_logger("worker")
LOST_AFTER = timedelta(seconds=5)
"""A row that nobody claimed for this long: its message was lost."""
STATUS_EVERY = 3.0
TELL_EVERY = 5.0


class Caretaker(threading.Thread):
    """Runs `tend` every second until stopped."""

    def __init__(self, context: WorkContext, jobs: Jobs) -> None:
        super().__init__(name="caretaker", daemon=True)
        self.context = context
        self.jobs = jobs
        self._stopping = threading.Event()
        self._asked: dict[tuple[str, int], float] = {}
        self._next_status = 0.0
        self._next_tell = 0.0

    def run(self) -> None:
        while not self._stopping.wait(1.0):
            try:
                self.tend()
            except SQLAlchemyError as error:
                log.warning("caretaker will try again", error=str(error))
            except Exception as error:
                log.exception("caretaker will try again", exc_info=error)

    def stop(self) -> None:
        """End the loop."""
        self._stopping.set()

    def tend(self) -> None:
        """One round."""
        now = time.monotonic()
        if now >= self._next_tell:
            self._next_tell = now + TELL_EVERY
            self.tell()
        self.find_lost_work()
        self.end_expired_sessions()
        if now >= self._next_status:
            self._next_status = now + STATUS_EVERY
            self.refresh_sessions()
            if self.context.warming is not None:
                self.context.warming.refresh()

    def tell(self) -> None:
        """Write what this worker is, for the pages."""
        driver = self.context.driver
        with self.context.database.transaction() as db:
            db.merge(
                WorkerStatus(
                    id=1,
                    driver=driver.name if driver else "",
                    isolated=bool(driver and driver.isolated),
                    reason=self.context.driver_reason[:500],
                    heartbeat_at=utcnow(),
                )
            )

    def clean_up_after_crash(self) -> None:
        """At the start: end what a killed worker left running, and take up again what it was doing.

        One worker serves an instance, so nothing that a row claims can really be under way yet.
        """
        wanted: set[str] = set()
        with self.context.database.transaction() as db:
            for session in db.scalars(select(LabSession).where(LabSession.state.in_(OPEN_STATES))):
                if session.state == SessionState.READY:
                    wanted.add(session.sandbox_id)
                session.run_token = None
            for submission in db.scalars(select(Submission).where(Submission.state == SubmissionState.RUNNING)):
                submission.run_token = None
                submission.state = SubmissionState.QUEUED
        if self.context.driver is None:
            return
        for sandbox_id, labels in self.context.driver.running():
            if labels.get("instance") == self.context.labels["instance"] and sandbox_id not in wanted:
                orphan = self.context.driver.find(sandbox_id)
                if orphan is not None:
                    log.info("ending an orphan", sandbox=sandbox_id, purpose=labels.get("purpose"))
                    orphan.stop()

    def find_lost_work(self) -> None:
        """Ask again for launches, stops and gradings that nobody works on."""
        now = utcnow()
        stale = now - timedelta(seconds=self.context.settings.stale_seconds)
        with self.context.database.transaction() as db:
            launches = db.scalars(
                select(LabSession.id).where(
                    LabSession.state == SessionState.STARTING,
                    or_(
                        LabSession.run_token.is_(None) & (LabSession.requested_at < now - LOST_AFTER),
                        LabSession.heartbeat_at < stale,
                    ),
                )
            ).all()
            stops = db.scalars(select(LabSession.id).where(LabSession.state == SessionState.STOPPING)).all()
            gradings = db.scalars(
                select(Submission.id).where(
                    or_(
                        (Submission.state == SubmissionState.QUEUED)
                        & (Submission.created_at < now - LOST_AFTER),
                        (Submission.state == SubmissionState.RUNNING) & (Submission.heartbeat_at < stale),
                    )
                )
            ).all()
        for name, ids in (("launch", launches), ("stop", stops), ("grade", gradings)):
            for row_id in ids:
                self._ask(name, row_id)

    def end_expired_sessions(self) -> None:
        """Sessions whose time is over go to STOPPING."""
        with self.context.database.transaction() as db:
            expired = db.scalars(
                select(LabSession).where(
                    LabSession.state == SessionState.READY, LabSession.expires_at < utcnow()
                )
            ).all()
            for session in expired:
                session.state = SessionState.STOPPING
                session.detail = (
                    "The session's time was over. Your files are kept: launch the lab again to go on."
                )

    def refresh_sessions(self) -> None:
        """Write the state of each running sandbox's services; find those that ended by themselves."""
        if self.context.driver is None:
            return
        with self.context.database.transaction() as db:
            ready = db.execute(
                select(LabSession.id, LabSession.sandbox_id, LabSession.services).where(
                    LabSession.state == SessionState.READY
                )
            ).all()
        for session_id, sandbox_id, known in ready:
            sandbox = self.context.driver.find(sandbox_id)
            status = sandbox.status() if sandbox is not None else None
            if sandbox is None or status is None or status.state in (SandboxState.STOPPED, SandboxState.FAILED):
                fail_ended_session(self.context, session_id, sandbox.log() if sandbox is not None else "")
                if sandbox is not None:
                    sandbox.stop()
                continue
            services = services_of(status)
            if services != known:
                with self.context.database.transaction() as db:
                    row = db.get(LabSession, session_id)
                    if row is not None:
                        row.services = services

    def stop_everything(self) -> None:
        """At a clean end: stop this instance's sandboxes; sessions say that their files are kept."""
        if self.context.driver is not None:
            for sandbox_id, labels in self.context.driver.running():
                if labels.get("instance") == self.context.labels["instance"]:
                    sandbox = self.context.driver.find(sandbox_id)
                    if sandbox is not None:
                        sandbox.stop()
        with self.context.database.transaction() as db:
            for session in db.scalars(select(LabSession).where(LabSession.state.in_(OPEN_STATES))):
                session.state = SessionState.STOPPED
                session.ended_at = utcnow()

    def _ask(self, name: str, row_id: int) -> None:
        """Enqueue, but not again while the last request may still be waiting in the queue."""
        now = time.monotonic()
        if now - self._asked.get((name, row_id), -1e9) < LOST_AFTER.total_seconds():
            return
        self._asked = {key: at for key, at in self._asked.items() if now - at < 600}
        self._asked[(name, row_id)] = now
        getattr(self.jobs, name)(row_id)
