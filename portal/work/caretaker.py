"""The caretaker: a loop in the worker that lets no work get lost.

Rows say what is to be done; messages only say that now is the time. So whatever the queue lost, or a dead worker left half done,
is found here by its row and asked for again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from portal.jobs import Jobs
from portal.models import (
    LabSession,
    SessionState,
    Submission,
    SubmissionState,
    WorkerStatus,
    utcnow,
)
from portal.work import places
from portal.work.context import WorkContext
from portal.work.launching import ended_because, fail_ended_session, services_of
from portal.work.reaping import end_wedged_starts, reap
from portal.work.watching import end_expired_sessions, end_idle_sessions, end_if_too_full, look_at_use
from sandboxes.interface import SandboxError, SandboxState

log = structlog.get_logger("worker")
LOST_AFTER = timedelta(seconds=5)
"""A row that nobody claimed for this long: its message was lost."""
STATUS_EVERY = 3.0
TELL_EVERY = 5.0
MINUTE = 60.0


class Round:
    """Something to be done every so often."""

    def __init__(self, action: Callable[[], None], every: float, first: float = 0.0) -> None:
        self._action = action
        self._every = every
        self._next = time.monotonic() + first

    def run(self, now: float) -> None:
        """Do it when it is due; it counts as done even when it raises."""
        if now >= self._next:
            self._next = now + self._every
            self._action()


class Loop(threading.Thread):
    """Does its rounds, once a second those that are due, until stopped."""

    def __init__(self, name: str, rounds: Sequence[Round]) -> None:
        super().__init__(name=name, daemon=True)
        self._rounds = rounds
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(1.0):
            self.tend()

    def stop(self) -> None:
        """End the loop."""
        self._stopping.set()

    def tend(self) -> None:
        """Everything that is due; what fails is tried again, and keeps nothing else from being done."""
        for each in self._rounds:
            if self._stopping.is_set():
                return
            try:
                each.run(time.monotonic())
            except (SQLAlchemyError, SandboxError) as error:
                log.warning("caretaker will try again", error=str(error))
            except Exception as error:
                log.exception("caretaker will try again", exc_info=error)


class Caretaker:
    """Two loops: one for what must be prompt, one for what waits for sandboxes and disks, which learners can make slow."""

    def __init__(self, context: WorkContext, jobs: Jobs) -> None:
        self.context = context
        self.jobs = jobs
        self._asked: dict[tuple[str, int], float] = {}
        prompt = [
            Round(self.tell, TELL_EVERY),
            Round(self.admit, 0.0),
            Round(self.find_lost_work, 0.0),
            Round(lambda: end_expired_sessions(context), 0.0),
            Round(self.refresh_sessions, STATUS_EVERY),
            Round(self.keep_warm, STATUS_EVERY),
            Round(lambda: end_wedged_starts(context), STATUS_EVERY),
            Round(lambda: places.forget_the_patient(context), MINUTE),
        ]
        patient = [
            Round(lambda: look_at_use(context), MINUTE, first=MINUTE),
            Round(lambda: end_idle_sessions(context), 5.0),
            Round(self.reap, MINUTE, first=MINUTE),
            Round(self.prune, MINUTE),
        ]
        self._loops = (Loop("caretaker", prompt), Loop("watcher", patient))

    def start(self) -> None:
        """Begin both loops."""
        for loop in self._loops:
            loop.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End both loops and wait for them, each for at most `timeout` seconds."""
        for loop in self._loops:
            loop.stop()
        for loop in self._loops:
            loop.join(timeout)

    def keep_warm(self) -> None:
        """Have the pool keep ready what is in use now."""
        if self.context.warming is not None:
            self.context.warming.refresh()

    def prune(self) -> None:
        """Remove what learners reset long ago."""
        settings = self.context.settings
        removed = self.context.workspaces.files.prune(utcnow(), settings.reset_kept_days)
        if removed:
            log.info("removed reset files that were kept long enough", workspaces=removed)

    def reap(self) -> None:
        """End and remove what nobody is left for."""
        reap(self.context)

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
                    places=places.site_places(self.context.settings),
                    heartbeat_at=utcnow(),
                )
            )

    def find_lost_work(self) -> None:
        """Ask again for launches, stops and gradings that nobody works on."""
        now = utcnow()
        stale = now - timedelta(seconds=self.context.settings.stale_seconds)
        with self.context.database.transaction() as db:
            launches = db.scalars(
                select(LabSession.id).where(
                    LabSession.state == SessionState.STARTING,
                    or_(
                        LabSession.run_token.is_(None)
                        & (func.coalesce(LabSession.admitted_at, LabSession.requested_at) < now - LOST_AFTER),
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

    def admit(self) -> None:
        """Give free places to the oldest in the queue."""
        for session_id in places.admit(self.context):
            self._ask("launch", session_id)

    def refresh_sessions(self) -> None:
        """Write the state of each running sandbox's services; find those that ended by themselves."""
        if self.context.driver is None:
            return
        with self.context.database.transaction() as db:
            ready = db.scalars(select(LabSession).where(LabSession.state == SessionState.READY)).all()
        for session in ready:
            sandbox = self.context.driver.find(session.sandbox_id)
            status = sandbox.status() if sandbox is not None else None
            if sandbox is None or status is None or status.state in (SandboxState.STOPPED, SandboxState.FAILED):
                if not end_if_too_full(self.context, session):  # a driver may end those by itself
                    why = ended_because(status.detail if status is not None else "")
                    text = sandbox.log() if sandbox is not None else ""
                    fail_ended_session(self.context, session.id, text, why)
                if sandbox is not None:
                    sandbox.stop()
                continue
            services = services_of(status)
            if services != session.services:
                with self.context.database.transaction() as db:
                    row = db.get(LabSession, session.id)
                    if row is not None:
                        row.services = services

    def _ask(self, name: str, row_id: int) -> None:
        """Enqueue, but not again while the last request may still be waiting in the queue."""
        now = time.monotonic()
        if now - self._asked.get((name, row_id), -1e9) < LOST_AFTER.total_seconds():
            return
        self._asked = {key: at for key, at in self._asked.items() if now - at < 600}
        self._asked[(name, row_id)] = now
        getattr(self.jobs, name)(row_id)
