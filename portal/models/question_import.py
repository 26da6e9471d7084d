"""What instructors uploaded to import and have not decided on yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class QuestionImport(Base):
    """What a file holds and what importing it would do. Each person has one at a time."""

    __tablename__ = "question_imports"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    file_name: Mapped[str] = mapped_column(String(200))
    format: Mapped[str] = mapped_column(String(40))
    found: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The plan as `portal/features/authoring/importing.py` writes and reads it."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
