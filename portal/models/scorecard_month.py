"""A learner's scorecard, month by month."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class ScorecardMonth(Base):
    """One learner's scorecard of one calendar month of theirs. It changes during that month, and never afterwards."""

    __tablename__ = "scorecard_months"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    """`2026-05`."""
    computed: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Dimension id → what the evidence said at the last look of the month, see `Measured`."""
    assessed: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Dimension id → the level that the learner gave themselves, 1 to 5."""
    metrics: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Metric id → the number that the learner noted."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    assessed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
