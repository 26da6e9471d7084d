"""A race at its worst moment, without luck: another transaction is open until the learner's call waits for what it holds.

By then the call has read what it wants to read, and writes after the rival.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import errors as pg

from labs.under_test import LabUnderTest

MEET_SECONDS = 20.0
"""How long a call has to come to where it waits for the rival."""
LOOK_SECONDS = 0.01
# Not by pg_stat_activity, which shows a transaction the sessions of its first look for as long as it lasts.
WAITING = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
)

Result = TypeVar("Result")
Rival = psycopg.Connection[Any]


@dataclass(frozen=True)
class Meeting(Generic[Result]):
    """How a call and its rival met."""

    result: Result
    """What the call came to."""
    waited: bool
    """Whether the call waited for the rival."""
    committed: bool
    """Whether the rival could commit."""


def against_rival(
    lab: LabUnderTest,
    prepare: Callable[[Rival], object],
    call: Callable[[], Result],
    look: Callable[[Rival], object] | None = None,
    *,
    commits: bool = True,
    seconds: float = MEET_SECONDS,
) -> Meeting[Result]:
    """Make the call while a rival's transaction is open, which ends once the call waits for it or is through, or after `seconds`.

    `prepare` does in the rival's transaction what the call is to meet, and `look` is made in it while the call waits. The rival
    rolls back unless it `commits`. Whatever the call raises is raised.
    """
    with ThreadPoolExecutor(1) as pool, lab.sql() as rival:
        prepare(rival)
        pending = pool.submit(call)
        waited = comes_to_wait(rival, pending, seconds)
        if waited and look is not None:
            look(rival)
        committed = commits and _commits(rival)
        if not committed:
            rival.rollback()
        return Meeting(pending.result(), waited, committed)


def rows_to_have(rival: Rival, query: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows that nobody holds, by a query FOR UPDATE SKIP LOCKED; afterwards the rival holds no more than before."""
    with rival.transaction(force_rollback=True):
        return rival.execute(query, arguments).fetchall()


def comes_to_wait(rival: Rival, pending: Future[Any], seconds: float = MEET_SECONDS) -> bool:
    """Whether a call comes to wait for a lock that the rival holds; returns then, once it has ended, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not pending.done():
        row = rival.execute(WAITING).fetchone()
        if row and row[0]:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _commits(rival: Rival) -> bool:
    try:
        rival.commit()
    except pg.SerializationFailure:
        return False
    return True
