"""Makes memories and sums anew from the recorded answers: after an upgrade from a portal that kept none, or when in doubt.

The answers are the truth; cards and sums follow from them, days from where the learner is now.
One learner is held in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import groupby
from typing import Any

from sqlalchemy import Row, delete, null, select, union_all
from sqlalchemy.orm import Session

from portal.days import zone_of
from portal.features.practice.answers import seed_of
from portal.features.practice.recording import Encounter, Sums, meet
from portal.models import (
    CodeRun,
    ItemCount,
    ItemTally,
    PracticeAnswer,
    PracticeSession,
    PracticeSetting,
    QuizAnswer,
    QuizAttempt,
    ReviewCard,
    RunPurpose,
    User,
)
from question_bank import AnswerRefused, Bank, Feedback, Graded, Question, RunnerUnavailable, scheduling

ROWS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Rebuilt:
    """What was gone through."""

    learners: int
    answers: int
    left_out: int
    """Answers to questions that are not in the bank any more; they are kept."""


def rebuild(db: Session, bank: Bank) -> Rebuilt:
    """Replace all cards and sums by what the answers say; the caller commits.

    Nobody may answer meanwhile: what is recorded between the reading and the commit would be lost from the sums.
    """
    wishes = {row.user_id: row.retention for row in db.scalars(select(PracticeSetting))}
    zones = {id_: zone_of(name) for id_, name in db.execute(select(User.id, User.time_zone))}
    for model in (ReviewCard, ItemTally, ItemCount):
        db.execute(delete(model))
    sums = Sums.empty()
    learners = answers = left_out = 0
    for user_id, rows in groupby(_answers(db), key=lambda row: int(row.user_id)):
        cards: dict[str, ReviewCard] = {}
        learners += 1
        for row in rows:
            question = bank.find(row.question_id)
            if question is None:
                left_out += 1
                continue
            answers += 1
            meet(
                cards,
                user_id,
                _encounter(row, question),
                wishes.get(user_id, scheduling.RETENTION_DEFAULT),
                sums,
                zones.get(user_id, UTC),
            )
        db.add_all(cards.values())
        db.flush()
        for card in cards.values():
            db.expunge(card)
    sums.write(db)
    return Rebuilt(learners, answers, left_out)


def _answers(db: Session) -> Iterator[Row[Any]]:
    """All graded answers, learner by learner, in the order in which they were given."""
    quizzes = (
        select(
            QuizAttempt.user_id,
            QuizAttempt.finished_at.label("at"),
            QuizAnswer.position,
            QuizAnswer.question_id,
            QuizAnswer.content_hash,
            QuizAttempt.seed,
            QuizAnswer.given,
            QuizAnswer.fraction,
            null().label("seconds"),
            null().label("verdict"),
        )
        .join(QuizAttempt, QuizAttempt.id == QuizAnswer.attempt_id)
        .where(QuizAttempt.finished_at.is_not(None), QuizAnswer.fraction.is_not(None))
    )
    practice = (
        select(
            PracticeSession.user_id,
            PracticeAnswer.given_at.label("at"),
            PracticeAnswer.position,
            PracticeAnswer.question_id,
            PracticeAnswer.content_hash,
            PracticeAnswer.seed,
            PracticeAnswer.given,
            PracticeAnswer.fraction,
            PracticeAnswer.seconds,
            CodeRun.verdict,
        )
        .join(PracticeSession, PracticeSession.id == PracticeAnswer.session_id)
        .outerjoin(
            CodeRun,
            (CodeRun.session_id == PracticeAnswer.session_id)
            & (CodeRun.position == PracticeAnswer.position)
            & (CodeRun.purpose == RunPurpose.ANSWER),
        )
        .where(PracticeAnswer.given_at.is_not(None), PracticeAnswer.fraction.is_not(None))
    )
    every = union_all(practice, quizzes).subquery()
    rows = db.execute(
        select(every).order_by(every.c.user_id, every.c.at, every.c.position),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    yield from rows


def _encounter(row: Row[Any], question: Question) -> Encounter:
    """The answer as it was recorded, to the version that it was given to."""
    variant_seed = seed_of(question, row.seed)
    then = replace(question, content_hash=row.content_hash)
    graded = _graded(row, question, variant_seed)
    variant = str(variant_seed + 1) if question.parameterised else ""
    return Encounter(then, graded, row.at, seconds=row.seconds, variant=variant)


def _graded(row: Row[Any], question: Question, seed: int) -> Graded:
    """What the answer earned then. Only today's version can still say what became of its parts."""
    feedback: tuple[Feedback, ...] = ()
    if row.verdict is not None:  # a program: it isn't run again
        feedback = tuple(
            Feedback(key=one["key"], text="", chosen=one["chosen"], right=one["right"], comment="")
            for one in row.verdict["feedback"]
        )
    elif row.content_hash == question.content_hash:
        try:
            feedback = question.grade(row.given, seed).feedback
        except (AnswerRefused, RunnerUnavailable):
            # Graded by code that took what today's refuses, or a program whose verdict is gone.
            feedback = ()
    elif question.options:
        keys = row.given if isinstance(row.given, list) else [row.given] if row.given else []
        feedback = tuple(Feedback(key=str(key), text="", chosen=True, right=False, comment="") for key in keys)
    return Graded(
        fraction=row.fraction,
        answered=row.given not in (None, "", []),
        feedback=feedback,
        right_answer="",
        correct=row.fraction == 1.0,
        explanation="",
    )
