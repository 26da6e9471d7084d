"""How a learner wants to practise."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base


class PracticeSetting(Base):
    """One learner's wishes; without a row the defaults hold."""

    __tablename__ = "practice_settings"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    retention: Mapped[float]
    """The share of questions that they want to know when these come due, 0.70 to 0.97."""
    session_length: Mapped[int]
    """How many questions a session has at most."""
