"""A service's own database: short typed transactions, on an SQLite file or on PostgreSQL.

Two transactions that get into each other's way end in different errors::

    another one keeps a lock too long, or all connections are busy    Problem 503, the caller may try again
    a deadlock, or a write that another one forestalled               the driver's error, for which `conflicts` is true
    a second row under one unique key                                 sqlalchemy.exc.IntegrityError

Nothing is repeated here: only who began a transaction knows whether all that it did can be done again.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, DateTime, Dialect, Enum, Executable, MetaData, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import QueuePool
from sqlalchemy.types import TypeDecorator

from reference_impl.shared import deadline, metrics, postgres, tracing
from reference_impl.shared.problems import Problem
from reference_impl.shared.settings import Settings
from reference_impl.shared.tracing import SpanName

LOCK_SECONDS = 5.0
NEWS = "news"
"""Set in `session.info` by whoever writes something that is to be relayed."""
_BEGIN = "meridian_begin"
_ENDING = "ending"
_COMMITTED = "committed"


class UtcDateTime(TypeDecorator[datetime]):
    """A time zone aware datetime that stays one on SQLite, which keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a datetime without a time zone can't be stored")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def when_committed(session: Session, call: Callable[[], object]) -> None:
    """Call this once the session's `Database.write` is committed, and never if it is rolled back: how things are counted."""
    session.info[_COMMITTED].append(call)


def at_the_end(session: Session, work: Callable[[Session], None]) -> None:
    """Do this as the last thing in the session's transaction, which has to be a `Database.write`, before it commits."""
    session.info[_ENDING].append(work)


def stored_as_value(states: type[StrEnum]) -> Enum:
    """A column type that keeps the value of a state as text, so that a new state needs no change of the schema."""
    return Enum(
        states,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


@dataclass(frozen=True)
class Connections:
    """How a service's connections stand."""

    in_use: int
    idle: int
    limit: int

    @property
    def exhausted(self) -> bool:
        """Whether the next one who wants a connection has to wait."""
        return self.in_use >= self.limit


class Database:
    """One service's tables. `read` sees a snapshot; `write` is one transaction that commits at its end or not at all."""

    def __init__(self, url: str | URL, metadata: MetaData, **options: Any) -> None:
        self._metadata = metadata
        pool = {"pool_size": 10, "max_overflow": 30, "pool_timeout": LOCK_SECONDS} | options
        self._engine = create_engine(url, **pool)
        self._connections = int(pool["pool_size"] + pool["max_overflow"])
        self._occupied: list[Connection] = []
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite has one writer. Waiting for a lock of our own is fair and quick; SQLite's own waiting sleeps and starves.
        self._writer = threading.Lock()
        self._after_commit: list[Callable[[], None]] = []
        self._writing_engine: Engine = self._engine
        self._reading_engine: Engine = self._engine
        if self._is_sqlite:
            _prepare_sqlite(self._engine)
            self._writing_engine = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        else:
            self._reading_engine = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @classmethod
    def of(cls, settings: Settings, name: str, metadata: MetaData) -> Database:
        """The database of one service with its tables, made when missing, where the settings say.

        Raises SettingsError when the URL can't be used, and the driver's error when the server does not answer.
        """
        if not settings.database_url:
            return cls.in_directory(settings.data, name, metadata)
        url = postgres.ensure_database(settings.database_url, f"{settings.database_prefix}_{name}")
        database = cls(
            url,
            metadata,
            pool_size=settings.database_pool,
            max_overflow=0,
            pool_use_lifo=True,  # a few connections that know their statements, not all in turn
            pool_recycle=postgres.LONGEST_CONNECTION_SECONDS,
            connect_args=postgres.connect_args(f"meridian-{name}", LOCK_SECONDS),
        )
        with database._engine.begin() as connection:
            postgres.one_at_a_time(connection)
            metadata.create_all(connection)
        return database

    @classmethod
    def in_directory(cls, directory: Path, name: str, metadata: MetaData) -> Database:
        """The database `<directory>/<name>.sqlite3` with its tables, made when missing."""
        directory.mkdir(parents=True, exist_ok=True)
        database = cls(f"sqlite:///{directory / f'{name}.sqlite3'}", metadata)
        metadata.create_all(database._engine)
        return database

    @property
    def is_postgres(self) -> bool:
        """Whether PostgreSQL is underneath, for what only it can do."""
        return not self._is_sqlite

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this after each committed `write` that has NEWS: it wakes whoever relays what was written."""
        self._after_commit.append(callback)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads, all of it as of one moment. Raises Problem 503 and 504 like `write`."""
        deadline.check()
        with _busy_told(), Session(self._reading_engine, expire_on_commit=False) as session:
            yield session
            if self.is_postgres:
                # It can't have written. After a rollback the driver would forget every statement that it has prepared.
                session.commit()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes commit together.

        Raises Problem 503 when another writer keeps the lock too long, and 504 when nobody waits for it any more.
        """
        deadline.check()
        with (
            tracing.inner(SpanName.TRANSACTION),
            self._turn(),
            _busy_told(),
            Session(self._writing_engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            deadline.begin()  # after the wait for the lock
            ending: list[Callable[[Session], None]] = []
            committed: list[Callable[[], object]] = []
            session.info |= {_ENDING: ending, _COMMITTED: committed}
            yield session
            if ending:
                session.flush()
                for work in ending:
                    work(session)
        for call in committed:
            call()
        if session.info.get(NEWS):
            for callback in self._after_commit:
                callback()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The right to write: on SQLite, of one at a time."""
        if not self._is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=LOCK_SECONDS):
            raise _busy("lock", "Another writer held the lock too long; try again.")
        try:
            yield
        finally:
            self._writer.release()

    def occupy(self, share: float) -> None:
        """Hold this share of the connections and leave the rest; 0 gives all back. A fault, for one thread to set."""
        wanted = round(share * self._connections)
        while len(self._occupied) > wanted:
            self._occupied.pop().close()
        while len(self._occupied) < wanted:
            self._occupied.append(self._engine.connect())

    def ping(self) -> None:
        """Raise when the database does not answer."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def connections(self) -> Connections:
        """How many connections there are now."""
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        return Connections(in_use=pool.checkedout(), idle=pool.checkedin(), limit=self._connections)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def conflicts(error: BaseException) -> bool:
    """Whether a transaction failed only because another one was in its way: all of it may be tried again."""
    return isinstance(error, DBAPIError) and postgres.sqlstate(error) in postgres.CONFLICTS


def insert_into(session: Session, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what to do when the row is there already, in the words of this session's database."""
    return _insert_into(session.get_bind().dialect.name, table)


def _insert_into(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_if_new(session: Session, model: type[DeclarativeBase] | Table, returned: str) -> Executable:
    """An INSERT that passes over rows that are there already and returns this column of those that were not."""
    table = model if isinstance(model, Table) else table_of(model)
    return _insert_if_new(session.get_bind().dialect.name, table, returned)


# Composing it costs more than what the database does with it; there is one a table.
@functools.lru_cache(maxsize=256)
def _insert_if_new(dialect: str, table: Table, returned: str) -> Executable:
    return _insert_into(dialect, table).on_conflict_do_nothing().returning(table.c[returned])


def table_of(model: type[DeclarativeBase]) -> Table:
    """The table of a model. An INSERT into it costs half of one by the model, which looks for objects to update."""
    return cast(Table, model.__table__)


@contextmanager
def _busy_told() -> Iterator[None]:
    """Make a wait that took too long a problem to be told to the caller."""
    try:
        yield
    except PoolTimeout as error:
        raise _busy("pool", "All connections were in use for too long; try again.") from error
    except DBAPIError as error:
        if postgres.sqlstate(error) not in postgres.TOO_SLOW:
            raise
        raise _busy("lock", "A lock or a statement took too long; try again.") from error


def _busy(reason: str, detail: str) -> Problem:
    metrics.DATABASE_BUSY.labels(reason).inc()
    return Problem(503, "busy", "The database is busy", detail)


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, in the mode we need
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={int(LOCK_SECONDS * 1000)}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get(_BEGIN, "BEGIN")))
