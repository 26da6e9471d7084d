"""What one learner did in one lab, read once while nothing of it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.features.lab_sessions import queries
from portal.kept import kept
from portal.models import OPEN_STATES, PENDING_STATES, LabSession, Submission


@dataclass(frozen=True)
class Facts:
    """What one learner did in one lab. The rows belong to no database session."""

    session: LabSession | None
    """The newest."""
    attempts: Sequence[Submission]
    hints: Mapping[str, int]
    passed: set[str]

    @property
    def is_moving(self) -> bool:
        """Whether something is open or being graded, so that the page changes by itself."""
        is_open = self.session is not None and self.session.state in OPEN_STATES
        return is_open or any(attempt.state in PENDING_STATES for attempt in self.attempts)


def facts_of(db: Session, user_id: int, lab: Lab) -> Facts:
    """What this learner did in the lab; read again when something was written since."""

    def read() -> Facts:
        found = Facts(
            queries.newest_session(db, user_id, lab.id),
            queries.attempts(db, user_id, lab.id),
            queries.hints_used(db, user_id, lab.id),
            queries.submitted_tasks(db, user_id, lab.id),
        )
        for row in (found.session, *found.attempts):  # an attempt's results go with it
            if row is not None:
                db.expunge(row)
        return found

    return kept(db, user_id, ("lab", lab.id), read, lambda found: 4_000 + 20_000 * len(found.attempts))
