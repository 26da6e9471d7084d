"""What is read of a learner's scorecard."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal.models import CommitmentEntry, CriterionClaim, ScorecardMonth

MONTHS_MOST = 24
LOG_SHOWN = 50


def months(db: Session, user_id: int) -> list[ScorecardMonth]:
    """The newest months of a learner, oldest first."""
    newest = db.scalars(
        select(ScorecardMonth)
        .where(ScorecardMonth.user_id == user_id)
        .order_by(ScorecardMonth.month.desc())
        .limit(MONTHS_MOST)
    )
    return list(newest)[::-1]


def kept_days(db: Session, user_id: int, since: date) -> list[tuple[str, date, int]]:
    """(commitment, day, how often) from that day on."""
    rows = db.execute(
        select(CommitmentEntry.commitment_id, CommitmentEntry.day, func.count())
        .where(CommitmentEntry.user_id == user_id, CommitmentEntry.day >= since)
        .group_by(CommitmentEntry.commitment_id, CommitmentEntry.day)
    )
    return [(commitment, day, count) for commitment, day, count in rows]


def first_day(db: Session, user_id: int) -> date | None:
    """The day of the learner's first entry in the log."""
    return db.scalar(select(func.min(CommitmentEntry.day)).where(CommitmentEntry.user_id == user_id))


def log(db: Session, user_id: int) -> list[CommitmentEntry]:
    """The newest entries."""
    return list(
        db.scalars(
            select(CommitmentEntry)
            .where(CommitmentEntry.user_id == user_id)
            .order_by(CommitmentEntry.day.desc(), CommitmentEntry.id.desc())
            .limit(LOG_SHOWN)
        )
    )


def entries_since(db: Session, user_id: int, since: datetime) -> int:
    """How many entries the learner made since then."""
    return (
        db.scalar(
            select(func.count())
            .select_from(CommitmentEntry)
            .where(CommitmentEntry.user_id == user_id, CommitmentEntry.created_at >= since)
        )
        or 0
    )


def claims(db: Session, user_id: int) -> dict[str, datetime]:
    """Criterion id → when the learner said that they reached it."""
    rows = db.execute(
        select(CriterionClaim.criterion_id, CriterionClaim.created_at).where(CriterionClaim.user_id == user_id)
    )
    return {criterion_id: at for criterion_id, at in rows}


def unsay(db: Session, user_id: int, criterion_ids: tuple[str, ...]) -> None:
    """Take back that the learner reached a criterion, under whichever of its ids they said so."""
    db.execute(
        delete(CriterionClaim).where(
            CriterionClaim.user_id == user_id, CriterionClaim.criterion_id.in_(criterion_ids)
        )
    )
