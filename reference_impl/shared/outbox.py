"""The transactional outbox: an event is a row written with the change it tells of, and relayed to the bus afterwards.

Either both are there or neither is. The relay deletes a row only after the bus has taken the event, so a crash in between
sends the event again: consumers see it at least once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from reference_impl.shared import correlation, logs
from reference_impl.shared.bus import EventBus
from reference_impl.shared.database import Database, one_after_another
from reference_impl.shared.events import Event, Payload, new_id, now

BATCH = 100
ATTEMPTS_BEFORE_UNHEALTHY = 5
LONGEST_PAUSE_SECONDS = 5.0
IDLE_SECONDS = 1.0
_log = logs.logger("meridian.outbox")


@dataclass(frozen=True)
class Outbox:
    """The outbox of one service, as two tables in its own database."""

    source: str
    rows: Table
    sequences: Table

    @classmethod
    def on(cls, metadata: MetaData, source: str) -> Outbox:
        """Declare the tables among the service's own."""
        rows = Table(
            "outbox",
            metadata,
            Column("position", Integer, primary_key=True, autoincrement=True),
            Column("event", JSON, nullable=False),
            sqlite_autoincrement=True,
        )
        sequences = Table(
            "outbox_sequences",
            metadata,
            Column("key", String(64), primary_key=True),
            Column("last", Integer, nullable=False),
        )
        return cls(source, rows, sequences)

    def add(self, session: Session, payload: Payload, *, key: str) -> Event:
        """Write one event into the caller's transaction."""
        event = Event(
            id=new_id(),
            type=type(payload).__name__,
            version=payload.version,
            source=self.source,
            key=key,
            sequence=self._next(session, key),
            occurred_at=now(),
            correlation_id=correlation.correlation_id(),
            causation_id=correlation.causation_id(),
            payload=payload.model_dump(mode="json"),
        )
        session.execute(insert(self.rows).values(event=event.model_dump(mode="json")))
        return event

    def _next(self, session: Session, key: str) -> int:
        table = self.sequences
        bumped = session.scalar(
            update(table).where(table.c.key == key).values(last=table.c.last + 1).returning(table.c.last)
        )
        if bumped is not None:
            return int(bumped)
        # The first of its key: of two that come at once, the second waits here and then counts on from the first.
        one_after_another(session, f"outbox {key}")
        if session.scalar(select(table.c.last).where(table.c.key == key)) is not None:
            return self._next(session, key)
        session.execute(insert(table).values(key=key, last=1))
        return 1

    def pending(self, session: Session) -> int:
        """How many events wait for the relay."""
        return int(session.scalar(select(func.count()).select_from(self.rows)) or 0)


class Relay:
    """Moves one service's events from its outbox to the bus, in the order in which they were written."""

    def __init__(self, outbox: Outbox, database: Database, bus: EventBus) -> None:
        self._outbox = outbox
        self._database = database
        self._bus = bus
        self._wake = threading.Event()
        self.failures = 0
        """Failed passes in a row; 0 while all is well."""
        database.after_commit(self._wake.set)

    @property
    def name(self) -> str:
        """The service whose outbox this is."""
        return self._outbox.source

    @property
    def healthy(self) -> bool:
        """Whether the bus takes our events."""
        return self.failures < ATTEMPTS_BEFORE_UNHEALTHY

    def backlog(self) -> int:
        """Events not relayed yet."""
        with self._database.read() as session:
            return self._outbox.pending(session)

    def run_once(self) -> int:
        """Relay one batch and return its size. What the bus did not take stays where it is."""
        rows = self._outbox.rows
        with self._database.read() as session:
            batch = session.execute(
                select(rows.c.position, rows.c.event).order_by(rows.c.position).limit(BATCH)
            ).all()
        if not batch:
            return 0
        self._bus.publish([Event.model_validate(row.event) for row in batch])
        with self._database.write() as session:
            session.execute(delete(rows).where(rows.c.position.in_([row.position for row in batch])))
        return len(batch)

    def run(self, stop: threading.Event) -> None:
        """Relay until told to stop; after a failure wait, each time twice as long, up to a bound."""
        while not stop.is_set():
            self._wake.clear()
            try:
                moved = self.run_once()
                self.failures = 0
            except Exception:
                self.failures += 1
                pause = min(LONGEST_PAUSE_SECONDS, 0.05 * 2 ** min(self.failures, 10))
                _log.exception("relay failed", service=self.name, failures=self.failures, pause_seconds=pause)
                stop.wait(pause)
                continue
            if not moved:
                self._wake.wait(IDLE_SECONDS)

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()
