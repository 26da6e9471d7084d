"""What the quiz pages read."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from portal.models import QuizAttempt


@dataclass(frozen=True)
class ModuleScores:
    """How a learner did in the quizzes of one module; scores are 0 to 1."""

    attempts: int
    best: float
    last: float


def attempt(db: Session, user_id: int, attempt_id: int) -> QuizAttempt | None:
    """One attempt of this learner with its answers."""
    return db.scalar(
        select(QuizAttempt)
        .where(QuizAttempt.id == attempt_id, QuizAttempt.user_id == user_id)
        .options(selectinload(QuizAttempt.answers))
    )


def unfinished(db: Session, user_id: int, module_id: str) -> QuizAttempt | None:
    """The attempt that this learner began in the module and has not handed in."""
    return db.scalar(
        select(QuizAttempt)
        .where(
            QuizAttempt.user_id == user_id,
            QuizAttempt.module_id == module_id,
            QuizAttempt.finished_at.is_(None),
        )
        .order_by(QuizAttempt.id.desc())
        .limit(1)
    )


def unfinished_by_module(db: Session, user_id: int) -> dict[str, int]:
    """Module id → the attempt that is open there."""
    rows = db.execute(
        select(QuizAttempt.module_id, func.max(QuizAttempt.id))
        .where(QuizAttempt.user_id == user_id, QuizAttempt.finished_at.is_(None))
        .group_by(QuizAttempt.module_id)
    )
    return {module_id: attempt_id for module_id, attempt_id in rows}


def scores_by_module(db: Session, user_id: int) -> dict[str, ModuleScores]:
    """Module id → how this learner did there."""
    finished = (
        select(
            QuizAttempt.module_id,
            func.count().label("attempts"),
            func.max(QuizAttempt.score).label("best"),
            func.max(QuizAttempt.id).label("last_id"),
        )
        .where(QuizAttempt.user_id == user_id, QuizAttempt.finished_at.is_not(None))
        .group_by(QuizAttempt.module_id)
        .subquery()
    )
    rows = db.execute(
        select(finished.c.module_id, finished.c.attempts, finished.c.best, QuizAttempt.score).join(
            QuizAttempt, QuizAttempt.id == finished.c.last_id
        )
    )
    return {module_id: ModuleScores(count, best or 0.0, last or 0.0) for module_id, count, best, last in rows}
