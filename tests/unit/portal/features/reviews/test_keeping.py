"""Bookmarks, notes, reports."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from portal.errors import Conflict, Invalid
from portal.features.reviews import queries
from portal.features.reviews.keeping import NOTE_MAX, REPORT_MAX, REPORTS_A_DAY, KeepingService
from portal.models import ReportReason, User, utcnow
from tests.factories import practice, users
from tests.fixtures import questions

QUESTION, OTHER = questions.question("single"), questions.question("short")


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def keeping(db: Session, user: User) -> KeepingService:
    return KeepingService(db, user.id)


def test_a_bookmark_is_set_and_taken_away_and_the_note_stays(
    keeping: KeepingService, db: Session, user: User
) -> None:
    keeping.write_note(QUESTION, "  Ask about the planner.\r\n")
    assert keeping.toggle_bookmark(QUESTION)
    assert [(n.bookmarked, n.text) for n in queries.notes(db, user.id)] == [(True, "Ask about the planner.")]
    assert not keeping.toggle_bookmark(QUESTION)
    keeping.write_note(QUESTION, " ")
    db.flush()
    assert queries.notes(db, user.id) == []


def test_notes_are_one_s_own(keeping: KeepingService, db: Session) -> None:
    keeping.write_note(QUESTION, "mine")
    db.flush()
    assert queries.notes(db, users.user(db).id) == []


def test_a_note_is_bounded(keeping: KeepingService) -> None:
    keeping.write_note(QUESTION, "x" * NOTE_MAX)
    with pytest.raises(Invalid, match="Shorten"):
        keeping.write_note(QUESTION, "x" * (NOTE_MAX + 1))


def test_a_report_says_what_was_seen(keeping: KeepingService) -> None:
    made = keeping.report(QUESTION, 7, "wrong-answer", " The second holds, too. ")
    assert (made.question_id, made.content_hash, made.seed) == (QUESTION.id, QUESTION.content_hash, 7)
    assert (made.reason, made.text) == (ReportReason.WRONG_ANSWER, "The second holds, too.")


@pytest.mark.parametrize(
    ("reason", "text", "says"),
    [
        ("no-such-reason", "text", "Choose"),
        ("other", " ", "in a sentence"),
        ("wrong-answer", "", "in a sentence"),
        ("typing", "x" * (REPORT_MAX + 1), "Shorten"),
    ],
)
def test_a_report_that_says_nothing_or_too_much_is_refused(
    keeping: KeepingService, reason: str, text: str, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        keeping.report(QUESTION, 1, reason, text)


def test_a_question_is_reported_once_until_that_is_closed(keeping: KeepingService, db: Session) -> None:
    first = keeping.report(QUESTION, 1, "typing", "")
    with pytest.raises(Conflict, match="already"):
        keeping.report(QUESTION, 1, "typing", "")
    keeping.report(OTHER, 1, "typing", "")
    first.closed_at = utcnow()
    db.flush()
    keeping.report(QUESTION, 1, "typing", "")


def test_reports_are_few_a_day(keeping: KeepingService, db: Session, user: User) -> None:
    for _ in range(REPORTS_A_DAY):
        practice.report(db, user, OTHER)
        practice.report(db, users.user(db), OTHER)
    with pytest.raises(Conflict, match="tomorrow"):
        keeping.report(QUESTION, 1, "typing", "")
    for made in db.query(type(practice.report(db, user, OTHER))):
        made.created_at = utcnow() - timedelta(days=2)
    db.flush()
    keeping.report(QUESTION, 1, "typing", "")
