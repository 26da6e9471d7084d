"""What an operator can do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from portal.errors import NotFound
from portal.features.admin import queries
from portal.models import EndReason, LabSession, SessionState


class OperatorService:
    """An operator's acts in one database session; the caller tells the worker once they are committed."""

    def __init__(self, db: Session) -> None:
        self.db = db

    def stop_session(self, session_id: int) -> LabSession:
        """Ask for the end of somebody's session; their files stay. Raises NotFound when it is not open any more."""
        session = queries.open_session(self.db, session_id)
        if session is None:
            raise NotFound("This session has ended already.")
        # Conditional: the learner, or the session's end, may be quicker.
        result: CursorResult[Any] = self.db.execute(  # type: ignore[assignment]
            update(LabSession)
            .where(
                LabSession.id == session_id, LabSession.state.in_([SessionState.STARTING, SessionState.READY])
            )
            .values(
                state=SessionState.STOPPING,
                end_reason=EndReason.OPERATOR,
                detail="An administrator stopped this session. Your files are kept: launch the lab again to go on.",
            )
        )
        if result.rowcount != 1:
            raise NotFound("This session has ended already, or has no sandbox yet.")
        return session
