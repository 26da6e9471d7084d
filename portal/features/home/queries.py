"""What the first page shows of a learner's recent work."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.models import OPEN_STATES, LabSession, QuizAttempt, ReviewCard, Submission, utcnow


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


def due_count(db: Session, user_id: int) -> int:
    """How many questions this learner would be asked again now."""
    return (
        db.scalar(
            select(func.count())
            .select_from(ReviewCard)
            .where(ReviewCard.user_id == user_id, ReviewCard.due <= utcnow())
        )
        or 0
    )
