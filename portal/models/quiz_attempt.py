"""Quizzes that learners took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, UtcDateTime, utcnow


class QuizAttempt(Base):
    """One draw of questions for one learner; the seed fixes the questions and the order of their options."""

    __tablename__ = "quiz_attempts"
    __table_args__ = (Index("ix_quiz_attempts_user_id_module_id", "user_id", "module_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    module_id: Mapped[str] = mapped_column(String(80))
    seed: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    score: Mapped[float | None]
    """Mean of the fractions, 0 to 1; None until it is finished."""

    answers: Mapped[list[QuizAnswer]] = relationship(
        back_populates="attempt", lazy="raise", cascade="all, delete-orphan", order_by="QuizAnswer.position"
    )


class QuizAnswer(Base):
    """One question of one attempt, and what was answered."""

    __tablename__ = "quiz_answers"
    __table_args__ = (Index("ix_quiz_answers_question_id", "question_id"),)

    attempt_id: Mapped[int] = mapped_column(
        ForeignKey("quiz_attempts.id", ondelete="CASCADE"), primary_key=True
    )
    question_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    position: Mapped[int]
    content_hash: Mapped[str] = mapped_column(String(64))
    """Hash of the question's file when it was drawn."""
    given: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True, default=None)
    """What was answered, as the kind defines it; None when it was left out."""
    fraction: Mapped[float | None]
    correct: Mapped[bool | None]

    attempt: Mapped[QuizAttempt] = relationship(back_populates="answers", lazy="raise")
