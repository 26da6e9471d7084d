"""A service's database on PostgreSQL: made when missing, bounded in every wait, honest about conflicts."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import DBAPIError, InternalError

from reference_impl.shared import database as databases
from reference_impl.shared.database import Database, conflicts
from reference_impl.shared.problems import Problem
from reference_impl.shared.settings import Settings, SettingsError
from tests.fixtures.postgres import ScratchServer

pytestmark = pytest.mark.postgres

METADATA = MetaData()
COUNTERS = Table(
    "counters", METADATA, Column("id", Integer, primary_key=True), Column("n", Integer, nullable=False)
)


@pytest.fixture
def settings(postgres: ScratchServer) -> Iterator[Settings]:
    """Settings of a platform whose databases nobody else has."""
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    yield Settings(database_url=url, database_prefix=prefix, database_pool=4)
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{prefix}_counting" WITH (FORCE)')


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = Database.of(settings, "counting", METADATA)
    with made.write() as session:
        session.execute(insert(COUNTERS), [{"id": 1, "n": 0}, {"id": 2, "n": 0}])
    yield made
    made.close()


def test_many_processes_that_start_at_once_make_one_database(settings: Settings) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: Database.of(settings, "counting", METADATA), range(6)))
    for database in made:
        database.ping()
        database.close()


def test_what_was_written_is_there_and_what_failed_is_not(database: Database) -> None:
    def fail_halfway() -> None:
        with database.write() as session:
            session.execute(update(COUNTERS).values(n=7))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with database.read() as session:
        assert set(session.scalars(select(COUNTERS.c.n))) == {0}


def test_a_reader_sees_one_moment_and_can_not_write(database: Database) -> None:
    with database.read() as reader:
        before = reader.scalar(select(COUNTERS.c.n).where(COUNTERS.c.id == 1))
        with database.write() as writer:
            writer.execute(update(COUNTERS).values(n=5))
        assert reader.scalar(select(COUNTERS.c.n).where(COUNTERS.c.id == 1)) == before
    with pytest.raises(InternalError, match="read-only"), database.read() as reader:
        reader.execute(update(COUNTERS).values(n=6))


def test_a_lock_that_is_kept_too_long_is_a_problem_to_tell(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "LOCK_SECONDS", 0.2)
    impatient = Database.of(settings, "counting", METADATA)
    with database.write() as holder:
        holder.execute(update(COUNTERS).where(COUNTERS.c.id == 1).values(n=1))
        with pytest.raises(Problem) as caught, impatient.write() as waiting:
            waiting.execute(update(COUNTERS).where(COUNTERS.c.id == 1).values(n=2))
    assert (caught.value.status, caught.value.name) == (503, "busy")
    impatient.close()


def test_when_all_connections_are_busy_the_next_one_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "LOCK_SECONDS", 0.2)
    small = Database.of(settings.model_copy(update={"database_pool": 1}), "counting", METADATA)
    with small.read() as first:
        first.execute(text("SELECT 1"))
        with pytest.raises(Problem, match="connections"), small.read() as second:
            second.execute(text("SELECT 1"))
    small.close()


def test_a_deadlock_is_a_conflict_and_an_error_of_ours_is_none(database: Database) -> None:
    both_hold_one = threading.Barrier(2)

    def update_in_order(first: int, second: int) -> BaseException | None:
        try:
            with database.write() as session:
                session.execute(update(COUNTERS).where(COUNTERS.c.id == first).values(n=1))
                both_hold_one.wait(60)
                session.execute(update(COUNTERS).where(COUNTERS.c.id == second).values(n=1))
        except DBAPIError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(update_in_order, (1, 2), (2, 1)))
    errors = [end for end in ends if end is not None]
    assert len(errors) == 1
    assert conflicts(errors[0])
    with pytest.raises(DBAPIError) as caught, database.write() as session:
        session.execute(insert(COUNTERS).values(id=1, n=0))
    assert not conflicts(caught.value)


@pytest.mark.parametrize("url", ["mysql://root@localhost", "no url"])
def test_another_kind_of_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="MERIDIAN_DATABASE_URL"):
        Database.of(Settings(database_url=url), "counting", METADATA)
