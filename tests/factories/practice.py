"""Practice sessions and reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from portal.features.practice import Encounter, Recorder
from portal.models import (
    PracticeAnswer,
    PracticeSession,
    PracticeSource,
    QuestionReport,
    ReportReason,
    User,
    utcnow,
)
from question_bank import Answer, Question


def right_answer(question: Question) -> Answer:
    """What a learner who knows would answer."""
    if question.kind == "numeric":
        return str(question.body.answer.value)  # type: ignore[attr-defined]
    right = [option.key for option in question.options if option.right]
    return right if question.kind == "multiple" else right[0]


def practice_session(
    db: Session,
    user: User,
    questions: Sequence[Question],
    *,
    finished_at: datetime | None = None,
    answered: bool = False,
) -> PracticeSession:
    """A session of these questions; `answered` says that all are answered right, in a minute each, and recorded."""
    now = utcnow()
    made = PracticeSession(
        user_id=user.id, source=PracticeSource.DUE, source_id="", created_at=now, finished_at=finished_at
    )
    made.answers = [
        PracticeAnswer(position=n, question_id=question.id, content_hash=question.content_hash, seed=n)
        for n, question in enumerate(questions, 1)
    ]
    if answered:
        graded = [question.grade(right_answer(question)) for question in questions]
        for answer, question, result in zip(made.answers, questions, graded, strict=True):
            answer.given, answer.given_at = right_answer(question), now
            answer.fraction, answer.correct, answer.seconds = result.fraction, result.correct, 60.0
        encounters = [
            Encounter(question, result, now, seconds=60.0)
            for question, result in zip(questions, graded, strict=True)
        ]
        Recorder(db).record(user.id, encounters)
    db.add(made)
    db.flush()
    return made


def report(
    db: Session, user: User, question: Question, reason: ReportReason = ReportReason.UNCLEAR, text: str = ""
) -> QuestionReport:
    """An open report of this learner."""
    made = QuestionReport(
        user_id=user.id,
        question_id=question.id,
        content_hash=question.content_hash,
        seed=1,
        reason=reason,
        text=text,
    )
    db.add(made)
    db.flush()
    return made
