"""Drawing a quiz, taking the answers, scoring them on the server."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from portal.errors import Conflict, Invalid
from portal.features.practice import queries
from portal.models import QuizAnswer, QuizAttempt, utcnow
from question_bank import PLAIN_KINDS, Answer, AnswerRefused, Bank, Question, draw

QUIZ_LENGTH = 10
MAX_ANSWER = 200


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
        drawn = draw(self.bank, module=module_id, kinds=PLAIN_KINDS, count=QUIZ_LENGTH, seed=seed)
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
        graded: list[tuple[QuizAnswer, Answer, float, bool]] = []
        for answer in attempt.answers:
            question = self.bank.find(answer.question_id)
            if question is None:  # retired since it was drawn: it neither helps nor hurts
                continue
            value = given.get(answer.question_id)
            try:
                result = question.grade(value, attempt.seed)
            except AnswerRefused as error:
                refused[answer.question_id] = str(error)
            else:
                graded.append((answer, value, result.fraction, result.correct))
        if refused:
            return Refused(refused)
        for answer, value, fraction, correct in graded:
            answer.given, answer.fraction, answer.correct = value, fraction, correct
        attempt.score = sum(fraction for *_rest, fraction, _correct in graded) / len(graded) if graded else 0.0
        attempt.finished_at = utcnow()
        return None


def read_answers(questions: list[Question], form: Mapping[str, list[str]]) -> dict[str, Answer]:
    """The answers in a submitted form: fields are named `q-<question id>`; longer values are cut at 200 characters."""
    answers: dict[str, Answer] = {}
    for question in questions:
        values = [value.strip()[:MAX_ANSWER] for value in form.get(f"q-{question.id}", [])][:50]
        if question.kind == "multiple":
            answers[question.id] = values
        else:
            answers[question.id] = values[0] if values and values[0] else None
    return answers
