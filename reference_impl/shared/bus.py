"""The event bus: a port, and the adapter that needs nothing but this process.

The port promises what Kafka and a queue service can both promise: every group gets every event *at least once*, the
events of one key *usually* in order. Nothing else may be relied on. States of a delivery, for one group::

    published ──► received ──► acknowledged
                   │    └────► parked, then acknowledged     (gave up: somebody has to look)
                   └► received again                         (a crash before the acknowledgement)

The in-process adapter is a log in one SQLite file: an event has a position, a group has an offset, a restart resumes there.
The fault flags `events.duplicate` and `events.reorder` bite where an event enters the log, so every reader of it, inside or
outside, sees the same disorder.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from reference_impl.shared.database import Database, UtcDateTime
from reference_impl.shared.events import Event, now
from reference_impl.shared.faults import Faults

LOG_LIMIT = 50_000
TRIM_EVERY = 1_000
HELD_SECONDS = (0.05, 0.4)


@dataclass(frozen=True)
class Delivery:
    """An event as one group receives it."""

    event: Event
    position: int
    """The adapter's own mark of this delivery; on the in-process bus the position in the log."""


@dataclass(frozen=True)
class Parked:
    """A delivery that a group gave up on."""

    group: str
    event: Event
    error: str


class EventBus(ABC):
    """What services publish to and consume from."""

    @abstractmethod
    def publish(self, events: Sequence[Event]) -> None:
        """Return once the events are safe. Raises when they are not; the caller then publishes all of them again."""

    @abstractmethod
    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next deliveries of this group, at most `limit`; waits up to `wait_seconds` for the first, may return none."""

    @abstractmethod
    def acknowledge(self, group: str, delivery: Delivery) -> None:
        """This group is done with it. Deliveries are acknowledged in the order in which they were received."""

    @abstractmethod
    def park(self, group: str, delivery: Delivery, error: str) -> None:
        """Keep a delivery that this group can't handle for somebody to look at; it still has to be acknowledged."""

    @abstractmethod
    def parked(self, limit: int) -> list[Parked]:
        """What was parked, oldest first."""

    @abstractmethod
    def lag(self, group: str) -> int:
        """How many deliveries this group has still to acknowledge."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; waiting receivers return."""


class EventLog(ABC):
    """What the event feed reads: every event by position."""

    @abstractmethod
    def read(self, after: int, limit: int) -> list[Delivery]:
        """Entries after a position, oldest first."""

    @abstractmethod
    def end(self) -> int:
        """The position of the newest entry, 0 when there is none."""

    @abstractmethod
    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this, from any thread, when something was appended; returns how to unsubscribe."""


_metadata = MetaData()
_log_table = Table(
    "log",
    _metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("event", JSON, nullable=False),
    sqlite_autoincrement=True,
)
_held_table = Table(
    "held",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("due", Float, nullable=False, index=True),
    Column("event", JSON, nullable=False),
)
_offset_table = Table(
    "offsets",
    _metadata,
    Column("group_name", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
)
_parked_table = Table(
    "parked",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("group_name", String(64), nullable=False),
    Column("error", String(2000), nullable=False),
    Column("event", JSON, nullable=False),
    Column("parked_at", UtcDateTime, nullable=False),
)


class InProcessBus(EventBus, EventLog):
    """A durable log for the services of one process."""

    def __init__(self, directory: Path, faults: Faults) -> None:
        self._database = Database.in_directory(directory, "bus", _metadata)
        self._faults = faults
        self._changed = threading.Condition()
        self._closed = False
        self._listeners: list[Callable[[], None]] = []
        self._appends = 0
        self._end = 0
        self._next_due: float | None = None
        with self._database.write() as session:
            self._release_held(session, everything=True)
            self._offsets = {row.group_name: row.position for row in session.execute(select(_offset_table))}
        self._tell()

    def publish(self, events: Sequence[Event]) -> None:
        with self._database.write() as session:
            for event in events:
                self._accept(session, event)
            self._release_held(session)
            self._trim(session, len(events))
        self._tell()

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        deadline = now().timestamp() + wait_seconds
        while not self._closed:
            self.release_due()
            offset = self._offsets.get(group, 0)
            if offset < self._end:
                return self.read(offset, limit)
            with self._changed:
                rest = deadline - now().timestamp()
                if rest <= 0:
                    return []
                if offset >= self._end and not self._closed:
                    self._changed.wait(min(rest, self._until_due()))
        return []

    def acknowledge(self, group: str, delivery: Delivery) -> None:
        with self._database.write() as session:
            changed: Any = session.execute(
                update(_offset_table)
                .where(_offset_table.c.group_name == group)
                .values(position=delivery.position)
            )
            if changed.rowcount == 0:
                session.execute(insert(_offset_table).values(group_name=group, position=delivery.position))
        self._offsets[group] = delivery.position

    def park(self, group: str, delivery: Delivery, error: str) -> None:
        row = {
            "group_name": group,
            "error": error[:2000],
            "event": delivery.event.model_dump(mode="json"),
            "parked_at": now(),
        }
        with self._database.write() as session:
            session.execute(insert(_parked_table).values(**row))

    def parked(self, limit: int) -> list[Parked]:
        with self._database.read() as session:
            rows = session.execute(select(_parked_table).order_by(_parked_table.c.id).limit(limit)).all()
        return [Parked(row.group_name, Event.model_validate(row.event), row.error) for row in rows]

    def lag(self, group: str) -> int:
        with self._database.read() as session:
            held = int(session.scalar(select(func.count()).select_from(_held_table)) or 0)
        return self._end - self._offsets.get(group, 0) + held

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

    def release_due(self) -> None:
        """Append the events that a fault held back once their time has come. Every receiver does this in passing."""
        due = self._next_due
        if due is not None and due <= now().timestamp():
            with self._database.write() as session:
                self._release_held(session)
            self._tell()

    def close(self) -> None:
        self._closed = True
        self._tell()
        self._database.close()

    def _accept(self, session: Session, event: Event) -> None:
        row = event.model_dump(mode="json")
        if self._faults.hits("events.reorder", event.id):
            self._hold(session, event, row)
        else:
            session.execute(insert(_log_table).values(event=row))
        if self._faults.hits("events.duplicate", event.id):
            self._hold(session, event, row)

    def _hold(self, session: Session, event: Event, row: dict[str, Any]) -> None:
        least, most = HELD_SECONDS
        due = now().timestamp() + least + (most - least) * self._faults.dice("held", event.id)
        session.execute(insert(_held_table).values(due=due, event=row))

    def _release_held(self, session: Session, *, everything: bool = False) -> None:
        query = select(_held_table).order_by(_held_table.c.due)
        for row in session.execute(
            query if everything else query.where(_held_table.c.due <= now().timestamp())
        ).all():
            session.execute(insert(_log_table).values(event=row.event))
            session.execute(delete(_held_table).where(_held_table.c.id == row.id))

    def _until_due(self) -> float:
        due = self._next_due
        return 60.0 if due is None else max(0.005, due - now().timestamp())

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
                    self._next_due = session.scalar(select(func.min(_held_table.c.due)))
                    # A trimmed log may be empty: its end never moves back.
                    self._end = max(
                        self._end, int(session.scalar(select(func.max(_log_table.c.position))) or 0)
                    )
            self._changed.notify_all()
        for listener in list(self._listeners):
            listener()
