"""Quizzes ask what their page can show, and grade the variant that was shown."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy.orm import Session

from portal.features.practice import QuizService, seed_of
from portal.features.practice.answers import QUIZ_KINDS
from question_bank import KINDS, Bank, load
from question_bank.starting import start
from tests.factories import users


@pytest.fixture
def bank(tmp_path) -> Bank:
    for kind in KINDS:
        start(tmp_path, kind, f"one-{kind}", "a-module", "a-topic")
    return load(tmp_path)


def test_a_quiz_holds_only_kinds_that_its_page_can_show(db: Session, bank: Bank) -> None:
    attempt = QuizService(db, bank).start(users.user(db).id, "a-module")
    drawn = Counter(bank.questions[answer.question_id].kind for answer in attempt.answers)
    assert drawn == dict.fromkeys(QUIZ_KINDS, 1)
    assert set(KINDS) - QUIZ_KINDS == {"code", "open"}


def test_a_question_with_parameters_is_graded_by_the_seed_of_the_attempt(db: Session, bank: Bank) -> None:
    service = QuizService(db, bank)
    for _ in range(5):
        attempt = service.start(users.user(db).id, "a-module")
        question = bank.questions["one-numeric"]
        value = question.at(seed_of(question, attempt.seed)).body.answer.value
        assert service.hand_in(attempt, {"one-numeric": str(value)}) is None
        (answer,) = (answer for answer in attempt.answers if answer.question_id == "one-numeric")
        assert answer.correct
