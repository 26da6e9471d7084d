"""A learner's time in a lab: one sandbox, from the click on Launch to its end."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class SessionState(StrEnum):
    """QUEUED ─► STARTING ─► READY ─► STOPPING ─► STOPPED; FAILED from any that has a place; QUEUED ─► STOPPED when it is left."""

    QUEUED = "queued"
    """Waits for one of the site's places; has no sandbox yet."""
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class EndReason(StrEnum):
    """Why a session is STOPPING or STOPPED."""

    UNKNOWN = ""
    """Ended before reasons were recorded, or not ended."""
    LEARNER = "learner"
    """They pressed Stop, or left the queue."""
    EXPIRED = "expired"
    IDLE = "idle"
    QUOTA = "quota"
    """Their files took far more room than they may."""
    PORTAL = "portal"
    """The portal was stopped."""
    WAITED = "waited"
    """It stood in the queue for too long."""
    OPERATOR = "operator"
    """An administrator stopped it."""
    RESET = "reset"
    """No session at all: the row notes that the files were reset, or brought back."""


PLACE_STATES = (SessionState.STARTING, SessionState.READY, SessionState.STOPPING)
"""Each of these holds one of the site's places."""
OPEN_STATES = (SessionState.QUEUED, *PLACE_STATES)
_OPEN_SQL = "state IN ('queued', 'starting', 'ready', 'stopping')"


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
        Index("ix_lab_sessions_user_id_lab_id", "user_id", "lab_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    lab_id: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16), default=SessionState.QUEUED)
    phase: Mapped[str] = mapped_column(String(40), default="waiting for the worker")
    """What the start is busy with, in the learner's words."""
    detail: Mapped[str] = mapped_column(String(500), default="")
    log: Mapped[str] = mapped_column(Text, default="", deferred=True)
    """The last lines of the sandbox's log; filled when it failed."""
    driver: Mapped[str] = mapped_column(String(16), default="")
    sandbox_id: Mapped[str] = mapped_column(String(32), unique=True)
    """Chosen with the row, so that a sandbox whose launch was interrupted can be found by it; one from a pool has its own,
    which is written here with READY."""
    access_token: Mapped[str] = mapped_column(String(64))
    """The secret in the sandbox's address."""
    services: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{name, state, detail}], as the sandbox said last."""
    run_token: Mapped[str | None] = mapped_column(String(32))
    """Which launch attempt owns the row; a launch that lost it must not touch the row."""
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    """The order of the queue."""
    admitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it got its place."""
    ready_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    extensions: Mapped[int] = mapped_column(default=0)
    """How often the learner put the end off."""
    last_active_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the learner was last seen to do something: by Jupyter, or by a button on the page."""
    end_reason: Mapped[str] = mapped_column(String(16), default=EndReason.UNKNOWN)
    usage_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """What the workspace takes, as it was measured last; None before that."""
    usage_files: Mapped[int | None]
    usage_at_start: Mapped[int | None] = mapped_column(BigInteger)
    """`usage_bytes` when the sandbox became READY: who starts with too much is let in to tidy up."""
