"""Hints that learners opened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class HintUse(Base):
    """One hint of one task, opened by one learner; opening it again changes nothing."""

    __tablename__ = "hint_uses"
    __table_args__ = (UniqueConstraint("user_id", "lab_id", "task_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    lab_id: Mapped[str] = mapped_column(String(80))
    task_id: Mapped[str] = mapped_column(String(80))
    number: Mapped[int]
    """1 is the gentlest."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
