"""The log of weekly commitments."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class CommitmentEntry(Base):
    """One time that a learner kept a weekly commitment."""

    __tablename__ = "commitment_entries"
    __table_args__ = (Index("ix_commitment_entries_user_id_day", "user_id", "day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    commitment_id: Mapped[str] = mapped_column(String(80))
    day: Mapped[date] = mapped_column(Date)
    note: Mapped[str] = mapped_column(String(500), default="")
    link: Mapped[str] = mapped_column(String(500), default="")
    """An https address, or empty."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
