"""Pages ask the database little: at most twelve statements, however much a learner has done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import (
    ActivityWork,
    AuthoredQuestion,
    Failure,
    QuestionNote,
    QuizAnswer,
    QuizAttempt,
    Role,
    User,
    Verdict,
    Work,
    WorkState,
    utcnow,
)
from tests.factories import (
    activities,
    authoring,
    lab_sessions,
    practice,
    reports,
    scorecards,
    submissions,
    users,
)
from tests.fitness.test_routes import ADMINS, INSTRUCTORS, ROUTES, SIGNED_IN, things_of
from tests.fixtures.portal import Client

MOST = 12
PAGES = [
    e
    for e, (method, _path, who) in ROUTES.items()
    if method == "GET" and (who in (SIGNED_IN, INSTRUCTORS, ADMINS) or e == "home.index")
]


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("endpoint", PAGES)
def test_a_page_takes_few_statements_and_no_more_when_more_was_done(
    app: Flask, learner: Client, learner_user: User, db: Session, content: Content, endpoint: str
) -> None:
    if ROUTES[endpoint][2] == ADMINS:
        learner_user.role = Role.ADMIN
        reports.worker_status(db)
    if ROUTES[endpoint][2] == INSTRUCTORS:
        learner_user.role = Role.INSTRUCTOR
    things = things_of(db, learner_user, content)
    path = ROUTES[endpoint][1].format(**things)
    engine = app.extensions["portal"].database.engine
    with counted(engine) as before:
        learner.flask.get(path, base_url=learner.origin)
    busy(db, learner_user, content)
    with counted(engine) as after:
        learner.flask.get(path, base_url=learner.origin)
    assert len(before) <= MOST, before
    assert len(after) <= max(len(before), 1) + 1, after


def busy(db: Session, user: User, content: Content) -> None:
    """A lot of work, by this learner and by others."""
    tasks = [task.id for task in content.labs.labs["never-oversell"].tasks]
    for number, person in enumerate([user, *(users.user(db) for _ in range(10))]):
        for _ in range(15):
            submissions.submission(db, person, results=dict.fromkeys(tasks, "passed"))
            attempt = QuizAttempt(
                user_id=person.id, module_id="schema-design", seed=1, finished_at=utcnow(), score=1.0
            )
            attempt.answers = [
                QuizAnswer(question_id=question, position=n, content_hash="", fraction=1.0, correct=True)
                for n, question in enumerate(list(content.bank.questions)[:10], 1)
            ]
            db.add(attempt)
            db.add(Failure(work=Work.LAUNCH, reason=f"reason {number}"))
        # A program is run before it is graded, and nobody runs one here.
        questions = [item for item in content.bank.questions.values() if item.kind != "code"][:30]
        for _ in range(3):
            practice.practice_session(db, person, questions, finished_at=utcnow(), answered=True)
        known = db.scalars(select(AuthoredQuestion).where(AuthoredQuestion.question_id == "write-skew")).one()
        for line in range(5):
            authoring.comment(db, authoring.draft(db, person, question_id=f"draft-{uuid4().hex}"), person)
            authoring.comment(db, known, person, line=line)
        for question in questions:
            db.merge(QuestionNote(user_id=person.id, question_id=question.id, bookmarked=True, text="a note"))
            practice.report(db, person, question)
        if person is not user:
            lab_sessions.lab_session(db, person)
        for activity_id in list(content.roadmap.activities)[5:12]:
            work = activities.work(db, person, activity_id, state=WorkState.HANDED_IN)
            for verdict in (Verdict.RETURNED, Verdict.WITHDRAWN, None):
                activities.hand_in(db, work, verdict=verdict, by=user)
        handed_in = db.scalars(select(ActivityWork).where(ActivityWork.user_id == user.id)).first()
        assert handed_in is not None
        activities.hand_in(db, handed_in, verdict=Verdict.RETURNED, by=person)
        for days in range(40):
            scorecards.entry(db, person, days=days)
        for months in range(2, 8):
            scorecards.month(db, person, months=months)
    db.commit()
