from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.home import queries
from portal.features.plan.contents import ordered
from portal.models import LessonMark, LessonRead, User, utcnow
from tests.factories import lab_sessions, plans, practice, users
from tests.fixtures.portal import Client


@pytest.fixture(autouse=True)
def today() -> Iterator[None]:
    """The week of a plan does not end between its beginning and a look at it."""
    with freeze_time(utcnow()):
        yield


def test_who_has_left_no_trace_chooses_a_track(learner: Client, content: Content) -> None:
    page = learner.get("/").text

    assert "Welcome, " in page
    for track in content.roadmap.tracks:
        assert f'href="/plan/new?track={track}"' in page


def test_the_lesson_that_was_open_is_continued_at_its_section_until_it_is_read(
    learner: Client, db: Session, learner_user: User, content: Content
) -> None:
    lesson = next(iter(content.roadmap.lessons.values()))
    db.add(LessonMark(user_id=learner_user.id, lesson_id=lesson.id, heading="the-failure", percent=20))
    db.commit()

    page = learner.get("/").text
    assert f'href="/lessons/{lesson.id}#the-failure"' in page
    assert "at “The failure”" in page

    db.add(LessonRead(user_id=learner_user.id, lesson_id=lesson.id, content_hash=""))
    db.commit()
    assert f'href="/lessons/{lesson.id}#the-failure"' not in learner.get("/").text


def test_open_work_is_offered_again(learner: Client, db: Session, learner_user: User, content: Content) -> None:
    questions = [q for q in content.bank.questions.values() if q.kind == "single"][:3]
    session = practice.practice_session(db, learner_user, questions)
    session.answers[0].given_at = utcnow()
    lab_sessions.lab_session(db, learner_user)
    db.commit()

    page = learner.get("/").text

    assert "1 of 3 questions answered" in page
    assert f'href="/practice/sessions/{session.id}"' in page
    assert "Your sandbox is running" in page


def test_the_week_of_the_plan_is_there_with_what_is_done(
    learner: Client, db: Session, learner_user: User, content: Content
) -> None:
    plans.plan(db, learner_user, content, plans.wishes(content, hours=60))
    db.commit()
    assert "is-done" not in learner.get("/").text

    first = ordered(content.roadmap.tracks["solution-architect"], content.roadmap)[0]
    db.add(LessonRead(user_id=learner_user.id, lesson_id=first.lessons[0], content_hash=""))
    db.commit()

    page = learner.get("/").text
    assert 'class="is-done"' in page
    assert "As planned." in page


def test_what_waits_in_practice_is_the_learner_s_own(db: Session, content: Content) -> None:
    one, other = users.user(db), users.user(db)
    questions = [q for q in content.bank.questions.values() if q.kind == "single"][:4]
    practice.practice_session(db, one, questions, finished_at=utcnow(), answered=True)
    practice.practice_session(db, other, questions[:2])

    mine, theirs = queries.waiting(db, one.id), queries.waiting(db, other.id)

    assert (mine.session, mine.questions) == (None, 0)
    assert (theirs.due, theirs.questions, theirs.answered) == (0, 2, 0)
    assert len(queries.moments(db, one.id, utcnow() - timedelta(hours=1))) == 4
    assert queries.moments(db, one.id, utcnow() + timedelta(hours=1)) == []
    assert queries.moments(db, other.id, utcnow() - timedelta(hours=1)) == []
