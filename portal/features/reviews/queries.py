"""What the practice pages read. A learner has at most one card and one note a question, so both are bounded by the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from portal.models import (
    PracticeAnswer,
    PracticeSession,
    PracticeSetting,
    QuestionNote,
    QuestionReport,
    ReviewCard,
)

RECENT = 5


@dataclass(frozen=True)
class SessionLine:
    """One session in a list."""

    id: int
    source: str
    source_id: str
    created_at: datetime
    finished_at: datetime | None
    questions: int
    answered: int
    score: float | None
    """Mean of the fractions, 0 to 1; None when nothing was answered."""


class Memory(NamedTuple):
    """What a card says of a question, without what only the scheduler needs."""

    question_id: str
    due: datetime
    last_review: datetime
    last_fraction: float


def session(db: Session, user_id: int, session_id: int) -> PracticeSession | None:
    """One session of this learner with its questions."""
    return db.scalar(
        select(PracticeSession)
        .where(PracticeSession.id == session_id, PracticeSession.user_id == user_id)
        .options(selectinload(PracticeSession.answers))
    )


def open_sessions(db: Session, user_id: int) -> list[PracticeSession]:
    """Sessions of this learner that have not ended, newest first, with their questions."""
    return list(
        db.scalars(
            select(PracticeSession)
            .where(PracticeSession.user_id == user_id, PracticeSession.finished_at.is_(None))
            .order_by(PracticeSession.id.desc())
            .options(selectinload(PracticeSession.answers))
        )
    )


def recent(db: Session, user_id: int) -> list[SessionLine]:
    """The newest sessions of this learner in which something was answered, or that are open."""
    newest = (
        select(PracticeSession.id)
        .where(PracticeSession.user_id == user_id)
        .order_by(PracticeSession.id.desc())
        .limit(RECENT)
        .subquery()
    )
    rows = db.execute(
        select(
            PracticeSession,
            func.count(PracticeAnswer.position),
            func.count(PracticeAnswer.fraction),
            func.avg(PracticeAnswer.fraction),
        )
        .join(PracticeAnswer, PracticeAnswer.session_id == PracticeSession.id)
        .where(PracticeSession.id.in_(select(newest.c.id)))
        .group_by(PracticeSession.id)
        .order_by(PracticeSession.id.desc())
    )
    return [
        SessionLine(
            one.id, one.source, one.source_id, one.created_at, one.finished_at, questions, answered, score
        )
        for one, questions, answered, score in rows
        if answered or one.finished_at is None
    ]


def cards(db: Session, user_id: int) -> list[ReviewCard]:
    """All cards of this learner."""
    return list(db.scalars(select(ReviewCard).where(ReviewCard.user_id == user_id)))


def memories(db: Session, user_id: int) -> list[Memory]:
    """What pages show of all cards of this learner: values, which are read in a third of the time."""
    rows = db.execute(
        select(ReviewCard.question_id, ReviewCard.due, ReviewCard.last_review, ReviewCard.last_fraction).where(
            ReviewCard.user_id == user_id
        )
    )
    return [Memory(*row) for row in rows]


def cards_of(db: Session, user_id: int, question_ids: tuple[str, ...]) -> list[ReviewCard]:
    """This learner's cards of these questions."""
    return list(
        db.scalars(
            select(ReviewCard).where(ReviewCard.user_id == user_id, ReviewCard.question_id.in_(question_ids))
        )
    )


def setting(db: Session, user_id: int) -> PracticeSetting | None:
    """How this learner wants to practise, if they said so."""
    return db.get(PracticeSetting, user_id)


def note(db: Session, user_id: int, question_id: str) -> QuestionNote | None:
    """What this learner keeps beside the question."""
    return db.get(QuestionNote, (user_id, question_id))


def notes(db: Session, user_id: int) -> list[QuestionNote]:
    """Everything that this learner keeps beside questions, newest first."""
    return list(
        db.scalars(
            select(QuestionNote)
            .where(QuestionNote.user_id == user_id, QuestionNote.bookmarked | (QuestionNote.text != ""))
            .order_by(QuestionNote.updated_at.desc())
        )
    )


def reports_since(db: Session, user_id: int, since: datetime) -> int:
    """How many reports this learner made since then."""
    return (
        db.scalar(
            select(func.count())
            .select_from(QuestionReport)
            .where(QuestionReport.user_id == user_id, QuestionReport.created_at > since)
        )
        or 0
    )


def open_report(db: Session, user_id: int, question_id: str) -> QuestionReport | None:
    """This learner's report of the question that nobody has closed yet."""
    return db.scalar(
        select(QuestionReport)
        .where(
            QuestionReport.user_id == user_id,
            QuestionReport.question_id == question_id,
            QuestionReport.closed_at.is_(None),
        )
        .order_by(QuestionReport.id.desc())
        .limit(1)
    )
