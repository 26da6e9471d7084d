"""Questions that instructors write in the browser."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class AuthoringState(StrEnum):
    """Where a question is on its way to learners."""

    DRAFT = "draft"
    REVIEW = "review"
    PUBLISHED = "published"
    RETIRED = "retired"


class AuthoredQuestion(Base):
    """A question as it is worked on. What learners see is the file that its live version was written to."""

    __tablename__ = "authored_questions"

    id: Mapped[int] = mapped_column(primary_key=True)
    question_id: Mapped[str] = mapped_column(String(80), unique=True)
    """The id in the file. It is for ever once the question was live."""
    state: Mapped[str] = mapped_column(String(16), default=AuthoringState.DRAFT)
    version: Mapped[int] = mapped_column(default=1)
    """The number of the newest text; a change is taken only by who saw that one."""
    text: Mapped[str] = mapped_column(Text)
    """The newest text of the file, front matter included."""
    text_hash: Mapped[str] = mapped_column(String(64))
    """Its digest, as attempts store it."""
    live_version: Mapped[int | None]
    """The version that learners see, or saw before the question was retired; None: never one of these."""
    due: Mapped[str] = mapped_column(String(16), default="")
    """What the bank's files still have to be told: `published`, `retired`, or nothing."""
    kind: Mapped[str] = mapped_column(String(40), default="")
    """Of the newest text, as far as it can be read; for lists. So are module and excerpt."""
    module: Mapped[str] = mapped_column(String(80), default="")
    excerpt: Mapped[str] = mapped_column(String(300), default="")
    updated_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Who wrote the newest text."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
