"""What a learner can ask of a lab."""

from __future__ import annotations

import secrets

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.errors import Conflict, Invalid, NotFound
from portal.features.lab_sessions import queries
from portal.models import HintUse, LabSession, SessionState, Submission, SubmissionKind, SubmissionState, utcnow
from portal.settings import Settings

SEEDS = 2**31


class LabSessionService:
    """Lab sessions of one database session. It writes rows; the caller tells the worker once they are committed."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    def launch(self, user_id: int, lab: Lab) -> tuple[LabSession, bool]:
        """The learner's open session in the lab and whether it is new. Raises Conflict at the cap."""
        existing = queries.open_session(self.db, user_id, lab.id)
        if existing is not None:
            return existing, False
        if queries.count_open_sessions(self.db, user_id) >= self.settings.sessions_per_learner:
            raise Conflict(
                f"You have {self.settings.sessions_per_learner} labs open, which is as many as one person can have here. "
                "Stop one of them; its files are kept."
            )
        session = LabSession(
            user_id=user_id,
            lab_id=lab.id,
            state=SessionState.STARTING,
            sandbox_id=secrets.token_hex(6),
            access_token=secrets.token_urlsafe(32),
            services=[{"name": name, "state": "starting", "detail": ""} for name in lab.services],
        )
        try:
            with self.db.begin_nested():
                self.db.add(session)
        except IntegrityError:  # two clicks at once: the other one made it
            other = queries.open_session(self.db, user_id, lab.id)
            if other is None:
                raise
            return other, False
        return session, True

    def stop(self, user_id: int, lab: Lab) -> LabSession | None:
        """Ask for the end of the learner's session in the lab; None when there is none."""
        session = queries.open_session(self.db, user_id, lab.id)
        if session is not None:
            session.state = SessionState.STOPPING
        return session

    def request_grading(self, user_id: int, lab: Lab, kind: SubmissionKind) -> Submission:
        """Hand in the notebook as it is saved now. Raises Conflict while another one is being graded, Invalid without one."""
        if queries.newest_session(self.db, user_id, lab.id) is None:
            raise Invalid("There is nothing to grade yet: launch the lab first.")
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
