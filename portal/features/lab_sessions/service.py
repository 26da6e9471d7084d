"""What a learner can ask of a lab."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.errors import Conflict, Invalid, NotFound, Unavailable
from portal.features.lab_sessions import queries
from portal.models import (
    EndReason,
    HintUse,
    LabSession,
    SessionState,
    Submission,
    SubmissionKind,
    SubmissionState,
    utcnow,
)
from portal.settings import Settings

SEEDS = 2**31
QUEUE_LIMIT = 200
"""How many launches may wait for a place."""


class LabSessionService:
    """Lab sessions of one database session. It writes rows; the caller tells the worker once they are committed."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    def launch(self, user_id: int, lab: Lab) -> tuple[LabSession, bool]:
        """The learner's open session in the lab and whether it is new. It waits for its place; the worker gives places.

        Raises Conflict at the learner's cap, Unavailable when the queue is full.
        """
        existing = queries.open_session(self.db, user_id, lab.id)
        if existing is not None:
            return existing, False
        if queries.count_open_sessions(self.db, user_id) >= self.settings.sessions_per_learner:
            raise Conflict(
                f"You have {self.settings.sessions_per_learner} labs open, which is as many as one person can have here. "
                "Stop one of them; its files are kept. One that waits in the queue counts too."
            )
        if queries.count_queued(self.db) >= QUEUE_LIMIT:
            raise Unavailable(
                f"All places are taken, and {QUEUE_LIMIT} launches wait already. Try again later; your files are kept."
            )
        session = new_session(user_id, lab, SessionState.QUEUED)
        session.services = [{"name": name, "state": "starting", "detail": ""} for name in lab.services]
        try:
            with self.db.begin_nested():
                self.db.add(session)
        except IntegrityError:  # two clicks at once: the other one made it
            other = queries.open_session(self.db, user_id, lab.id)
            if other is None:
                raise
            return other, False
        return session, True

    def stop(self, user_id: int, lab: Lab) -> tuple[LabSession | None, bool]:
        """End the learner's session in the lab, or leave the queue; the session, and whether there is a sandbox to stop."""
        session = queries.open_session(self.db, user_id, lab.id)
        if session is None:
            return None, False
        now = utcnow()
        left = {"state": SessionState.STOPPED, "end_reason": EndReason.LEARNER, "ended_at": now}
        if self._write(session, LabSession.state == SessionState.QUEUED, **left):
            return session, False
        # Not in the queue, or out of it a moment ago: what ended meanwhile for another reason keeps that.
        asked = {"state": SessionState.STOPPING, "end_reason": EndReason.LEARNER}
        self._write(session, LabSession.state.in_([SessionState.STARTING, SessionState.READY]), **asked)
        return session, session.state == SessionState.STOPPING

    def extend(self, user_id: int, lab: Lab, used: int | None) -> None:
        """Put off the end of the learner's running session.

        `used` is how many extensions the page knew of, so that a second click does nothing. Raises Conflict when there is no
        running session or no extension left.
        """
        session = self._running(user_id, lab)
        if session.extensions >= self.settings.session_extensions:
            raise Conflict(
                "No extension is left. Your files are kept: launch the lab again after the end to go on."
            )
        if used is not None and used != session.extensions:
            return
        now = utcnow()
        self._write(
            session,
            LabSession.state == SessionState.READY,
            LabSession.extensions == session.extensions,
            extensions=session.extensions + 1,
            expires_at=(session.expires_at or now) + timedelta(minutes=self.settings.session_extension_minutes),
            last_active_at=now,
        )

    def still_here(self, user_id: int, lab: Lab) -> None:
        """Begin the idle limit of the learner's running session anew. Raises Conflict when there is none."""
        self._write(
            self._running(user_id, lab), LabSession.state == SessionState.READY, last_active_at=utcnow()
        )

    def request_grading(self, user_id: int, lab: Lab, kind: SubmissionKind) -> Submission:
        """Hand in the notebook as it is saved now. Raises Conflict while another one is being graded, Invalid without one."""
        session = queries.newest_session(self.db, user_id, lab.id)
        if session is None:
            raise Invalid("There is nothing to grade yet: launch the lab first.")
        if session.state == SessionState.READY:
            self._write(session, LabSession.state == SessionState.READY, last_active_at=utcnow())
        submission = Submission(
            user_id=user_id,
            lab_id=lab.id,
            kind=kind,
            state=SubmissionState.QUEUED,
            seed=secrets.randbelow(SEEDS),
            content_hash=lab.content_hash,
            max_score=lab.max_score,
        )
        try:
            with self.db.begin_nested():
                self.db.add(submission)
        except IntegrityError:
            raise Conflict(
                "Your last check or submission is still being graded. Wait for its result."
            ) from None
        return submission

    def reveal_hint(self, user_id: int, lab: Lab, task_id: str, number: int) -> None:
        """Record that the learner opened a hint. Hints open in order. Raises NotFound, Conflict."""
        task = next((t for t in lab.tasks if t.id == task_id), None)
        if task is None or not 1 <= number <= len(task.hints):
            raise NotFound("There is no such hint.")
        used = queries.hints_used(self.db, user_id, lab.id).get(task_id, 0)
        if number > used + 1:
            raise Conflict("Hints open one after the other, from a nudge to nearly the code.")
        if number == used + 1:
            try:
                with self.db.begin_nested():
                    self.db.add(
                        HintUse(
                            user_id=user_id, lab_id=lab.id, task_id=task_id, number=number, created_at=utcnow()
                        )
                    )
            except IntegrityError:
                return

    def _running(self, user_id: int, lab: Lab) -> LabSession:
        session = queries.open_session(self.db, user_id, lab.id)
        if session is None or session.state != SessionState.READY:
            raise Conflict("The sandbox is not running any more. Your files are kept: launch the lab again.")
        return session

    def _write(self, session: LabSession, *conditions: ColumnElement[bool], **values: Any) -> bool:
        """Set columns if the row is still as expected (the worker writes to it too); whether it was."""
        result: CursorResult[Any] = self.db.execute(  # type: ignore[assignment]
            update(LabSession)
            .where(LabSession.id == session.id, *conditions)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        self.db.refresh(session)
        return result.rowcount == 1


def new_session(user_id: int, lab: Lab, state: SessionState) -> LabSession:
    """A row with secrets of its own."""
    return LabSession(
        user_id=user_id,
        lab_id=lab.id,
        state=state,
        sandbox_id=secrets.token_hex(6),
        access_token=secrets.token_urlsafe(32),
        services=[],
    )
