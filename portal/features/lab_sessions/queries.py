"""What the lab pages read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload, undefer

from portal.models import (
    OPEN_STATES,
    PENDING_STATES,
    PLACE_STATES,
    HintUse,
    LabSession,
    SessionState,
    Submission,
    SubmissionKind,
    SubmissionState,
    TaskResult,
    WorkerStatus,
    utcnow,
)

ATTEMPTS_SHOWN = 20
LENGTHS = 50
WORKER_SILENT_AFTER = timedelta(seconds=30)


def open_session(db: Session, user_id: int, lab_id: str) -> LabSession | None:
    """The session that this learner has open in the lab."""
    return db.scalar(
        select(LabSession).where(
            LabSession.user_id == user_id, LabSession.lab_id == lab_id, LabSession.state.in_(OPEN_STATES)
        )
    )


def newest_session(db: Session, user_id: int, lab_id: str) -> LabSession | None:
    """The newest session of this learner in the lab, open or ended, with its log."""
    return db.scalar(
        select(LabSession)
        .where(LabSession.user_id == user_id, LabSession.lab_id == lab_id)
        .order_by(LabSession.id.desc())
        .limit(1)
        .options(undefer(LabSession.log))
    )


def count_open_sessions(db: Session, user_id: int) -> int:
    """How many labs this learner has open."""
    return (
        db.scalar(
            select(func.count())
            .select_from(LabSession)
            .where(
                LabSession.user_id == user_id,
                LabSession.state.in_([SessionState.QUEUED, SessionState.STARTING, SessionState.READY]),
            )
        )
        or 0
    )


def count_queued(db: Session) -> int:
    """How many launches wait for a place."""
    return (
        db.scalar(select(func.count()).select_from(LabSession).where(LabSession.state == SessionState.QUEUED))
        or 0
    )


def place_for_sandbox(db: Session, session: LabSession) -> int:
    """How many queued launches go before this one, plus one."""
    before = db.scalar(
        select(func.count())
        .select_from(LabSession)
        .where(
            LabSession.state == SessionState.QUEUED,
            or_(
                LabSession.requested_at < session.requested_at,
                (LabSession.requested_at == session.requested_at) & (LabSession.id < session.id),
            ),
        )
    )
    return (before or 0) + 1


def sessions_with_places(db: Session) -> Sequence[LabSession]:
    """Everybody's sessions that hold one of the site's places."""
    return db.scalars(select(LabSession).where(LabSession.state.in_(PLACE_STATES))).all()


def recent_lengths(db: Session) -> list[timedelta]:
    """How long the last sessions on this site ran, from ready to their end."""
    rows = db.execute(
        select(LabSession.ready_at, LabSession.ended_at)
        .where(
            LabSession.state.in_([SessionState.STOPPED, SessionState.FAILED]),
            LabSession.ready_at.is_not(None),
            LabSession.ended_at.is_not(None),
        )
        .order_by(LabSession.id.desc())
        .limit(LENGTHS)
    )
    return [ended - ready for ready, ended in rows if ready is not None and ended is not None]


def attempts(db: Session, user_id: int, lab_id: str) -> Sequence[Submission]:
    """The newest checks and submissions of this learner in the lab, newest first, with their task results."""
    return db.scalars(
        select(Submission)
        .where(Submission.user_id == user_id, Submission.lab_id == lab_id)
        .order_by(Submission.id.desc())
        .limit(ATTEMPTS_SHOWN)
        .options(selectinload(Submission.results))
    ).all()


def attempt(db: Session, user_id: int, submission_id: int) -> Submission | None:
    """One attempt of this learner with its results and the executed notebook.

    In one statement: the worker moves the notebook from the report to `executed_html`, and between two it would be in neither.
    """
    return db.scalar(
        select(Submission)
        .where(Submission.id == submission_id, Submission.user_id == user_id)
        .options(
            selectinload(Submission.results), undefer(Submission.executed_html), undefer(Submission.report)
        )
    )


def place_in_queue(db: Session, submission: Submission) -> int:
    """How many queued submissions go before this one, plus one."""
    before = db.scalar(
        select(func.count())
        .select_from(Submission)
        .where(Submission.state == SubmissionState.QUEUED, Submission.id < submission.id)
    )
    return (before or 0) + 1


def submitted_tasks(db: Session, user_id: int, lab_id: str) -> set[str]:
    """Tasks of the lab that this learner passed in a submission (not only in a check)."""
    return set(
        db.scalars(
            select(TaskResult.task_id)
            .join(Submission, Submission.id == TaskResult.submission_id)
            .where(
                Submission.user_id == user_id,
                Submission.lab_id == lab_id,
                Submission.kind == SubmissionKind.SUBMIT,
                Submission.state == SubmissionState.GRADED,
                TaskResult.status == "passed",
            )
            .distinct()
        )
    )


def best_scores(db: Session, user_id: int) -> dict[str, tuple[int, int]]:
    """Lab id → (points, of how many) of this learner's best submission."""
    rows = db.execute(
        select(Submission.lab_id, func.max(Submission.score), func.max(Submission.max_score))
        .where(
            Submission.user_id == user_id,
            Submission.kind == SubmissionKind.SUBMIT,
            Submission.state == SubmissionState.GRADED,
        )
        .group_by(Submission.lab_id)
    )
    return {lab_id: (score, max_score) for lab_id, score, max_score in rows}


def open_labs(db: Session, user_id: int) -> dict[str, str]:
    """Labs that this learner has open now, with the session's state."""
    rows = db.execute(
        select(LabSession.lab_id, LabSession.state).where(
            LabSession.user_id == user_id, LabSession.state.in_(OPEN_STATES)
        )
    )
    return {lab_id: state for lab_id, state in rows}


def being_graded(db: Session, user_id: int, lab_id: str) -> bool:
    """Whether a check or submission of this learner in the lab has no result yet."""
    return (
        db.scalar(
            select(Submission.id).where(
                Submission.user_id == user_id,
                Submission.lab_id == lab_id,
                Submission.state.in_(PENDING_STATES),
            )
        )
        is not None
    )


def hints_used(db: Session, user_id: int, lab_id: str) -> dict[str, int]:
    """Task id → how many of its hints this learner opened."""
    rows = db.execute(
        select(HintUse.task_id, func.max(HintUse.number))
        .where(HintUse.user_id == user_id, HintUse.lab_id == lab_id)
        .group_by(HintUse.task_id)
    )
    return {task_id: number for task_id, number in rows}


class WorkerShown(NamedTuple):
    """What a lab's page says of the worker."""

    driver: str
    isolated: bool
    reason: str
    places: int


_WORKER_SHOWN = select(
    WorkerStatus.heartbeat_at,
    WorkerStatus.driver,
    WorkerStatus.isolated,
    WorkerStatus.reason,
    WorkerStatus.places,
)


def worker(db: Session) -> WorkerShown | None:
    """What the worker said last, or None when it has been silent for too long. Asked often, so it is read without an object."""
    found = db.connection().execute(_WORKER_SHOWN).first()
    if found is None or found.heartbeat_at <= utcnow() - WORKER_SILENT_AFTER:
        return None
    return WorkerShown(found.driver, found.isolated, found.reason, found.places)
