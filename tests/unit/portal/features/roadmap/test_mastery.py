"""A topic is practised by questions once two of it were right, or one on two days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.practice import Encounter, Recorder, rebuilding
from portal.features.roadmap import ProgressService, TopicProgress, TopicState
from portal.models import (
    PracticeAnswer,
    PracticeSession,
    PracticeSource,
    QuizAnswer,
    QuizAttempt,
    ReviewCard,
    User,
)
from question_bank import Question
from roadmap import Kind
from tests.factories import users
from tests.fixtures import questions

MONDAY = datetime(2026, 5, 4, 22, 0, tzinfo=UTC)
LATE_MONDAY = MONDAY + timedelta(hours=1, minutes=59)
TUESDAY = MONDAY + timedelta(hours=2)
FRIDAY = MONDAY + timedelta(days=4)
ONE, OTHER, ELSEWHERE = (
    questions.question("single"),
    questions.question("numeric"),
    questions.question("short", topic="row-locks"),
)


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def bank(content: Content) -> Content:
    return questions.content_of(content, ONE, OTHER, ELSEWHERE)


def answer(db: Session, user: User, question: Question, at: datetime, *, right: bool = True) -> None:
    given = questions.right_answer(question, 0) if right else None
    Recorder(db).record(user.id, [Encounter(question, question.grade(given, 0), at)])


def topic(db: Session, content: Content, user: User, topic_id: str = questions.TOPIC) -> TopicProgress:
    return ProgressService(db, content).of(user.id).topics[topic_id]


def test_one_right_answer_is_a_beginning(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    found = topic(db, bank, user)
    assert found.state == TopicState.UNSEEN
    assert "4 May 2026" in found.hint


def test_two_questions_of_the_topic_make_it_practised(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    answer(db, user, OTHER, FRIDAY)
    found = topic(db, bank, user)
    assert (found.state, found.at, found.hint) == (TopicState.PRACTISED, FRIDAY, "")
    assert found.why == "practised by two questions answered right, the second on 8 May 2026"


def test_a_question_of_another_topic_adds_nothing(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    answer(db, user, ELSEWHERE, MONDAY)
    assert topic(db, bank, user).state == TopicState.UNSEEN
    assert topic(db, bank, user, "row-locks").state == TopicState.UNSEEN


def test_the_same_question_counts_again_on_another_day_only(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    answer(db, user, ONE, LATE_MONDAY)
    assert topic(db, bank, user).state == TopicState.UNSEEN
    answer(db, user, ONE, TUESDAY)
    answer(db, user, ONE, FRIDAY)
    found = topic(db, bank, user)
    assert (found.state, found.at) == (TopicState.PRACTISED, TUESDAY)
    assert found.why == "practised by a question answered right on 4 May 2026 and again on 5 May 2026"


def test_wrong_answers_neither_count_nor_take_away(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    answer(db, user, OTHER, MONDAY, right=False)
    answer(db, user, ONE, TUESDAY, right=False)
    assert topic(db, bank, user).state == TopicState.UNSEEN
    answer(db, user, ONE, FRIDAY)
    answer(db, user, ONE, FRIDAY + timedelta(days=1), right=False)
    assert topic(db, bank, user).state == TopicState.PRACTISED


def test_other_people_s_answers_are_theirs(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    answer(db, users.user(db), OTHER, MONDAY)
    assert topic(db, bank, user).state == TopicState.UNSEEN


def test_quizzes_from_before_there_were_cards_count(db: Session, bank: Content, user: User) -> None:
    for at in (MONDAY, FRIDAY):
        attempt = QuizAttempt(user_id=user.id, module_id=questions.MODULE, seed=1, finished_at=at, score=1.0)
        attempt.answers = [
            QuizAnswer(question_id=ONE.id, position=1, content_hash="", correct=True, fraction=1.0),
            QuizAnswer(question_id=OTHER.id, position=2, content_hash="", correct=False, fraction=0.0),
        ]
        db.add(attempt)
        db.flush()
        expected = TopicState.UNSEEN if at == MONDAY else TopicState.PRACTISED
        assert topic(db, bank, user).state == expected


def test_a_card_and_an_old_quiz_on_another_day_count_together(db: Session, bank: Content, user: User) -> None:
    attempt = QuizAttempt(user_id=user.id, module_id=questions.MODULE, seed=1, finished_at=MONDAY, score=1.0)
    attempt.answers = [QuizAnswer(question_id=ONE.id, position=1, content_hash="", correct=True, fraction=1.0)]
    db.add(attempt)
    answer(db, user, ONE, FRIDAY)
    assert topic(db, bank, user).state == TopicState.PRACTISED


def test_a_question_that_replaces_another_is_the_same_question(
    db: Session, content: Content, user: User
) -> None:
    answer(db, user, ONE, MONDAY)
    renamed = replace(ONE, meta=ONE.meta.model_copy(update={"id": "a-new-name", "replaces": (ONE.id,)}))
    now = questions.content_of(content, renamed)
    db.add(
        ReviewCard(
            **{
                "user_id": user.id,
                "question_id": renamed.id,
                "state": 1,
                "stability": 1.0,
                "difficulty": 1.0,
                "due": MONDAY,
                "last_review": MONDAY,
                "content_hash": "",
                "first_fraction": 1.0,
                "first_right_at": LATE_MONDAY,
            }
        )
    )
    db.flush()
    assert topic(db, now, user).state == TopicState.UNSEEN, "one question, one day"
    answer(db, user, renamed, TUESDAY)
    assert topic(db, now, user).state == TopicState.PRACTISED


def test_a_topic_that_replaces_another_keeps_what_was_practised(db: Session, bank: Content, user: User) -> None:
    answer(db, user, ONE, MONDAY)
    answer(db, user, OTHER, MONDAY)
    catalogue = bank.roadmap
    old = catalogue.topics[questions.TOPIC]
    new = replace(old, id="a-new-topic")
    home = catalogue.modules[old.module]
    edited = replace(
        catalogue,
        topics=MappingProxyType(
            {(new if t.id == old.id else t).id: new if t.id == old.id else t for t in catalogue.topics.values()}
        ),
        modules=MappingProxyType(
            {
                **catalogue.modules,
                home.id: replace(home, topics=tuple(new if t.id == old.id else t for t in home.topics)),
            }
        ),
        replaced=MappingProxyType({**catalogue.replaced, Kind.TOPIC: {old.id: new.id}}),
    )
    found = topic(db, replace(bank, roadmap=edited), user, "a-new-topic")
    assert found.state == TopicState.PRACTISED
    assert found.best in (TopicState.PRACTISED, TopicState.PROVEN), (
        "the questions, which name the old id, still practise it"
    )


def test_a_lab_s_proof_outlives_the_renaming_of_its_topic(db: Session, content: Content, user: User) -> None:
    from tests.factories import submissions

    task = content.labs.labs["never-oversell"].tasks[0]
    submissions.submission(db, user, results={task.id: "passed"}, finished_at=MONDAY)
    old = content.roadmap.topics[task.proves[0]]
    new = replace(old, id="a-new-topic")
    topics = {t.id: t for t in content.roadmap.topics.values() if t.id != old.id} | {new.id: new}
    replaced = MappingProxyType({**content.roadmap.replaced, Kind.TOPIC: {old.id: new.id}})
    edited = replace(
        content, roadmap=replace(content.roadmap, topics=MappingProxyType(topics), replaced=replaced)
    )
    found = topic(db, edited, user, "a-new-topic")
    assert (found.state, found.best) == (TopicState.PROVEN, TopicState.PROVEN)


def test_rebuilding_finds_the_second_day_again(db: Session, bank: Content, user: User) -> None:
    given = questions.right_answer(ONE, 1)
    for at in (MONDAY, TUESDAY):
        session = PracticeSession(user_id=user.id, source=PracticeSource.DUE, created_at=at, finished_at=at)
        session.answers = [
            PracticeAnswer(
                position=1,
                question_id=ONE.id,
                content_hash=ONE.content_hash,
                seed=1,
                given=given,
                given_at=at,
                fraction=1.0,
                correct=True,
            )
        ]
        db.add(session)
    db.flush()
    rebuilding.rebuild(db, bank.bank)
    card = db.get_one(ReviewCard, (user.id, ONE.id))
    assert (card.first_right_at, card.right_again_at) == (MONDAY, TUESDAY)
    assert topic(db, bank, user).state == TopicState.PRACTISED
