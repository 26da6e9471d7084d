"""What learners leave in lessons: how far they read, and private notes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class LessonMark(Base):
    """A reading position, a note, or both, of one learner in one lesson. Nobody else sees it."""

    __tablename__ = "lesson_marks"
    __table_args__ = (Index("ix_lesson_marks_user_id_seen_at", "user_id", "seen_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    lesson_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    heading: Mapped[str] = mapped_column(String(120), default="")
    """The anchor of the section that was read last; empty before the first one."""
    percent: Mapped[int] = mapped_column(default=0)
    """How much of the page was above the lower edge of the window, at the most recent look."""
    note: Mapped[str] = mapped_column(Text, default="")
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    noted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
