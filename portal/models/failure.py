"""What went wrong on our side, for the operator."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class Work(StrEnum):
    """What the worker was busy with."""

    LAUNCH = "launch"
    SESSION = "session"
    """A sandbox that ended by itself while a learner used it."""
    GRADING = "grading"
    PROGRAM = "program"
    """Running a learner's answer to a code question."""


class Failure(Base):
    """One launch, session or grading that failed; kept for a week."""

    __tablename__ = "failures"
    __table_args__ = (Index("ix_failures_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    work: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(40))
    """The short word of the error's class: few values, fit for counting."""
    message: Mapped[str] = mapped_column(String(300), default="")
    """What the learner was told."""
    lab_id: Mapped[str] = mapped_column(String(80), default="")
