"""What the operator's pages read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from portal.models import OPEN_STATES, Failure, LabSession, User, WorkerStatus, utcnow

SESSIONS_MOST = 200
REASONS_MOST = 20
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class FailureCount:
    """Failures of one kind in the last 24 hours."""

    work: str
    reason: str
    count: int
    last_at: datetime
    last_lab: str
    last_message: str


def worker(db: Session) -> WorkerStatus | None:
    """What the worker said last, reports included, however long ago; None when none ever ran."""
    return db.scalar(
        select(WorkerStatus)
        .where(WorkerStatus.id == 1)
        .options(undefer(WorkerStatus.sandboxes), undefer(WorkerStatus.pool), undefer(WorkerStatus.checks))
    )


def open_sessions(db: Session) -> list[tuple[LabSession, str]]:
    """Open sessions with their learners' names, oldest first; at most SESSIONS_MOST."""
    rows = db.execute(
        select(LabSession, User.display_name)
        .join(User, User.id == LabSession.user_id)
        .where(LabSession.state.in_(OPEN_STATES))
        .order_by(LabSession.requested_at, LabSession.id)
        .limit(SESSIONS_MOST)
    )
    return [(session, name) for session, name in rows]


def open_session(db: Session, session_id: int) -> LabSession | None:
    """One open session, whoever's it is."""
    return db.scalar(select(LabSession).where(LabSession.id == session_id, LabSession.state.in_(OPEN_STATES)))


def count_by_state(db: Session) -> dict[str, int]:
    """State → how many open sessions are in it."""
    rows = db.execute(
        select(LabSession.state, func.count())
        .where(LabSession.state.in_(OPEN_STATES))
        .group_by(LabSession.state)
    )
    return {state: count for state, count in rows}


def failures(db: Session) -> list[FailureCount]:
    """Failures of the last 24 hours by work and reason, the most frequent first."""
    groups = (
        select(Failure.work, Failure.reason, func.count().label("count"), func.max(Failure.id).label("newest"))
        .where(Failure.at > utcnow() - DAY)
        .group_by(Failure.work, Failure.reason)
        .subquery()
    )
    rows = db.execute(
        select(groups.c.count, Failure)
        .join(Failure, Failure.id == groups.c.newest)
        .order_by(groups.c.count.desc(), Failure.id.desc())
        .limit(REASONS_MOST)
    )
    return [
        FailureCount(
            work=newest.work,
            reason=newest.reason,
            count=count,
            last_at=newest.at,
            last_lab=newest.lab_id,
            last_message=newest.message,
        )
        for count, newest in rows
    ]
