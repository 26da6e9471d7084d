"""What the first page shows of a learner's recent work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from portal.models import (
    OPEN_STATES,
    LabSession,
    LessonRead,
    PracticeAnswer,
    PracticeSession,
    QuizAttempt,
    ReviewCard,
    Submission,
    User,
    utcnow,
)


def recent_submissions(db: Session, user_id: int, limit: int = 5) -> list[Submission]:
    """The newest checks and submissions of a learner."""
    return list(
        db.scalars(
            select(Submission).where(Submission.user_id == user_id).order_by(Submission.id.desc()).limit(limit)
        )
    )


def recent_quizzes(db: Session, user_id: int, limit: int = 5) -> list[QuizAttempt]:
    """The newest finished quizzes of a learner."""
    return list(
        db.scalars(
            select(QuizAttempt)
            .where(QuizAttempt.user_id == user_id, QuizAttempt.finished_at.is_not(None))
            .order_by(QuizAttempt.id.desc())
            .limit(limit)
        )
    )


def open_sessions(db: Session, user_id: int) -> list[LabSession]:
    """Labs that this learner has open now."""
    return list(
        db.scalars(
            select(LabSession)
            .where(LabSession.user_id == user_id, LabSession.state.in_(OPEN_STATES))
            .order_by(LabSession.id.desc())
        )
    )


@dataclass(frozen=True)
class Waiting:
    """What waits in practice."""

    due: int
    """Questions that this learner would be asked again now."""
    session: PracticeSession | None
    """The newest session that has not ended."""
    questions: int
    """In that session."""
    answered: int


def waiting(db: Session, user_id: int) -> Waiting:
    """Due questions and the open practice session: one statement."""
    due = (
        select(func.count())
        .select_from(ReviewCard)
        .where(ReviewCard.user_id == user_id, ReviewCard.due <= utcnow())
        .scalar_subquery()
    )
    newest = (
        select(func.max(PracticeSession.id))
        .where(PracticeSession.user_id == user_id, PracticeSession.finished_at.is_(None))
        .scalar_subquery()
    )
    asked = select(func.count()).where(PracticeAnswer.session_id == newest).scalar_subquery()
    answered = (
        select(func.count())
        .where(PracticeAnswer.session_id == newest, PracticeAnswer.given_at.is_not(None))
        .scalar_subquery()
    )
    row = db.execute(
        select(due, PracticeSession, asked, answered)
        .select_from(User)
        .outerjoin(PracticeSession, PracticeSession.id == newest)
        .where(User.id == user_id)
    ).one()
    return Waiting(row[0], row[1], row[2], row[3])


def moments(db: Session, user_id: int, since: datetime) -> list[datetime]:
    """When this learner left any evidence from then on: a lesson read, an answer, a quiz, a check, a submission."""
    read = select(LessonRead.created_at.label("at")).where(
        LessonRead.user_id == user_id, LessonRead.created_at >= since
    )
    answers = (
        select(PracticeAnswer.given_at)
        .join(PracticeSession, PracticeSession.id == PracticeAnswer.session_id)
        .where(PracticeSession.user_id == user_id, PracticeAnswer.given_at >= since)
    )
    quizzes = select(QuizAttempt.finished_at).where(
        QuizAttempt.user_id == user_id, QuizAttempt.finished_at >= since
    )
    graded = select(Submission.created_at).where(Submission.user_id == user_id, Submission.created_at >= since)
    return list(db.scalars(union_all(read, answers, quizzes, graded)))
