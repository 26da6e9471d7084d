"""Pages ask the database little: at most twelve statements, however much a learner has done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content
from portal.database import Database
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
from tests.fixtures.portal import NotedJobs, settings_in, signed_in

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


@dataclass(frozen=True)
class Filled:
    """Two databases: in one there is one of everything, in the other there is a lot besides."""

    little: Path
    much: Path
    user: int
    things: dict[str, object]


@contextmanager
def session_in(path: Path) -> Iterator[Session]:
    """A session in this database file, which is whole by itself when the block has ended."""
    database = Database(f"sqlite:///{path}")
    try:
        with database.session() as db:
            yield db
            db.commit()
    finally:
        database.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, migrated_template: Path, content: Content) -> Filled:
    """Filled once: that takes longer than all that is counted."""
    folder = tmp_path_factory.mktemp("statements")
    little, much = folder / "little.db", folder / "much.db"
    shutil.copy(migrated_template, little)
    with session_in(little) as db:
        user = users.user(db)
        user_id, things = user.id, things_of(db, user, content)
    shutil.copy(little, much)
    with session_in(much) as db:
        busy(db, db.get_one(User, user_id), content)
    return Filled(little, much, user_id, things)


def statements(folder: Path, template: Path, filled: Filled, content: Content, endpoint: str) -> list[str]:
    """What a page asks in a portal that was started anew on this database."""
    settings = settings_in(folder, template)
    _method, path, who = ROUTES[endpoint]
    with session_in(folder / "portal.db") as db:
        user = db.get_one(User, filled.user)
        if who == ADMINS:
            user.role = Role.ADMIN
            reports.worker_status(db)
        if who == INSTRUCTORS:
            user.role = Role.INSTRUCTOR
        db.commit()
        app = create_app(settings, content=content, jobs=NotedJobs())
        database: Database = app.extensions["portal"].database
        try:
            learner = signed_in(app, settings, user)
            with counted(database.engine) as seen:
                learner.flask.get(path.format(**filled.things), base_url=learner.origin)
        finally:
            database.close()
    return seen


@pytest.mark.parametrize("endpoint", PAGES)
def test_a_page_takes_few_statements_and_no_more_when_more_was_done(
    filled: Filled, content: Content, tmp_path: Path, endpoint: str
) -> None:
    before = statements(tmp_path / "little", filled.little, filled, content, endpoint)
    after = statements(tmp_path / "much", filled.much, filled, content, endpoint)
    assert 0 < len(before) <= MOST, before
    assert len(after) <= len(before) + 1, after


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
