"""What an answer changes: a memory, and sums that say the same as the answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from portal.features.practice import Encounter, Recorder
from portal.features.practice.recording import chosen_keys
from portal.models import CountOf, ItemCount, ItemTally, PracticeSetting, ReviewCard, User, utcnow
from question_bank import Question, statistics
from question_bank.scheduling import Rating, State
from tests.factories import users
from tests.fixtures import questions

SINGLE = questions.question("single")
NOW = utcnow()


def right(question: Question = SINGLE, **facts: object) -> Encounter:
    return Encounter(question, question.grade(questions.right_answer(question, 0), 0), NOW, **facts)  # type: ignore[arg-type]


def wrong(question: Question = SINGLE, **facts: object) -> Encounter:
    option = next(option for option in question.options if not option.right)
    return Encounter(question, question.grade(option.key, 0), NOW, **facts)  # type: ignore[arg-type]


def others(count: int) -> list[Question]:
    """Copies of a question under ids of their own."""
    return [replace(SINGLE, meta=SINGLE.meta.model_copy(update={"id": f"other-{n}"})) for n in range(count)]


def tally_of(db: Session, question: Question = SINGLE, variant: str = "") -> ItemTally:
    return db.get_one(ItemTally, (question.id, question.content_hash, variant), populate_existing=True)


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


def test_the_first_answer_makes_a_card_and_later_ones_move_it(db: Session, user: User) -> None:
    assert Recorder(db).record(user.id, [wrong(seconds=60.0)]) == [Rating.AGAIN]
    card = db.get_one(ReviewCard, (user.id, SINGLE.id))
    assert (card.reviews, card.lapses, card.last_fraction, card.first_right_at) == (1, 1, 0.0, None)
    assert card.due == NOW + timedelta(minutes=10)
    later = replace(right(seconds=20.0), at=NOW + timedelta(days=1))
    assert Recorder(db).record(user.id, [later]) == [Rating.EASY]
    assert (card.reviews, card.lapses, card.last_fraction, card.first_right_at) == (2, 1, 1.0, later.at)
    assert card.state == State.REVIEW
    assert card.due > later.at + timedelta(days=1)
    assert db.scalar(select(func.count()).select_from(ReviewCard)) == 1


def test_the_learner_s_own_share_decides_the_date(db: Session, user: User) -> None:
    keen = users.user(db)
    db.add(PracticeSetting(user_id=keen.id, retention=0.97, session_length=10))
    for person in (user, keen):
        Recorder(db).record(person.id, [right(), replace(right(), at=NOW + timedelta(days=3))])
    assert db.get_one(ReviewCard, (keen.id, SINGLE.id)).due < db.get_one(ReviewCard, (user.id, SINGLE.id)).due


def test_a_learner_counts_once_for_each_version(db: Session, user: User) -> None:
    Recorder(db).record(user.id, [wrong(), right()])
    Recorder(db).record(user.id, [right()])
    tally = tally_of(db)
    assert (tally.answers, tally.counted, tally.correct, tally.x) == (3, 1, 0, 0.0)
    edited = replace(SINGLE, content_hash="f" * 64)
    Recorder(db).record(user.id, [right(edited)])
    assert (tally_of(db).answers, tally_of(db).x) == (3, 0.0)  # an edit leaves what was counted alone
    assert (tally_of(db, edited).counted, tally_of(db, edited).x) == (1, 1.0)
    assert db.get_one(ReviewCard, (user.id, SINGLE.id)).reviews == 4


def test_variants_are_counted_apart(db: Session, user: User) -> None:
    variants = questions.question("variants")
    for seed in (1, 2, 2):
        encounter = Encounter(
            variants, variants.grade(questions.right_answer(variants, seed), seed), NOW, variant=str(seed)
        )
        Recorder(db).record(user.id, [encounter])
    assert tally_of(db, variants, "1").counted == 1
    assert tally_of(db, variants, "2").answers == 2


def test_the_rest_is_of_other_questions_and_asks_for_five(db: Session, user: User) -> None:
    Recorder(db).record(user.id, [right(one) for one in others(4)])
    Recorder(db).record(user.id, [wrong()])
    assert tally_of(db).pairs == 0
    friend = users.user(db)
    Recorder(db).record(friend.id, [right(one) for one in others(4)] + [wrong(others(5)[4])])
    Recorder(db).record(friend.id, [wrong()])
    tally = tally_of(db)
    assert (tally.pairs, tally.px) == (1, 0.0)
    assert tally.py == pytest.approx(0.8)


def test_an_older_version_is_not_part_of_the_rest(db: Session, user: User) -> None:
    Recorder(db).record(user.id, [right(), *(wrong(one) for one in others(5))])
    edited = replace(SINGLE, content_hash="f" * 64)
    Recorder(db).record(user.id, [right(edited)])
    assert (tally_of(db, edited).pairs, tally_of(db, edited).py) == (1, 0.0)


def test_options_and_times_are_of_counted_answers(db: Session, user: User) -> None:
    Recorder(db).record(user.id, [wrong(seconds=30.0)])
    Recorder(db).record(user.id, [right(seconds=2.0)])
    Recorder(db).record(users.user(db).id, [right(seconds=31.0)])
    rows = {(row.what, row.key): row.count for row in db.scalars(select(ItemCount))}
    by_truth = {option.right: option.key for option in SINGLE.options[:2]}
    assert rows[CountOf.OPTION, by_truth[True]] == 1
    assert rows[CountOf.OPTION, by_truth[False]] == 1
    times = {int(key): count for (what, key), count in rows.items() if what == CountOf.SECONDS}
    assert statistics.median_seconds(times) == pytest.approx(30.5, rel=0.08)
    assert sum(times.values()) == 2


def test_an_hour_away_is_no_answer_time(db: Session, user: User) -> None:
    assert Recorder(db).record(user.id, [right(seconds=5000.0)]) == [Rating.GOOD]
    assert not db.scalars(select(ItemCount).where(ItemCount.what == CountOf.SECONDS)).all()


@pytest.mark.parametrize(
    ("kind", "answer", "keys"),
    [
        ("numeric", "18", ["right"]),
        ("numeric", "2.4", ["foreseen"]),
        ("numeric", "7", ["unforeseen"]),
        ("numeric", None, ["blank"]),
        ("short", "request id", ["foreseen"]),
        ("cloze", {"lock": "NOWAIT"}, ["lock", "order"]),
        ("cloze", {"lock": "SKIP LOCKED"}, ["order"]),
    ],
)
def test_what_is_counted_of_a_typed_answer(kind: str, answer: object, keys: list[str]) -> None:
    question = questions.question(kind)
    assert list(chosen_keys(kind, question.grade(answer))) == keys  # type: ignore[arg-type]


def test_the_sums_say_what_the_answers_say(db: Session) -> None:
    chance = random.Random(8)
    pool = others(12)
    answers: list[statistics.Answered] = []
    for person in [users.user(db) for _ in range(6)]:
        for _ in range(6):
            batch = [
                chance.choice((right, wrong))(one, seconds=chance.uniform(5, 90))
                for one in chance.sample(pool, 3)
            ]
            Recorder(db).record(person.id, batch)
            answers += [
                statistics.Answered(
                    str(person.id),
                    one.question.id,
                    one.graded.fraction,
                    tuple(f.key for f in one.graded.feedback if f.chosen),
                    one.seconds,
                )
                for one in batch
            ]
    for question_id, expected in statistics.report(answers).items():
        row = db.get_one(ItemTally, (question_id, SINGLE.content_hash, ""), populate_existing=True)
        for name in statistics.Tally.__slots__:
            assert getattr(row, name) == pytest.approx(getattr(expected.tally, name)), name
        counts = db.scalars(select(ItemCount).where(ItemCount.question_id == question_id)).all()
        options = {row.key: row.count for row in counts if row.what == CountOf.OPTION}
        assert options == {key: one.chosen for key, one in expected.options.items()}
        assert {int(r.key): r.count for r in counts if r.what == CountOf.SECONDS} == expected.times


def test_a_renamed_question_keeps_its_card(db: Session, user: User) -> None:
    Recorder(db).record(user.id, [wrong()])
    renamed = replace(SINGLE, meta=SINGLE.meta.model_copy(update={"id": "new-name", "replaces": (SINGLE.id,)}))
    Recorder(db).record(user.id, [right(renamed)])
    assert db.get_one(ReviewCard, (user.id, SINGLE.id)).reviews == 2
    assert db.get(ReviewCard, (user.id, "new-name")) is None


@contextmanager
def counted(db: Session) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(db.get_bind(), "before_cursor_execute", note)
    yield seen
    event.remove(db.get_bind(), "before_cursor_execute", note)


def test_ten_answers_at_once_take_a_handful_of_statements(db: Session, user: User) -> None:
    db.commit()
    with counted(db) as statements:
        Recorder(db).record(user.id, [right(one, seconds=20.0) for one in others(10)])
    assert len(statements) <= 6, statements
