"""Fills a portal's database with learners and what they did: rows in bulk, the same for SQLite and for PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import psycopg

from bench.pages.answers import PASS_DAYS, pool
from bench.pages.history import COLUMNS, Habits, Historian, Rows
from bench.result import note
from portal.content import Content
from portal.database import Database

BATCH = 500
"""Learners whose rows are held in memory at once."""
SHARES = (0.1, 0.2, 0.4, 0.7, 1.0, 1.2, 1.6, 2.8)
"""How much learners do, of the mean: a few do most."""
HEAVY_ANSWERS = 5_000
HEAVY_SUBMISSIONS = 40
SUBMISSION_SHARE = 0.03
"""Of the attempts; the others are answers."""
REPORTS_EVERY = 40
"""One learner of so many reports a question."""
WITH_IDS = ("users", "practice_sessions", "quiz_attempts", "submissions")
"""Tables whose ids are chosen here."""
SERIAL = (*WITH_IDS, "lesson_reads", "lab_sessions", "question_reports")


@dataclass(frozen=True)
class Size:
    """How much is made up."""

    learners: int = 20_000
    attempts: int = 2_000_000
    """Graded answers and submissions together."""


@dataclass(frozen=True)
class Seeded:
    """What there is now."""

    learners: int
    attempts: int
    seconds: float


class Sink(Protocol):
    """Where rows go."""

    def write(self, rows: Rows) -> None:
        """Insert them."""

    def first_id(self, table: str) -> int:
        """The next id that is free."""

    def finish(self) -> None:
        """Leave the database as one is that grew to this: ids counted on, statistics known."""


class SqliteSink:
    """Rows by `executemany` in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, rows: Rows) -> None:
        for table, values in rows.items():
            names = COLUMNS[table]
            sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - ours
            self._connection.executemany(sql, values)

    def first_id(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0])  # noqa: S608

    def finish(self) -> None:
        self._connection.commit()
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class PostgresSink:
    """Rows by COPY."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute("SET LOCAL TIME ZONE 'UTC'")

    def write(self, rows: Rows) -> None:
        with self._connection.cursor() as cursor:
            for table, values in rows.items():
                if values:
                    with cursor.copy(f"COPY {table} ({', '.join(COLUMNS[table])}) FROM STDIN") as copy:
                        for row in values:
                            copy.write_row(row)

    def first_id(self, table: str) -> int:
        row = self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])

    def finish(self) -> None:
        for table in SERIAL:
            self._connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
            )
        self._connection.commit()
        self._connection.autocommit = True
        self._connection.execute("VACUUM (ANALYZE)")


@contextmanager
def sink_of(database: Database) -> Iterator[Sink]:
    """A sink for the database, on a connection of its own."""
    raw = database.engine.raw_connection()
    try:
        driver: Any = raw.driver_connection
        if database.engine.dialect.name == "sqlite":
            driver.execute("PRAGMA cache_size = -200000")
            yield SqliteSink(driver)
        else:
            yield PostgresSink(driver)
    finally:
        raw.invalidate()


def seed(database: Database, content: Content, size: Size, typical: int, heavy: int) -> Seeded:
    """Make up learners until there are `size.learners`, and what all did. `typical` and `heavy` are accounts that
    exist: one comes to do as much as most, the other HEAVY_ANSWERS answers and all labs.
    """
    begun = time.monotonic()
    random = Random(7)
    now = int(time.time())
    mean = size.attempts / size.learners
    with sink_of(database) as sink:
        ids = {table: sink.first_id(table) for table in WITH_IDS}
        historian = Historian(content, pool(content.bank), now, ids)
        heavy_answers = min(HEAVY_ANSWERS, size.attempts // 4)
        historian.learner(
            heavy, Habits(heavy_answers, len(PASS_DAYS), 1_000, min(HEAVY_SUBMISSIONS, heavy_answers)), random
        )
        historian.learner(typical, _habits(mean, 1.0, random), random)
        first = ids["users"]
        people = max(0, size.learners - first + 1)
        for number in range(people):
            user_id = first + number
            historian.rows["users"].append(
                (user_id, f"seeded{user_id}@bench.example", f"Learner {user_id}", None, "learner", True, 0,
                 "2026-01-02 03:04:05.000000")
            )  # fmt: skip
            left = size.attempts - historian.answers
            share = SHARES[number % len(SHARES)] * left / (people - number) / mean
            historian.learner(user_id, _habits(mean, share, random), random)
            if number % REPORTS_EVERY == 0:
                historian.report(user_id, random)
            if number % BATCH == BATCH - 1:
                sink.write(historian.take())
                if number // BATCH % 8 == 7:
                    note(f"{user_id:,} learners, {historian.answers:,} attempts …")
        sink.write(historian.take())
        sink.write(historian.take_sums())
        sink.finish()
    return Seeded(first + people - 1, historian.answers, time.monotonic() - begun)


def _habits(mean: float, share: float, random: Random) -> Habits:
    attempts = max(1, round(mean * share))
    submissions = round(attempts * SUBMISSION_SHARE + random.random() - 0.5)
    return Habits(
        answers=max(0, attempts - submissions),
        passes=random.randint(1, 4),
        lessons=min(72, round(20 * share)),
        submissions=submissions,
    )
