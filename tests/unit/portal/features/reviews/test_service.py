"""Practice sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound
from portal.features.reviews import queries
from portal.features.reviews.service import PracticeService, Wishes, source_of
from portal.models import (
    ItemTally,
    PracticeAnswer,
    PracticeSession,
    PracticeSource,
    QuestionNote,
    ReviewCard,
    User,
    utcnow,
)
from question_bank import AnswerRefused, Question
from tests.factories import users
from tests.fixtures import questions


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def all_kinds(content: Content) -> Content:
    return questions.content_of(content)


@pytest.fixture
def service(db: Session, all_kinds: Content) -> PracticeService:
    return PracticeService(db, all_kinds)


def begun(service: PracticeService, user: User) -> PracticeSession:
    return service.start(user.id, PracticeSource.MODULE, questions.MODULE)


def of_kind(service: PracticeService, session: PracticeSession, kind: str) -> tuple[PracticeAnswer, Question]:
    question = questions.question(kind)
    return next(one for one in session.answers if one.question_id == question.id), question


def test_a_session_draws_its_questions_with_seeds_and_hashes(service: PracticeService, user: User) -> None:
    session = begun(service, user)
    assert [one.position for one in session.answers] == list(range(1, 11))
    assert {one.question_id for one in session.answers} == {f"a-{kind}" for kind in questions.KINDS}
    assert all(one.content_hash and one.fraction is None for one in session.answers)
    assert len({one.seed for one in session.answers}) == 10


def test_the_length_is_the_learner_s_wish(service: PracticeService, user: User) -> None:
    service.wish(user.id, Wishes(session_length=3))
    assert len(begun(service, user).answers) == 3


def test_starting_anew_ends_the_open_session_of_this_learner_only(
    service: PracticeService, user: User, db: Session
) -> None:
    first, other = begun(service, user), begun(service, users.user(db))
    answer, question = of_kind(service, first, "single")
    service.answer(first, answer, question, None, passed=True)
    second = begun(service, user)
    assert first.finished_at is not None
    assert (second.finished_at, other.finished_at) == (None, None)


def test_a_session_in_which_nothing_was_answered_leaves_nothing(
    service: PracticeService, user: User, db: Session
) -> None:
    for _ in range(3):
        last = begun(service, user)
    db.flush()
    assert db.scalars(select(PracticeSession)).all() == [last]
    assert db.scalar(select(func.count()).select_from(PracticeAnswer)) == 10


def test_bookmarks_of_renamed_questions_are_found(service: PracticeService, user: User, db: Session) -> None:
    db.add(QuestionNote(user_id=user.id, question_id="a-single", bookmarked=True, text=""))
    db.add(QuestionNote(user_id=user.id, question_id="a-short", bookmarked=False, text="a note alone"))
    session = service.start(user.id, PracticeSource.BOOKMARKS)
    assert [one.question_id for one in session.answers] == ["a-single"]


@pytest.mark.parametrize("kind", [kind for kind in questions.KINDS if kind != "open"])
def test_an_answer_is_stored_with_all_that_statistics_need(
    service: PracticeService, user: User, kind: str
) -> None:
    session = begun(service, user)
    answer, question = of_kind(service, session, kind)
    answer.content_hash = "an older version"
    seed = answer.seed % 20 if kind == "variants" else answer.seed
    given = questions.right_answer(question, seed)
    with freeze_time(utcnow()):
        answer.shown_at = utcnow() - timedelta(seconds=30)
        service.answer(session, answer, question, given)
    assert answer.given == given
    assert (answer.fraction, answer.correct) == (1.0, True)
    assert answer.content_hash == question.content_hash
    assert answer.seconds == pytest.approx(30)
    assert answer.variant == (str(seed + 1) if kind == "variants" else "")
    assert answer.rating in (3, 4)


def test_an_open_answer_waits_for_marks(service: PracticeService, user: User, db: Session) -> None:
    session = begun(service, user)
    answer, question = of_kind(service, session, "open")
    service.answer(session, answer, question, "It holds locks.")
    assert answer.given_at is not None
    assert answer.fraction is None
    assert db.get(ReviewCard, (user.id, question.id)) is None
    first = question.grade("It holds locks.").feedback[0].key
    service.mark(session, answer, question, [first])
    assert answer.fraction == pytest.approx(2 / 3)
    assert answer.given == {"text": "It holds locks.", "met": [first]}
    assert db.get_one(ReviewCard, (user.id, question.id)).last_fraction == pytest.approx(2 / 3)
    with pytest.raises(Conflict):
        service.mark(session, answer, question, [])


def test_marks_for_what_the_rubric_does_not_have_are_refused(service: PracticeService, user: User) -> None:
    session = begun(service, user)
    answer, question = of_kind(service, session, "open")
    with pytest.raises(Conflict, match="waits for marks"):
        service.mark(session, answer, question, [])
    service.answer(session, answer, question, "It holds locks.")
    with pytest.raises(AnswerRefused):
        service.mark(session, answer, question, ["no-such-criterion"])
    assert answer.fraction is None


def test_not_knowing_is_an_answer(service: PracticeService, user: User, db: Session) -> None:
    session = begun(service, user)
    for kind in ("single", "open"):
        answer, question = of_kind(service, session, kind)
        service.answer(session, answer, question, "whatever is typed", passed=True)
        assert (answer.given, answer.fraction, answer.rating) == (None, 0.0, 1)
        assert db.get_one(ReviewCard, (user.id, question.id)).lapses == 1


@pytest.mark.parametrize(
    ("kind", "given", "error"),
    [("single", None, Invalid), ("multiple", [], Invalid), ("numeric", "about 3", AnswerRefused)],
)
def test_what_cannot_be_graded_changes_nothing(
    service: PracticeService, user: User, db: Session, kind: str, given: object, error: type[Exception]
) -> None:
    session = begun(service, user)
    answer, question = of_kind(service, session, kind)
    with pytest.raises(error):
        service.answer(session, answer, question, given)  # type: ignore[arg-type]
    assert (answer.given_at, answer.fraction) == (None, None)
    assert db.scalar(select(func.count()).select_from(ReviewCard)) == 0


def test_an_answer_counts_once_even_when_it_arrives_twice(
    service: PracticeService, user: User, db: Session
) -> None:
    session = begun(service, user)
    answer, question = of_kind(service, session, "single")
    given = questions.right_answer(question, answer.seed)
    service.answer(session, answer, question, given)
    # The second request read the row before the first one wrote it.
    answer.given_at = answer.fraction = None
    db.flush()
    db.execute(PracticeAnswer.__table__.update().values(given_at=utcnow()))  # type: ignore[attr-defined]
    with pytest.raises(Conflict):
        service.answer(session, answer, question, given)
    assert db.get_one(ItemTally, (question.id, question.content_hash, "")).answers == 1


def test_the_last_answer_ends_the_session(service: PracticeService, user: User) -> None:
    session = begun(service, user)
    for number, answer in enumerate(session.answers, 1):
        question = service.content.bank.questions[answer.question_id]
        service.answer(session, answer, question, None, passed=True)
        assert (session.finished_at is not None) == (number == len(session.answers))


def test_a_new_share_moves_what_is_in_review_and_nothing_else(
    service: PracticeService, user: User, db: Session
) -> None:
    session, other = begun(service, user), users.user(db)
    known, known_question = of_kind(service, session, "single")
    unknown, unknown_question = of_kind(service, session, "short")
    service.answer(session, known, known_question, questions.right_answer(known_question, known.seed))
    service.answer(session, unknown, unknown_question, None, passed=True)
    theirs = begun(service, other)
    answer, question = of_kind(service, theirs, "single")
    service.answer(theirs, answer, question, questions.right_answer(question, answer.seed))
    dues = {(card.user_id, card.question_id): card.due for card in db.scalars(select(ReviewCard))}
    service.wish(user.id, Wishes(retention=0.7))
    db.flush()
    moved = {(card.user_id, card.question_id): card.due for card in db.scalars(select(ReviewCard))}
    assert moved[user.id, "a-single"] > dues[user.id, "a-single"]
    assert moved[user.id, "a-short"] == dues[user.id, "a-short"]
    assert moved[other.id, "a-single"] == dues[other.id, "a-single"]
    assert service.wishes(user.id) == Wishes(retention=0.7)
    assert service.wishes(other.id) == Wishes()


@pytest.mark.parametrize(
    "wishes",
    [Wishes(retention=0.5), Wishes(retention=1.0), Wishes(session_length=0), Wishes(session_length=51)],
)
def test_wishes_are_bounded(service: PracticeService, user: User, wishes: Wishes) -> None:
    with pytest.raises(Invalid):
        service.wish(user.id, wishes)
    assert queries.setting(service.db, user.id) is None


def test_a_source_that_is_none_is_not_found() -> None:
    assert source_of("due") is PracticeSource.DUE
    with pytest.raises(NotFound):
        source_of("everything")
