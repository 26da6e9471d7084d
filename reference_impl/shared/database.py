"""A service's own database: short typed transactions on SQLite now, on PostgreSQL by another URL later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Dialect, Enum, MetaData, create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from reference_impl.shared.problems import Problem

LOCK_SECONDS = 5.0
_BEGIN = "meridian_begin"


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


def stored_as_value(states: type[StrEnum]) -> Enum:
    """A column type that keeps the value of a state as text, so that a new state needs no change of the schema."""
    return Enum(
        states,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class Database:
    """One service's tables. `read` sees a snapshot; `write` is one transaction that commits at its end or not at all."""

    def __init__(self, url: str, metadata: MetaData) -> None:
        self._metadata = metadata
        self._engine = create_engine(url, pool_size=10, max_overflow=30, pool_timeout=LOCK_SECONDS)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        # SQLite has one writer. Waiting for a lock of our own is fair and quick; SQLite's own waiting sleeps and starves.
        self._writer = threading.Lock()
        self._after_commit: list[Callable[[], None]] = []
        if self._is_sqlite:
            _prepare_sqlite(self._engine)
        self._writing_engine = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    @classmethod
    def in_directory(cls, directory: Path, name: str, metadata: MetaData) -> Database:
        """The database `<directory>/<name>.sqlite3` with its tables, made when missing."""
        directory.mkdir(parents=True, exist_ok=True)
        database = cls(f"sqlite:///{directory / f'{name}.sqlite3'}", metadata)
        metadata.create_all(database._engine)
        return database

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this after each committed `write`: it wakes whoever relays what was written."""
        self._after_commit.append(callback)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; nothing it does is kept."""
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes commit together. Raises Problem 503 when another writer keeps the lock too long."""
        if self._is_sqlite and not self._writer.acquire(timeout=LOCK_SECONDS):
            raise Problem(
                503, "busy", "The database is busy", "Another writer held the lock too long; try again."
            )
        try:
            with Session(self._writing_engine, expire_on_commit=False) as session, session.begin():
                yield session
        finally:
            if self._is_sqlite:
                self._writer.release()
        for callback in self._after_commit:
            callback()

    def ping(self) -> None:
        """Raise when the database does not answer."""
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


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
