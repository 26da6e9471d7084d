"""A learner's time in a lab: one sandbox, from the click on Launch to its end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class SessionState(StrEnum):
    """STARTING ─► READY ─► STOPPING ─► STOPPED; FAILED from any of the first three."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


OPEN_STATES = (SessionState.STARTING, SessionState.READY, SessionState.STOPPING)
_OPEN_SQL = "state IN ('starting', 'ready', 'stopping')"


class LabSession(Base):
    """One sandbox of one learner. The row exists before the sandbox does and outlives it."""

    __tablename__ = "lab_sessions"
    __table_args__ = (
        Index(
            "uq_lab_sessions_open",
            "user_id",
            "lab_id",
            unique=True,
            sqlite_where=text(_OPEN_SQL),
            postgresql_where=text(_OPEN_SQL),
        ),
        Index("ix_lab_sessions_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    lab_id: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16), default=SessionState.STARTING)
    phase: Mapped[str] = mapped_column(String(40), default="waiting for the worker")
    """What the start is busy with, in the learner's words."""
    detail: Mapped[str] = mapped_column(String(500), default="")
    log: Mapped[str] = mapped_column(Text, default="", deferred=True)
    """The last lines of the sandbox's log; filled when it failed."""
    driver: Mapped[str] = mapped_column(String(16), default="")
    sandbox_id: Mapped[str] = mapped_column(String(32), unique=True)
    """Chosen with the row, so that a sandbox whose launch was interrupted can be found by it."""
    access_token: Mapped[str] = mapped_column(String(64))
    """The secret in the sandbox's address."""
    services: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{name, state, detail}], as the sandbox said last."""
    run_token: Mapped[str | None] = mapped_column(String(32))
    """Which launch attempt owns the row; a launch that lost it must not touch the row."""
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
