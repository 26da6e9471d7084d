"""Plans of learners: which track by when, what was promised, and what was ticked off by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow

_CURRENT_SQL = "ended_at IS NULL"


class StudyPlan(Base):
    """One plan of one learner: what they chose, and the promise that came of it. What is shown is laid out anew each time."""

    __tablename__ = "study_plans"
    __table_args__ = (
        Index(
            "uq_study_plans_current",
            "user_id",
            unique=True,
            sqlite_where=text(_CURRENT_SQL),
            postgresql_where=text(_CURRENT_SQL),
        ),
        Index("ix_study_plans_user_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    track_id: Mapped[str] = mapped_column(String(80))
    ready_id: Mapped[str] = mapped_column(String(80), default="")
    """The ready-made plan that was taken; empty for one that is laid out by hours."""
    hours_per_week: Mapped[int]
    starts_on: Mapped[date] = mapped_column(Date)
    target_on: Mapped[date | None] = mapped_column(Date)
    """The day by which the learner wants to be through."""
    days_off: Mapped[list[int]] = mapped_column(JSON, default=list)
    """Weekdays without study, Monday is 0."""
    holidays: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Mondays of weeks without study, as YYYY-MM-DD."""
    begins_at: Mapped[str] = mapped_column(String(5), default="18:00")
    """When study sessions begin, HH:MM on the learner's own clock: the calendar file has no time zone."""
    left_out: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Modules of the track that the learner left out."""
    promised_on: Mapped[date] = mapped_column(Date)
    """The day on which it would be done, as it was reckoned when it was made."""
    promise: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """[{monday, minutes: {module: minutes}}] as it was laid out when it was made; empty for a ready-made plan."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When another plan took its place, or the learner ended it; None for the current one."""
