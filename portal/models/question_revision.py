"""The texts that a question had, and what was done with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class QuestionAction(StrEnum):
    """What can be done with a question. The first ones make a new text."""

    TAKEN = "taken"
    """The text was there before, in the bank."""
    CREATED = "created"
    IMPORTED = "imported"
    SAVED = "saved"
    RESTORED = "restored"
    SENT = "sent"
    WITHDRAWN = "withdrawn"
    RETURNED = "returned"
    PUBLISHED = "published"
    RETIRED = "retired"
    BROUGHT_BACK = "brought back"


WRITING = frozenset(
    {QuestionAction.CREATED, QuestionAction.IMPORTED, QuestionAction.SAVED, QuestionAction.RESTORED}
)
"""Who does one of these is an author of the text."""


class QuestionRevision(Base):
    """One text that a question had."""

    __tablename__ = "question_revisions"

    authored_id: Mapped[int] = mapped_column(
        ForeignKey("authored_questions.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    """Counted from 1."""
    text: Mapped[str] = mapped_column(Text)
    text_hash: Mapped[str] = mapped_column(String(64))


class QuestionEvent(Base):
    """One thing that was done with a question."""

    __tablename__ = "question_events"
    __table_args__ = (Index(None, "authored_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    authored_id: Mapped[int] = mapped_column(ForeignKey("authored_questions.id", ondelete="CASCADE"))
    version: Mapped[int]
    """The text it was done with."""
    action: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
