"""Cards and sums follow from the answers alone."""

from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest
from click.testing import CliRunner
from freezegun import freeze_time
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.cli import cli
from portal.content import Content
from portal.features.practice import QuizService, rebuild
from portal.features.reviews.service import PracticeService, Wishes
from portal.models import ItemCount, ItemTally, PracticeSource, QuizAttempt, ReviewCard, utcnow
from portal.models.base import Base
from portal.settings import Settings
from tests.factories import practice, users
from tests.fixtures import questions


def rows(db: Session, model: type[Base]) -> dict[tuple[object, ...], dict[str, object]]:
    """Every row by its key; figures rounded, because sums may be added in another order."""
    table = model.__table__
    found = {}
    for row in db.execute(select(table)).mappings():
        key = tuple(row[column.name] for column in table.primary_key.columns)  # type: ignore[attr-defined]
        found[key] = {
            name: round(value, 9) if isinstance(value, float) else value for name, value in row.items()
        }
    return found


def live_a_little(db: Session, content: Content) -> None:
    """Three learners take quizzes and practise over a month, right and wrong."""
    chance = random.Random(5)
    start = utcnow() - timedelta(days=40)
    practice, quizzes = PracticeService(db, content), QuizService(db, content.bank)
    people = [users.user(db) for _ in range(3)]
    practice.wish(people[0].id, Wishes(retention=0.8))
    for day in range(30):
        with freeze_time(start + timedelta(days=day)) as clock:
            person = chance.choice(people)
            if chance.random() < 0.3:
                attempt = quizzes.start(person.id, questions.MODULE)
                asked = [content.bank.questions[a.question_id] for a in attempt.answers]
                given = {
                    q.id: questions.right_answer(q, attempt.seed % 20 if q.parameterised else attempt.seed)
                    for q in asked
                    if chance.random() < 0.6
                }
                assert quizzes.hand_in(attempt, given) is None
                continue
            session = practice.start(person.id, PracticeSource.MODULE, questions.MODULE)
            for answer in session.answers[:5]:
                question = content.bank.questions[answer.question_id]
                practice.show(answer)
                clock.tick(chance.uniform(5, 200))
                seed = answer.seed % 20 if question.parameterised else answer.seed
                knows = chance.random() < 0.6
                given = questions.right_answer(question, seed) if knows else None
                practice.answer(session, answer, question, given, passed=not knows)
                if question.kind == "open" and knows:
                    practice.mark(session, answer, question, [])
    db.flush()


def test_rebuilding_gives_what_there_was(db: Session, content: Content) -> None:
    content = questions.content_of(content)
    live_a_little(db, content)
    before = {model: rows(db, model) for model in (ReviewCard, ItemTally, ItemCount)}
    assert len(before[ReviewCard]) > 20
    assert len(before[ItemCount]) > 20
    for model in before:
        db.execute(delete(model))
    db.expire_all()
    result = rebuild(db, content.bank)
    assert (result.learners, result.left_out) == (3, 0)
    for model, expected in before.items():
        assert rows(db, model) == expected


def test_rebuilding_twice_changes_nothing(db: Session, content: Content) -> None:
    content = questions.content_of(content)
    live_a_little(db, content)
    first = rebuild(db, content.bank)
    before = {model: rows(db, model) for model in (ReviewCard, ItemTally, ItemCount)}
    db.expire_all()
    assert rebuild(db, content.bank) == first
    assert {model: rows(db, model) for model in before} == before


def test_older_versions_keep_their_score_and_what_was_chosen(db: Session, content: Content) -> None:
    content = questions.content_of(content, questions.question("single"))
    user = users.user(db)
    quizzes = QuizService(db, content.bank)
    attempt = quizzes.start(user.id, questions.MODULE)
    quizzes.hand_in(attempt, {"a-single": questions.right_answer(questions.question("single"), 1)})
    attempt.answers[0].content_hash, attempt.answers[0].fraction = "older", 0.25
    db.flush()
    rebuild(db, content.bank)
    row = db.get_one(ItemTally, ("a-single", "older", ""), populate_existing=True)
    assert (row.counted, row.x) == (1, pytest.approx(0.25))
    assert [one.count for one in db.scalars(select(ItemCount))] == [1]


def test_answers_to_questions_that_are_gone_are_left_out(db: Session, content: Content) -> None:
    content = questions.content_of(content)
    live_a_little(db, content)
    attempts = db.scalars(select(QuizAttempt)).all()
    result = rebuild(db, questions.content_of(content, questions.question("single")).bank)
    assert result.left_out > result.answers > 0
    assert {key[0] for key in rows(db, ItemTally)} == {"a-single"}
    assert db.scalars(select(QuizAttempt)).all() == attempts


def test_the_command_rebuilds_and_says_what_it_went_through(
    db: Session, content: Content, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = next(question for question in content.bank.questions.values() if question.kind == "single")
    practice.practice_session(db, users.user(db), [question], answered=True)
    db.execute(delete(ItemTally))
    db.commit()
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli, ["rebuild-statistics", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {"learners": 1, "answers": 1, "left_out": 0}
    db.expire_all()
    assert db.scalars(select(ItemTally)).one().counted == 1
    assert "1 answers of 1 learners" in CliRunner().invoke(cli, ["rebuild-statistics"]).output
