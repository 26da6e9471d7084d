"""The bus that needs nothing but this process: a log in one SQLite file.

An event has a position, a group has an offset, and a restart resumes there. One process alone may have the file open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from reference_impl.shared.bus import BusAway, Delivery, EventBus, EventLog
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event

LOG_LIMIT = 50_000
TRIM_EVERY = 1_000

_metadata = MetaData()
_log_table = Table(
    "log",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("event", JSON, nullable=False),
    sqlite_autoincrement=True,
)
_offset_table = Table(
    "offsets",
    _metadata,
    Column("group_name", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
)


class InProcessBus(EventBus, EventLog):
    """A durable log for the services of one process."""

    def __init__(self, directory: Path) -> None:
        self._database = Database.in_directory(directory, "bus", _metadata)
        self._changed = threading.Condition()
        self._closed = False
        self._listeners: list[Callable[[], None]] = []
        self._appends = 0
        self._end = 0
        with self._database.read() as session:
            self._offsets = {row.group_name: row.position for row in session.execute(select(_offset_table))}
        self._tell()

    def publish(self, events: Sequence[Event]) -> None:
        if self._closed:
            raise BusAway("this bus is closed")
        if not events:
            return
        with self._database.write() as session:
            session.execute(insert(_log_table), [{"event": event.model_dump(mode="json")} for event in events])
            self._trim(session, len(events))
        self._tell()

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        deadline = time.monotonic() + wait_seconds
        with self._changed:
            while not self._closed and self._offsets.get(group, 0) >= self._end:
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return []
                self._changed.wait(rest)
            if self._closed:
                return []
        return self.read(self._offsets.get(group, 0), limit)

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        position = max(delivery.position for delivery in deliveries)
        with self._database.write() as session:
            changed: Any = session.execute(
                update(_offset_table).where(_offset_table.c.group_name == group).values(position=position)
            )
            if changed.rowcount == 0:
                session.execute(insert(_offset_table).values(group_name=group, position=position))
        self._offsets[group] = position

    def lag(self, group: str) -> int:
        return self._end - self._offsets.get(group, 0)

    def read(self, after: int, limit: int) -> list[Delivery]:
        query = (
            select(_log_table).where(_log_table.c.position > after).order_by(_log_table.c.position).limit(limit)
        )
        with self._database.read() as session:
            return [Delivery(Event.model_validate(row.event), row.position) for row in session.execute(query)]

    def end(self) -> int:
        return self._end

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def close(self) -> None:
        self._closed = True
        self._tell()
        self._database.close()

    def _trim(self, session: Session, appended: int) -> None:
        """Keep the log bounded, but never drop what a group has still to receive."""
        self._appends += appended
        if self._appends < TRIM_EVERY:
            return
        self._appends = 0
        oldest_needed = min(self._offsets.values(), default=0)
        keep_from = min(self._end - LOG_LIMIT, oldest_needed)
        session.execute(delete(_log_table).where(_log_table.c.position <= keep_from))

    def _tell(self) -> None:
        """Look at what is committed, and only then tell everybody who waits."""
        with self._changed:
            if not self._closed:
                with self._database.read() as session:
                    # A trimmed log may be empty: its end never moves back.
                    newest = int(session.scalar(select(func.max(_log_table.c.position))) or 0)
                self._end = max(self._end, newest)
            self._changed.notify_all()
        for listener in list(self._listeners):
            listener()
