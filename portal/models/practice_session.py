"""Practice: sessions of questions that are asked one at a time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, UtcDateTime, utcnow


class PracticeSource(StrEnum):
    """What the questions of a session were drawn by."""

    DUE = "due"
    TOPIC = "topic"
    MODULE = "module"
    TRACK = "track"
    LESSON = "lesson"
    WEAKNESS = "weakness"
    BOOKMARKS = "bookmarks"


class PracticeSession(Base):
    """One session of one learner. Its questions are drawn when it starts."""

    __tablename__ = "practice_sessions"
    __table_args__ = (Index("ix_practice_sessions_user_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    source: Mapped[str] = mapped_column(String(16))
    source_id: Mapped[str] = mapped_column(String(80), default="")
    """The id of the topic, module or track; empty for the other sources."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its last question was answered, or when the learner ended it."""

    answers: Mapped[list[PracticeAnswer]] = relationship(
        back_populates="session",
        lazy="raise",
        cascade="all, delete-orphan",
        order_by="PracticeAnswer.position",
    )


class PracticeAnswer(Base):
    """One question of a session, and what was answered. It is an attempt once `fraction` is set, and then never changes."""

    __tablename__ = "practice_answers"

    session_id: Mapped[int] = mapped_column(
        ForeignKey("practice_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 1."""
    question_id: Mapped[str] = mapped_column(String(120))
    content_hash: Mapped[str] = mapped_column(String(64))
    """Hash of the question's file when it was drawn, and again when it was graded."""
    seed: Mapped[int]
    """Gives the order of options, and the numbers of a parameterised question."""
    variant: Mapped[str] = mapped_column(String(80), default="")
    """Which variant the seed gives; empty for a question without parameters."""
    shown_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    given: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True, default=None)
    """What was answered, as the kind defines it; None while it is open, and when the learner passed."""
    given_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was handed in; an open answer still waits for the learner's own marks then."""
    seconds: Mapped[float | None]
    """From shown to handed in."""
    fraction: Mapped[float | None]
    """Earned, 0 to 1; None until it is graded or marked."""
    correct: Mapped[bool | None]
    rating: Mapped[int | None]
    """What the answer said about the memory: 1 again, 2 hard, 3 good, 4 easy."""

    session: Mapped[PracticeSession] = relationship(back_populates="answers", lazy="raise")
