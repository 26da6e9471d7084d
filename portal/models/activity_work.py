"""What learners make outside of lessons and labs, and what instructors say of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, UtcDateTime, utcnow


class WorkState(StrEnum):
    """STARTED ◄─► DONE ─► HANDED_IN ─► APPROVED, or RETURNED ─► HANDED_IN again. An approval that is taken back leads to
    RETURNED.
    """

    STARTED = "started"
    DONE = "done"
    """The learner says so; nobody has looked."""
    HANDED_IN = "handed-in"
    RETURNED = "returned"
    APPROVED = "approved"


FURTHEST_LAST = (
    WorkState.STARTED,
    WorkState.DONE,
    WorkState.RETURNED,
    WorkState.HANDED_IN,
    WorkState.APPROVED,
)
"""Which of two pieces of work on one activity is shown, when its ids were merged."""


class Verdict(StrEnum):
    """What became of something that was handed in."""

    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    """Taken back by the learner before anybody looked."""


class ActivityWork(Base):
    """One activity as one learner does it. Progress is counted from these rows."""

    __tablename__ = "activity_works"
    __table_args__ = (UniqueConstraint("user_id", "activity_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    activity_id: Mapped[str] = mapped_column(String(80))
    """The id that was current when it was started."""
    state: Mapped[str] = mapped_column(String(12), default=WorkState.STARTED)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the learner said that it is done; handing in says so, too."""
    approved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """None again once the approval was taken back."""

    hand_ins: Mapped[list[HandIn]] = relationship(
        back_populates="work", lazy="raise", cascade="all, delete-orphan", order_by="HandIn.id"
    )


_WAITING_SQL = "verdict IS NULL"
_REVOKED_SQL = "revoked_at IS NOT NULL"


class HandIn(Base):
    """One version that a learner handed in. Its content never changes; it waits until it has a verdict."""

    __tablename__ = "hand_ins"
    __table_args__ = (
        Index("ix_hand_ins_work_id", "work_id"),
        Index("ix_hand_ins_decided_at", "decided_at", "id"),
        Index(
            "uq_hand_ins_waiting",
            "work_id",
            unique=True,
            sqlite_where=text(_WAITING_SQL),
            postgresql_where=text(_WAITING_SQL),
        ),
        Index(
            "ix_hand_ins_revoked_at",
            "revoked_at",
            "id",
            sqlite_where=text(_REVOKED_SQL),
            postgresql_where=text(_REVOKED_SQL),
        ),
        Index(
            "ix_hand_ins_queue",
            "created_at",
            "id",
            sqlite_where=text(_WAITING_SQL),
            postgresql_where=text(_WAITING_SQL),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    work_id: Mapped[int] = mapped_column(ForeignKey("activity_works.id", ondelete="CASCADE"))
    link: Mapped[str] = mapped_column(String(500), default="")
    """An https address; empty when there is a text alone."""
    text: Mapped[str] = mapped_column(Text, default="")
    """Markdown, as the learner wrote it."""
    notes: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """`{"condition", "note"}` for each condition that there was then; a note may be empty."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """The instructor who looks at it, so that no second one does the same."""
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verdict: Mapped[str | None] = mapped_column(String(12))
    """None while it waits."""
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    comment: Mapped[str] = mapped_column(Text, default="")
    """What the instructor said; Markdown."""
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """The instructor who took the approval back; the verdict and its comment stay as they were."""
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revocation: Mapped[str] = mapped_column(Text, default="", server_default="")
    """Why it was taken back; Markdown."""

    work: Mapped[ActivityWork] = relationship(back_populates="hand_ins", lazy="raise")
