"""Claiming a row before working on it, and saying again and again that the work is still alive.

A run that claims a row writes its token into it. All it writes later is conditional on the token, so a run that was taken for
dead and replaced can't overwrite its successor's result.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import structlog
from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError

from portal.database import Database
from portal.models import CodeRun, LabSession, Submission, utcnow

log = structlog.get_logger("worker")
Claimable = type[LabSession] | type[Submission] | type[CodeRun]


class Claim:
    """The right to work on one row, kept alive by a heartbeat for as long as the `with` block runs."""

    def __init__(
        self, database: Database, model: Claimable, row_id: int, token: str, heartbeat_seconds: float
    ) -> None:
        self.database = database
        self.model = model
        self.row_id = row_id
        self.token = token
        self._interval = heartbeat_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{row_id}", daemon=True)

    def write(self, *conditions: ColumnElement[bool], **values: Any) -> bool:
        """Set columns of the row, if this run still owns it and the conditions hold; whether it did."""
        with self.database.transaction() as db:
            return self.write_in(db.execute, *conditions, **values)

    def write_in(self, execute: Callable[..., Any], *conditions: ColumnElement[bool], **values: Any) -> bool:
        """`write` as a part of a larger transaction."""
        result: CursorResult[Any] = execute(
            update(self.model)
            .where(self.model.id == self.row_id, self.model.run_token == self.token, *conditions)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        return result.rowcount == 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        while not self._done.wait(self._interval):
            try:
                self.write(heartbeat_at=utcnow())
            except SQLAlchemyError as error:  # a busy database: the next beat may get through
                log.warning("heartbeat failed", row=self.row_id, error=str(error))


def claim(
    database: Database,
    model: Claimable,
    row_id: int,
    *conditions: ColumnElement[bool],
    stale_seconds: float,
    heartbeat_seconds: float,
    **values: Any,
) -> Claim | None:
    """Claim a row that nobody works on, or whose owner has been silent for too long; None when there is none."""
    token = secrets.token_hex(8)
    now = utcnow()
    with database.transaction() as db:
        result: CursorResult[Any] = db.execute(  # type: ignore[assignment]
            update(model)
            .where(
                model.id == row_id,
                or_(model.run_token.is_(None), model.heartbeat_at < now - timedelta(seconds=stale_seconds)),
                *conditions,
            )
            .values(run_token=token, heartbeat_at=now, **values)
            .execution_options(synchronize_session=False)
        )
        if result.rowcount != 1:
            return None
    return Claim(database, model, row_id, token, heartbeat_seconds)
