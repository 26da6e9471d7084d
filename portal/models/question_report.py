"""What learners say is wrong with questions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class ReportReason(StrEnum):
    """What sort of fault it is."""

    WRONG_ANSWER = "wrong-answer"
    UNCLEAR = "unclear"
    OUTDATED = "outdated"
    TYPING = "typing"
    LINK = "link"
    OTHER = "other"


class QuestionReport(Base):
    """One learner's complaint about one question, until an instructor closes it."""

    __tablename__ = "question_reports"
    __table_args__ = (
        Index("ix_question_reports_user_id_created_at", "user_id", "created_at"),
        Index("ix_question_reports_closed_at", "closed_at"),
        Index("ix_question_reports_question_id", "question_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    question_id: Mapped[str] = mapped_column(String(120))
    content_hash: Mapped[str] = mapped_column(String(64))
    """The version that the learner saw."""
    seed: Mapped[int]
    reason: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolution: Mapped[str] = mapped_column(Text, default="")
    """What the instructor did about it; for other instructors."""
