"""The portal's schema and its few dialect-dependent promises, on PostgreSQL as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.content import Content
from portal.database import MIGRATIONS, Database
from portal.errors import Conflict
from portal.features.accounts import AccountService
from portal.features.insights import queries as insight_queries
from portal.features.insights.service import InsightService
from portal.features.lab_sessions import queries
from portal.features.portfolio.reviewing import ReviewService
from portal.features.portfolio.service import PortfolioService
from portal.features.practice import Encounter, Recorder, rebuild
from portal.features.reviews import queries as practice_queries
from portal.features.reviews.service import PracticeService
from portal.features.roadmap import ProgressService, TopicState
from portal.features.scorecard.service import ScorecardService
from portal.models import (
    ActivityWork,
    Base,
    ItemTally,
    LabSession,
    PracticeAnswer,
    PracticeSession,
    PracticeSource,
    ReviewCard,
    Role,
    SessionState,
    Submission,
    SubmissionState,
    User,
    WorkState,
    utcnow,
)
from portal.work.claims import claim
from tests.factories import activities, lab_sessions, practice, submissions, users
from tests.fixtures import questions
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


def revise(store: Database, revision: str) -> None:
    """Move the schema up or down to a revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        move = command.upgrade if revision == "head" else command.downgrade
        move(config, revision)
        connection.commit()


def test_the_queue_can_be_taken_back_and_brought_again(store: Database) -> None:
    with store.transaction() as db:
        user = users.user(db)
        waiting = lab_sessions.lab_session(db, user, state=SessionState.QUEUED).id
        running = lab_sessions.lab_session(db, user, lab_id="other").id
        with pytest.raises(IntegrityError), db.begin_nested():
            lab_sessions.lab_session(db, user, state=SessionState.STARTING)
    revise(store, "0001")
    columns = {column["name"] for column in inspect(store.engine).get_columns("lab_sessions")}
    assert not columns & {"admitted_at", "extensions", "usage_bytes", "end_reason"}
    with store.engine.begin() as connection:
        states = {key: state for key, state in connection.execute(text("SELECT id, state FROM lab_sessions"))}
        assert states == {waiting: "stopped", running: "ready"}
        made = (
            "INSERT INTO lab_sessions (user_id, lab_id, state, phase, detail, log, driver, sandbox_id, access_token, services, "
            "requested_at) SELECT user_id, lab_id, :state, phase, detail, log, driver, :key, access_token, services, "
            "requested_at FROM lab_sessions WHERE id = :id"
        )
        connection.execute(text(made), {"state": "ready", "key": "k1", "id": waiting})
    with pytest.raises(IntegrityError), store.engine.begin() as connection:
        connection.execute(text(made), {"state": "starting", "key": "k2", "id": waiting})
    revise(store, "head")
    test_migrations_make_what_the_models_say(store)
    with store.session() as db:
        row = db.get_one(LabSession, running)
        assert (row.extensions, row.end_reason, row.usage_bytes) == (0, "", None)
        with pytest.raises(IntegrityError), db.begin_nested():
            lab_sessions.lab_session(db, db.get_one(User, row.user_id), state=SessionState.QUEUED)


def test_the_place_in_the_queue_is_by_time_then_by_row(session: Session) -> None:
    now = utcnow()
    early, late, same = (
        lab_sessions.lab_session(session, users.user(session), state=SessionState.QUEUED, requested_at=at)
        for at in (now - timedelta(minutes=1), now + timedelta(minutes=1), now + timedelta(minutes=1))
    )
    lab_sessions.lab_session(session, users.user(session), requested_at=now - timedelta(hours=1))
    assert [queries.place_for_sandbox(session, row) for row in (early, late, same)] == [1, 2, 3]


def test_times_come_back_aware(session: Session) -> None:
    user = users.user(session)
    session.commit()
    session.expire_all()
    assert user.created_at.tzinfo is not None
    assert abs(user.created_at - utcnow()) < timedelta(minutes=1)


def test_a_claim_is_won_once(store: Database, session: Session) -> None:
    row = submissions.submission(session, users.user(session), state=SubmissionState.QUEUED)
    session.commit()
    won = [claim(store, Submission, row.id, stale_seconds=900, heartbeat_seconds=2) for _ in range(3)]
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


def test_answers_are_summed_alike(session: Session, content: Content) -> None:
    single = questions.question("single")
    bank = questions.content_of(content, single)
    right = single.grade(questions.right_answer(single, 0))
    for seconds in (10, 20, 90):
        user = users.user(session)
        for _ in range(2):  # the second adds to a row that is there
            encounter = Encounter(single, right, utcnow(), seconds=float(seconds))
            Recorder(session).record(user.id, [encounter])
    (item,) = InsightService(session, bank).items()
    assert (item.tally.answers, item.tally.counted, item.tally.facility) == (6, 3, 1.0)
    assert item.median_seconds == pytest.approx(20, rel=0.08)
    counts = insight_queries.option_counts(session, single.id, single.content_hash)
    assert [one.chosen for one in counts.values()] == [3]


def test_practice_is_rebuilt_alike(session: Session, content: Content) -> None:
    bank = questions.content_of(content)
    service, user = PracticeService(session, bank), users.user(session)
    practised = service.start(user.id, PracticeSource.MODULE, questions.MODULE)
    for answer in practised.answers:
        question = bank.bank.questions[answer.question_id]
        service.show(answer)
        service.answer(practised, answer, question, None, passed=True)
    session.flush()
    assert len(service.chooser(user.id).dues()) == 10
    assert rebuild(session, bank.bank).answers == 10
    assert len(service.chooser(user.id).dues()) == 10
    assert ProgressService(session, bank).of(user.id).topics[questions.TOPIC].state == TopicState.UNSEEN
    known = [questions.question("single"), questions.question("numeric")]
    practice.practice_session(session, user, known, answered=True)
    assert ProgressService(session, bank).of(user.id).topics[questions.TOPIC].state == TopicState.PRACTISED


def test_answers_from_two_browsers_at_once_all_count(store: Database, content: Content) -> None:
    bank = questions.content_of(content, questions.question("single"))
    with store.transaction() as db:
        user_id = users.user(db).id
        service = PracticeService(db, bank)
        sessions = []
        for _ in range(4):
            sessions.append(service.start(user_id, PracticeSource.MODULE, questions.MODULE).id)
            service.show(db.get_one(PracticeAnswer, (sessions[-1], 1)))
            db.execute(update(PracticeSession).values(finished_at=utcnow()))
            db.expire_all()
    together = Barrier(len(sessions))

    def answer(session_id: int) -> None:
        with store.transaction() as db:
            service = PracticeService(db, bank)
            practised = practice_queries.session(db, user_id, session_id)
            assert practised is not None
            together.wait(60)
            service.answer(practised, practised.answers[0], questions.question("single"), None, passed=True)

    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(answer, sessions))
    with store.session() as db:
        assert db.scalars(select(ReviewCard)).one().reviews == len(sessions)
        tally = db.scalars(select(ItemTally)).one()
        assert (tally.answers, tally.counted) == (len(sessions), 1)


def test_the_day_on_which_a_question_was_right_again_is_found_in_old_answers(
    store: Database, content: Content
) -> None:
    bank = questions.content_of(content, questions.question("single"))
    first = datetime(2026, 5, 4, 22, 0, tzinfo=UTC)
    with store.transaction() as db:
        learner, hasty = users.user(db), users.user(db)
        for user, again in ((learner, timedelta(hours=2)), (hasty, timedelta(hours=1))):
            for at in (first, first + again, first + timedelta(days=9)):
                made = practice.practice_session(db, user, [questions.question("single")], answered=True)
                made.answers[0].given_at = at
                made.answers[0].correct = user is learner or at <= first + again
            card = db.scalars(select(ReviewCard).where(ReviewCard.user_id == user.id)).one()
            card.first_right_at = first
        ids = learner.id, hasty.id
    revise(store, "0006")
    revise(store, "head")
    with store.session() as db:
        found = [db.get_one(ReviewCard, (id_, "a-single")).right_again_at for id_ in ids]
        assert found == [first + timedelta(hours=2), None]
        states = [ProgressService(db, bank).of(id_).topics[questions.TOPIC].state for id_ in ids]
        assert states == [TopicState.PRACTISED, TopicState.UNSEEN]


def test_of_two_instructors_who_claim_at_once_one_has_it(store: Database) -> None:
    with store.transaction() as db:
        waiting = activities.hand_in(db, activities.work(db, users.user(db), state=WorkState.HANDED_IN)).id
        instructors = [users.user(db, role=Role.INSTRUCTOR).id for _ in range(2)]
    barrier = Barrier(2)

    def claim_it(instructor: int) -> bool:
        with store.session() as db:
            barrier.wait(60)
            try:
                ReviewService(db, instructor).claim(waiting)
            except Conflict:
                return False
            db.commit()
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(claim_it, instructors)) == [False, True]


def test_an_activity_that_is_begun_twice_at_once_is_begun_once(store: Database, content: Content) -> None:
    made = activities.content_with(content)
    with store.transaction() as db:
        user_id = users.user(db).id
    barrier = Barrier(2)

    def begin(_number: int) -> None:
        with store.session() as db:
            barrier.wait(60)
            PortfolioService(db, made, user_id).start(activities.activity())
            db.commit()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(begin, range(2)))
    with store.session() as db:
        assert len(db.scalars(select(ActivityWork)).all()) == 1


def test_an_approval_and_a_month_are_counted_alike(session: Session, content: Content) -> None:
    made, user = activities.content_with(content), users.user(session)
    at = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
    activities.work(session, user, state=WorkState.APPROVED, done_at=at, approved_at=at)
    progress = ProgressService(session, made).of(user.id)
    assert progress.topics[activities.TOPICS[0]].state == TopicState.PROVEN
    card = ScorecardService(session, made, user.id, at)
    card.log("comment-on-posts", "2026-05-04", "", "")
    for _ in range(2):
        (month,) = card.look(progress).months
    assert month.measured["networking-and-visibility"].kept == 1
