"""The transactional outbox: an event is a row written with the change it tells of, and relayed to the bus afterwards.

Either both are there or neither is. The relay deletes a row only after the bus has taken the event, so a crash in between
sends the event again: consumers see it at least once.

Order. Two transactions may commit in another order than they took their positions in, and a relay in between sees the later
one first. Not so those of one key: taking the next sequence locks the key's row until the commit, and comes before taking the
position. So the events of a key leave in the order of their sequence, and more is not promised.

Several processes of one service each have a relay, on PostgreSQL. They take turns, by an advisory lock that ends with the
transaction that publishes and deletes a batch. The alternative, FOR UPDATE SKIP LOCKED, lets all of them work at once, and
lets the second batch of a key overtake the first. One relay is fast enough: it moves whole batches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, delete, func, insert, select
from sqlalchemy.orm import Session

from reference_impl.shared import correlation, logs, metrics, tracing
from reference_impl.shared.bus import BusAway, EventBus
from reference_impl.shared.database import NEWS, Database, insert_into
from reference_impl.shared.events import Event, Payload, new_id, now

BATCH = 200
TURN_LOCK = 0x4F55_5442
"""Names the advisory lock of the relays of one database."""
TURN_SECONDS = 0.02
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
        event = self._event(payload, key, self._next(session, key))
        session.info[NEWS] = True
        session.execute(insert(self.rows).values(event=event.model_dump(mode="json")))
        return event

    def add_all(self, session: Session, payloads: Mapping[str, Payload]) -> None:
        """Write one event for each of these keys into the caller's transaction, with two statements for all of them."""
        if not payloads:
            return
        # In the order of the keys: two who write about the same ones wait for each other, and not both at once.
        first = insert_into(session, self.sequences).values(
            [{"key": key, "last": 1} for key in sorted(payloads)]
        )
        table = self.sequences
        bumped = first.on_conflict_do_update(index_elements=[table.c.key], set_={"last": table.c.last + 1})
        sequences = {row.key: row.last for row in session.execute(bumped.returning(table.c.key, table.c.last))}
        session.info[NEWS] = True
        events = [self._event(payload, key, sequences[key]) for key, payload in payloads.items()]
        session.execute(insert(self.rows), [{"event": event.model_dump(mode="json")} for event in events])

    def _event(self, payload: Payload, key: str, sequence: int) -> Event:
        return Event(
            id=new_id(),
            type=type(payload).__name__,
            version=payload.version,
            source=self.source,
            key=key,
            sequence=sequence,
            occurred_at=now(),
            correlation_id=correlation.correlation_id(),
            causation_id=correlation.causation_id(),
            traceparent=tracing.traceparent(),
            payload=payload.model_dump(mode="json"),
        )

    def _next(self, session: Session, key: str) -> int:
        table = self.sequences
        first = insert_into(session, table).values(key=key, last=1)
        bumped = first.on_conflict_do_update(index_elements=[table.c.key], set_={"last": table.c.last + 1})
        return int(session.scalar(bumped.returning(table.c.last)) or 1)

    def oldest(self, session: Session, limit: int) -> list[tuple[int, Event]]:
        """The events that wait the longest, each with its position."""
        query = select(self.rows.c.position, self.rows.c.event).order_by(self.rows.c.position).limit(limit)
        return [(row.position, Event.model_validate(row.event)) for row in session.execute(query)]

    def remove(self, session: Session, positions: Sequence[int]) -> None:
        """Forget what the bus has taken."""
        session.execute(delete(self.rows).where(self.rows.c.position.in_(positions)))

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

    def run_once(self, *, told: bool = False) -> int:
        """Relay one batch and return its size. What the bus did not take stays where it is. Raises BusAway.

        Who was `told` that there is something need not look first, which spares the idle ones a lock.
        """
        if told and self._database.is_postgres:
            return self._run_once_in_turn()
        with self._database.read() as session:
            batch = self._outbox.oldest(session, 1 if self._database.is_postgres else BATCH)
        if not batch:
            return 0
        if self._database.is_postgres:
            return self._run_once_in_turn()
        # SQLite has one process, and no writer shall wait for the bus.
        self._publish(batch)
        with self._database.write() as session:
            self._outbox.remove(session, [position for position, _ in batch])
        return len(batch)

    def _run_once_in_turn(self) -> int:
        """The same, while no other process relays; 0 when one does."""
        batch: list[tuple[int, Event]] = []
        with self._database.write() as session:
            ours = bool(session.scalar(select(func.pg_try_advisory_xact_lock(TURN_LOCK))))
            if ours:
                # Only now: what the relay before has moved is not there any more.
                batch = self._outbox.oldest(session, BATCH)
            if batch:
                self._publish(batch)
                self._outbox.remove(session, [position for position, _ in batch])
        if not ours:
            time.sleep(TURN_SECONDS)
            self._wake.set()  # the other one may have looked before ours was there
        return len(batch)

    def _publish(self, batch: Sequence[tuple[int, Event]]) -> None:
        events = [event for _, event in batch]
        started = time.time_ns()
        self._bus.publish(events)
        tracing.published(events, started, time.time_ns())
        metrics.RELAYED.labels(self.name).inc(len(events))

    def run(self, stop: threading.Event) -> None:
        """Relay until told to stop; after a failure wait, each time twice as long, up to a bound."""
        while not stop.is_set():
            told = self._wake.is_set()
            self._wake.clear()
            try:
                moved = self.run_once(told=told)
                self.failures = 0
            except Exception as failure:
                self.failures += 1
                metrics.RELAY_FAILURES.labels(self.name).inc()
                pause = min(LONGEST_PAUSE_SECONDS, 0.05 * 2 ** min(self.failures, 10))
                facts = {"service": self.name, "failures": self.failures, "pause_seconds": pause}
                if isinstance(failure, BusAway):
                    _log.warning("the bus is away", reason=str(failure), **facts)
                else:
                    _log.exception("relay failed", **facts)
                stop.wait(pause)
                continue
            if moved < BATCH:  # it was all there was; whoever writes more says so
                self._wake.wait(IDLE_SECONDS)

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()
