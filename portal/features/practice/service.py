"""Drawing a quiz, taking the answers, scoring them on the server."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from portal.errors import Conflict, Invalid
from portal.features.practice import queries
from portal.features.practice.answers import QUIZ_KINDS, seed_of, variant_of
from portal.features.practice.recording import Encounter, Recorder
from portal.models import QuizAnswer, QuizAttempt, utcnow
from question_bank import Answer, AnswerRefused, Bank, draw

QUIZ_LENGTH = 10


@dataclass(frozen=True)
class Refused:
    """Answers that could not be graded as they stand: question id → what is wrong with it."""

    messages: Mapping[str, str]


class QuizService:
    """Quizzes of one database session."""

    def __init__(self, db: Session, bank: Bank) -> None:
        self.db = db
        self.bank = bank

    def start(self, user_id: int, module_id: str) -> QuizAttempt:
        """A new attempt, or the learner's unfinished one. Raises Invalid when the module has no questions."""
        open_attempt = queries.unfinished(self.db, user_id, module_id)
        if open_attempt is not None:
            return open_attempt
        seed = secrets.randbelow(2**31)
        drawn = draw(self.bank, module=module_id, count=QUIZ_LENGTH, seed=seed, kinds=QUIZ_KINDS)
        if not drawn:
            raise Invalid("This module has no questions yet.")
        attempt = QuizAttempt(user_id=user_id, module_id=module_id, seed=seed, created_at=utcnow())
        attempt.answers = [
            QuizAnswer(question_id=question.id, position=position, content_hash=question.content_hash)
            for position, question in enumerate(drawn, 1)
        ]
        self.db.add(attempt)
        self.db.flush()
        return attempt

    def scores(self, user_id: int) -> dict[str, queries.ModuleScores]:
        """Module id → how this learner did in its quizzes."""
        return queries.scores_by_module(self.db, user_id)

    def hand_in(self, attempt: QuizAttempt, given: Mapping[str, Answer]) -> Refused | None:
        """Grade all answers and finish the attempt; or refuse, change nothing and say which answers can't be read.

        Raises Conflict when the attempt was finished before.
        """
        if attempt.finished_at is not None:
            raise Conflict("This quiz was handed in already.")
        refused: dict[str, str] = {}
        results: list[tuple[QuizAnswer, Answer, Encounter]] = []
        now = utcnow()
        for answer in attempt.answers:
            question = self.bank.find(answer.question_id)
            if question is None:  # retired since it was drawn: it neither helps nor hurts
                continue
            value = given.get(answer.question_id)
            try:
                result = question.grade(value, seed_of(question, attempt.seed))
            except AnswerRefused as error:
                refused[answer.question_id] = str(error)
            else:
                results.append(
                    (
                        answer,
                        value,
                        Encounter(question, result, now, variant=variant_of(question, attempt.seed)),
                    )
                )
        if refused:
            return Refused(refused)
        # Conditional: the same form may arrive twice at once, and each answer counts once.
        claimed: CursorResult[Any] = self.db.execute(  # type: ignore[assignment]
            update(QuizAttempt)
            .where(QuizAttempt.id == attempt.id, QuizAttempt.finished_at.is_(None))
            .values(finished_at=now)
        )
        if claimed.rowcount != 1:
            raise Conflict("This quiz was handed in already.")
        for answer, value, encounter in results:
            answer.given = value
            answer.fraction, answer.correct = encounter.graded.fraction, encounter.graded.correct
            # What was graded is today's wording, also when the quiz was drawn before an edit.
            answer.content_hash = encounter.question.content_hash
        attempt.score = sum(e.graded.fraction for *_rest, e in results) / len(results) if results else 0.0
        attempt.finished_at = now
        Recorder(self.db).record(attempt.user_id, [encounter for *_rest, encounter in results])
        return None
