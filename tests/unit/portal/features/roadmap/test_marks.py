"""Reading positions and notes in lessons."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Invalid
from portal.features.roadmap import MarkService
from portal.features.roadmap.marks import NOTE_MAX
from portal.models import LessonMark, User
from roadmap import Kind, Lesson
from tests.factories import users


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def marks(db: Session, content: Content, user: User) -> MarkService:
    return MarkService(db, content.roadmap, user.id)


@pytest.fixture
def lessons(content: Content) -> list[Lesson]:
    return list(content.roadmap.lessons.values())


def test_nothing_is_there_before_reading(marks: MarkService, lessons: list[Lesson]) -> None:
    assert marks.of(lessons[0]).heading == ""
    assert marks.latest() is None


def test_a_position_is_remembered_within_its_bounds(
    marks: MarkService, lessons: list[Lesson], db: Session
) -> None:
    marks.remember(lessons[0], "what-it-costs", 40)
    marks.remember(lessons[0], "x" * 500, 900)
    db.flush()

    found = marks.of(lessons[0])

    assert (found.heading, found.percent) == ("x" * 120, 100)


def test_the_lesson_that_was_open_last_is_known(marks: MarkService, lessons: list[Lesson], db: Session) -> None:
    marks.remember(lessons[0], "a", 10)
    marks.remember(lessons[1], "b", 20)
    db.flush()
    row = db.get(LessonMark, (marks.user_id, lessons[1].id))
    assert row is not None
    row.seen_at -= timedelta(hours=1)
    db.flush()

    latest = marks.latest()

    assert latest is not None
    assert (latest[0].id, latest[1].heading) == (lessons[0].id, "a")


def test_a_note_is_stored_changed_and_taken_away(
    marks: MarkService, lessons: list[Lesson], db: Session
) -> None:
    marks.remember(lessons[0], "a", 10)
    marks.write_note(lessons[0], " first\r\nsecond ")
    db.flush()
    assert marks.of(lessons[0]).note == "first\nsecond"
    assert marks.of(lessons[0]).heading == "a"
    with pytest.raises(Invalid, match="at most 10,000"):
        marks.write_note(lessons[0], "x" * (NOTE_MAX + 1))
    marks.write_note(lessons[0], "")
    db.flush()
    assert marks.of(lessons[0]).note == ""


def test_a_lesson_that_replaces_another_keeps_position_and_note(
    db: Session, content: Content, user: User, lessons: list[Lesson]
) -> None:
    old = replace(lessons[0], id="old-name")
    before = MarkService(db, content.roadmap, user.id)
    before.remember(old, "a", 30)
    before.write_note(old, "keep me")
    db.flush()
    replaced = MappingProxyType({Kind.LESSON: MappingProxyType({"old-name": lessons[0].id})})
    after = MarkService(db, replace(content.roadmap, replaced=replaced), user.id)

    assert (after.of(lessons[0]).note, after.of(lessons[0]).heading) == ("keep me", "a")
    latest = after.latest()
    assert latest is not None
    assert latest[0].id == lessons[0].id
    after.write_note(lessons[0], "")
    db.flush()
    assert after.of(lessons[0]).note == ""


def test_others_see_nothing(db: Session, content: Content, marks: MarkService, lessons: list[Lesson]) -> None:
    marks.write_note(lessons[0], "mine")
    db.flush()

    assert MarkService(db, content.roadmap, users.user(db).id).of(lessons[0]).note == ""
