"""Lab sessions."""

from __future__ import annotations

import secrets

from sqlalchemy.orm import Session

from portal.models import LabSession, SessionState, User


def lab_session(
    db: Session,
    user: User,
    *,
    lab_id: str = "never-oversell",
    state: SessionState = SessionState.READY,
    **columns: object,
) -> LabSession:
    """A session of this learner."""
    made = LabSession(
        user_id=user.id,
        lab_id=lab_id,
        state=state,
        sandbox_id=secrets.token_hex(6),
        access_token=secrets.token_urlsafe(32),
        services=[],
        **columns,
    )
    db.add(made)
    db.flush()
    return made
