"""What an operator can do."""

from __future__ import annotations

from sqlalchemy.orm import Session

from portal.errors import NotFound
from portal.features.admin import queries
from portal.models import LabSession, SessionState


class OperatorService:
    """An operator's acts in one database session; the caller tells the worker once they are committed."""

    def __init__(self, db: Session) -> None:
        self.db = db

    def stop_session(self, session_id: int) -> LabSession:
        """Ask for the end of somebody's session; their files stay. Raises NotFound when it is not open any more."""
        session = queries.open_session(self.db, session_id)
        if session is None:
            raise NotFound("This session has ended already.")
        session.state = SessionState.STOPPING
        session.detail = (
            "An administrator stopped this session. Your files are kept: launch the lab again to go on."
        )
        return session
