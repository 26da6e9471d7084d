"""What reviewers say to lines of a question."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class ReviewComment(Base):
    """A comment on one line of one version, or on all of it."""

    __tablename__ = "review_comments"
    __table_args__ = (Index(None, "authored_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    authored_id: Mapped[int] = mapped_column(ForeignKey("authored_questions.id", ondelete="CASCADE"))
    version: Mapped[int]
    line: Mapped[int]
    """Counted from 1; 0 for the question as a whole."""
    quote: Mapped[str] = mapped_column(String(300), default="")
    """The line as it was, cut: by it the comment follows its line into later versions."""
    text: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
