"""The portal's schema and its few dialect-dependent promises, on PostgreSQL as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.content import Content
from portal.database import Database
from portal.features.accounts import AccountService
from portal.features.roadmap import ProgressService, TopicState
from portal.models import Base, SessionState, Submission, SubmissionState, utcnow
from portal.work.claims import claim
from tests.factories import lab_sessions, submissions, users
from tests.fixtures.postgres import ScratchServer

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["postgresql", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A migrated database of each kind."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path_factory.mktemp('db') / 'portal.db'}")
        database.migrate()
        yield database
        database.close()
        return
    server: ScratchServer = request.getfixturevalue("postgres")
    name = f"portal_{abs(hash(request.node.name)) % 10**8}"
    with server.database(name):
        database = Database(f"postgresql+psycopg://postgres@/{name}?host={server.socket_dir}")
        database.migrate()
        yield database
        database.close()


@pytest.fixture
def session(store: Database) -> Iterator[Session]:
    with store.session() as session:
        yield session


def test_migrations_make_what_the_models_say(store: Database) -> None:
    found = inspect(store.engine)
    for table in Base.metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == {c.name for c in table.columns}
        wanted = {index.name for index in table.indexes}
        assert wanted <= {index["name"] for index in found.get_indexes(table.name)}


def test_one_open_session_and_one_pending_submission(session: Session) -> None:
    user = users.user(session)
    lab_sessions.lab_session(session, user, state=SessionState.STOPPED)
    lab_sessions.lab_session(session, user)
    with pytest.raises(IntegrityError), session.begin_nested():
        lab_sessions.lab_session(session, user, state=SessionState.STARTING)
    submissions.submission(session, user, state=SubmissionState.QUEUED)
    with pytest.raises(IntegrityError), session.begin_nested():
        submissions.submission(session, user, state=SubmissionState.RUNNING)


def test_times_come_back_aware(session: Session) -> None:
    user = users.user(session)
    session.commit()
    session.expire_all()
    assert user.created_at.tzinfo is not None
    assert abs(user.created_at - utcnow()) < timedelta(minutes=1)


def test_a_claim_is_won_once(store: Database, session: Session) -> None:
    row = submissions.submission(session, users.user(session), state=SubmissionState.QUEUED)
    session.commit()
    won = [claim(store, Submission, row.id, stale_seconds=15, heartbeat_seconds=2) for _ in range(3)]
    assert [one is not None for one in won] == [True, False, False]


def test_a_link_works_once(session: Session) -> None:
    service = AccountService(session)
    owner = service.owner()
    token = service.make_sign_in_link(owner)
    session.flush()
    assert service.use_sign_in_link(token) == owner
    assert service.use_sign_in_link(token) is None


def test_progress_is_counted_alike(session: Session, content: Content) -> None:
    user = users.user(session)
    task = content.labs.labs["never-oversell"].tasks[0]
    submissions.submission(session, user, results={task.id: "passed"})
    progress = ProgressService(session, content).of(user.id)
    assert progress.topics[task.proves[0]].state == TopicState.PROVEN
