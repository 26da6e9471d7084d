"""Months of a scorecard, and entries of its log."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from portal.models import CommitmentEntry, ScorecardMonth, User, utcnow


def entry(
    db: Session, user: User, commitment_id: str = "comment-on-posts", *, days: int = 0
) -> CommitmentEntry:
    """A commitment that was kept so many days ago."""
    made = CommitmentEntry(
        user_id=user.id,
        commitment_id=commitment_id,
        day=(utcnow() - timedelta(days=days)).date(),
        note="On a post about retries.",
        link="https://posts.example.org/retries",
    )
    db.add(made)
    db.flush()
    return made


def month(
    db: Session,
    user: User,
    *,
    months: int = 1,
    computed: dict[str, dict[str, int]] | None = None,
    assessed: dict[str, int] | None = None,
) -> ScorecardMonth:
    """The month so many months ago, as it was left; 0 is the current one."""
    now = utcnow()
    count = 12 * now.year + now.month - 1 - months
    made = ScorecardMonth(
        user_id=user.id,
        month=f"{count // 12:04}-{count % 12 + 1:02}",
        computed=computed or {"technical-depth": {"topics": 10, "proven": 1, "practised": 2}},
        assessed=assessed or {"technical-depth": 2},
        metrics={"posts-published": 3},
        created_at=now - timedelta(days=31 * months),
    )
    db.add(made)
    db.flush()
    return made
