"""Quizzes: drawn by seed, scored on the server."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from portal.content import Content
from portal.errors import Conflict, Invalid
from portal.features.practice import QuizService, queries
from portal.features.practice.answers import read_answers
from portal.features.practice.service import QUIZ_LENGTH, Refused
from portal.models import ItemTally, User
from tests.factories import users
from tests.fixtures.questions import right_answer

MODULE = "transactions-and-isolation"


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def service(db: Session, content: Content) -> QuizService:
    return QuizService(db, content.bank)


def test_a_quiz_has_ten_questions_of_its_module(service: QuizService, user: User, content: Content) -> None:
    attempt = service.start(user.id, MODULE)
    assert len(attempt.answers) == QUIZ_LENGTH
    assert {content.bank.questions[a.question_id].module for a in attempt.answers} == {MODULE}
    assert len({a.question_id for a in attempt.answers}) == QUIZ_LENGTH


def test_an_unfinished_quiz_is_gone_on_with(service: QuizService, user: User) -> None:
    assert service.start(user.id, MODULE).id == service.start(user.id, MODULE).id


def test_a_module_without_questions_says_so(service: QuizService, user: User) -> None:
    with pytest.raises(Invalid, match="no questions"):
        service.start(user.id, "no-such-module")


def test_all_right_scores_one_and_blank_scores_nothing(
    service: QuizService, user: User, content: Content, db: Session
) -> None:
    attempt = service.start(user.id, MODULE)
    questions = [content.bank.questions[a.question_id] for a in attempt.answers]
    choices = {q.id: right_answer(q, 1) for q in questions if q.kind != "numeric"}
    assert service.hand_in(attempt, choices) is None
    expected = len(choices) / len(questions)
    assert attempt.score == pytest.approx(expected)
    assert all(a.correct == (a.question_id in choices) for a in attempt.answers)


def test_an_unreadable_number_is_refused_and_nothing_changes(
    service: QuizService, db: Session, content: Content
) -> None:
    numeric = next(q for q in content.bank.questions.values() if q.kind == "numeric")
    for _ in range(40):  # draws differ; one of them holds a numeric question of that module
        attempt = service.start(users.user(db).id, numeric.module)
        asked = [
            a.question_id for a in attempt.answers if content.bank.questions[a.question_id].kind == "numeric"
        ]
        if asked:
            break
    refused = service.hand_in(attempt, {asked[0]: "about twelve"})
    assert isinstance(refused, Refused)
    assert set(refused.messages) == {asked[0]}
    assert attempt.finished_at is None
    assert all(a.fraction is None for a in attempt.answers)


def test_a_quiz_is_handed_in_once(service: QuizService, user: User) -> None:
    attempt = service.start(user.id, MODULE)
    service.hand_in(attempt, {})
    with pytest.raises(Conflict):
        service.hand_in(attempt, {})


def test_a_quiz_that_arrives_twice_at_once_counts_once(service: QuizService, user: User, db: Session) -> None:
    attempt = service.start(user.id, MODULE)
    service.hand_in(attempt, {})
    db.flush()
    # The second request read the attempt before the first one finished it.
    set_committed_value(attempt, "finished_at", None)
    with pytest.raises(Conflict):
        service.hand_in(attempt, {})
    assert {tally.answers for tally in db.scalars(select(ItemTally))} == {1}


def test_scores_are_this_learner_s_best_and_last(
    service: QuizService, user: User, db: Session, content: Content
) -> None:
    for full in (True, False):
        attempt = service.start(user.id, MODULE)
        questions = [content.bank.questions[a.question_id] for a in attempt.answers]
        service.hand_in(
            attempt, {q.id: right_answer(q, 1) for q in questions if q.kind != "numeric"} if full else {}
        )
        db.flush()
    other = service.start(users.user(db).id, MODULE)
    service.hand_in(other, {})
    db.flush()
    scores = queries.scores_by_module(db, user.id)[MODULE]
    assert scores.attempts == 2
    assert scores.best > 0
    assert scores.last == 0
    assert queries.unfinished_by_module(db, user.id) == {}


def test_answers_are_read_by_kind_and_capped(content: Content) -> None:
    by_kind = {q.kind: q for q in content.bank.questions.values()}
    single, multiple = by_kind["single"], by_kind["multiple"]
    form = {f"q-{single.id}": ["x" * 1000], f"q-{multiple.id}": ["a", "b"], "q-unknown": ["z"]}
    answers = read_answers([single, multiple], form)
    assert answers[single.id] == "x" * 200
    assert answers[multiple.id] == ["a", "b"]
    assert "unknown" not in answers
