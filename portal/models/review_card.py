"""What is known of a learner's memory of a question."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class ReviewCard(Base):
    """One question as one learner remembers it: made by the first answer, moved by each later one."""

    __tablename__ = "review_cards"
    __table_args__ = (Index("ix_review_cards_user_id_due", "user_id", "due"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    question_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    state: Mapped[int]
    step: Mapped[int | None]
    stability: Mapped[float]
    difficulty: Mapped[float]
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    last_review: Mapped[datetime] = mapped_column(UtcDateTime)
    reviews: Mapped[int] = mapped_column(default=0)
    lapses: Mapped[int] = mapped_column(default=0)
    """How often it was not known."""
    last_fraction: Mapped[float] = mapped_column(default=0.0)
    content_hash: Mapped[str] = mapped_column(String(64))
    """The version that was answered last."""
    first_fraction: Mapped[float]
    """What the first answer to that version earned: the only one that item statistics count."""
    first_right_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    right_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The first right answer on a later day of the learner's than the first of all."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
