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
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    cast,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.orm import Session

from reference_impl.shared import correlation, logs, metrics, tracing
from reference_impl.shared.bus import BusAway, EventBus
from reference_impl.shared.database import NEWS, Database, at_the_end, insert_into
from reference_impl.shared.events import Event, Payload, new_id, now

BATCH = 200
TURN_LOCK = 0x4F55_5442
"""Names the advisory lock of the relays of one database."""
TURN_SECONDS = 0.02
ATTEMPTS_BEFORE_UNHEALTHY = 5
LONGEST_PAUSE_SECONDS = 5.0
IDLE_SECONDS = 1.0
GATHER_SECONDS = 0.03
"""Between two batches. The first event after a quiet time goes at once; under load others gather behind it, and one statement
takes them."""
UNNUMBERED = 1
"""Stands for the sequence of an event until it is written."""
_WAITING = "outbox"
"""Where in `session.info` the events are that a transaction has still to write."""
_WRITE = text(
    """
    WITH written AS (
        SELECT * FROM unnest(CAST(:keys AS varchar[]), CAST(:behind AS integer[]), CAST(:events AS text[]))
            WITH ORDINALITY AS written (key, behind, event, number)
    ), numbered AS (
        INSERT INTO outbox_sequences AS known (key, last)
        SELECT key, count(*) FROM written GROUP BY key ORDER BY key
        ON CONFLICT (key) DO UPDATE SET last = known.last + excluded.last
        RETURNING key, last
    )
    INSERT INTO outbox (event)
    SELECT CAST('{"sequence":' || (last - behind) || ',' || substr(event, 2) AS json)
    FROM written JOIN numbered USING (key) ORDER BY number
    """
)
"""In the order of the keys: two who write about the same ones wait for each other, and not both at once. The sort needs all
rows, so all keys are locked before the first position is taken. `behind` counts the later events of the same key."""
_TAKE = text(
    """
    WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(:lock) AS ours), taken AS (
        DELETE FROM outbox
        WHERE position IN (SELECT position FROM outbox ORDER BY position LIMIT :most) AND (SELECT ours FROM turn)
        RETURNING position, event
    )
    SELECT ours, CAST(event AS text) AS event FROM turn LEFT JOIN taken ON true ORDER BY position
    """
)
"""What another relay has removed since the statement began, a DELETE passes over: so nothing is taken twice, though the lock
is asked for in the same statement."""
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

    def add(self, session: Session, payload: Payload, *, key: str) -> None:
        """Let the caller's transaction, a `Database.write`, write this event when it ends; not inside a savepoint."""
        self.add_all(session, {key: payload})

    def add_all(self, session: Session, payloads: Mapping[str, Payload]) -> None:
        """The same with one event for each of these keys."""
        if not payloads:
            return
        if session.in_nested_transaction():
            # It would be written even if the savepoint were rolled back.
            raise RuntimeError("an event can't be added inside a savepoint: add it behind the block")
        waiting: list[Event] | None = session.info.get(_WAITING)
        if waiting is None:
            session.info[_WAITING] = waiting = []
            at_the_end(session, self._write)
        waiting += [self._event(payload, key) for key, payload in payloads.items()]

    def _event(self, payload: Payload, key: str) -> Event:
        return Event(
            id=new_id(),
            type=type(payload).__name__,
            version=payload.version,
            source=self.source,
            key=key,
            sequence=UNNUMBERED,
            occurred_at=now(),
            correlation_id=correlation.correlation_id(),
            causation_id=correlation.causation_id(),
            traceparent=tracing.traceparent(),
            payload=payload.model_dump(mode="json"),
        )

    def _write(self, session: Session) -> None:
        """Number and write what waits: so late that a key is locked as shortly as can be, and all events at once."""
        events: list[Event] = session.info.pop(_WAITING)
        session.info[NEWS] = True
        behind = Counter(event.key for event in events)
        counts = dict(behind)
        texts: list[str] = []
        steps: list[int] = []
        for event in events:
            behind[event.key] -= 1
            steps.append(behind[event.key])
            texts.append(event.model_dump_json(exclude={"sequence"}))
        if session.get_bind().dialect.name == "postgresql":
            rows = {"keys": [event.key for event in events], "behind": steps, "events": texts}
            session.execute(_WRITE, rows)
            return
        table = self.sequences
        last: dict[str, int] = {}
        for key in sorted(counts):
            first = insert_into(session, table).values(key=key, last=counts[key])
            bumped = first.on_conflict_do_update(
                index_elements=[table.c.key], set_={"last": table.c.last + counts[key]}
            )
            last[key] = int(session.scalar(bumped.returning(table.c.last)) or 1)
        numbered = [
            event.model_copy(update={"sequence": last[event.key] - step})
            for event, step in zip(events, steps, strict=True)
        ]
        session.execute(insert(self.rows), [{"event": event.model_dump(mode="json")} for event in numbered])

    def oldest(self, session: Session, limit: int) -> list[tuple[int, Event]]:
        """The events that wait the longest, each with its position."""
        query = select(self.rows.c.position, cast(self.rows.c.event, Text)).order_by(self.rows.c.position)
        return [
            (position, Event.model_validate_json(text))
            for position, text in session.execute(query.limit(limit))
        ]

    def take(self, session: Session, limit: int) -> list[Event] | None:
        """Remove the events that wait the longest and return them, on PostgreSQL; None when another process has its turn."""
        found = session.execute(_TAKE, {"lock": TURN_LOCK, "most": limit}).all()
        if not found[0].ours:
            return None
        return [Event.model_validate_json(row.event) for row in found if row.event is not None]

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
        self._publish([event for _, event in batch])
        with self._database.write() as session:
            self._outbox.remove(session, [position for position, _ in batch])
        return len(batch)

    def _run_once_in_turn(self) -> int:
        """The same, while no other process relays; 0 when one does."""
        with self._database.write() as session:
            batch = self._outbox.take(session, BATCH)
            if batch:
                self._publish(batch)  # if it fails, the rows are there again
        if batch is None:
            time.sleep(TURN_SECONDS)
            self._wake.set()  # the other one may have looked before ours was there
        return len(batch or ())

    def _publish(self, events: Sequence[Event]) -> None:
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
                if moved:
                    stop.wait(GATHER_SECONDS)
                self._wake.wait(IDLE_SECONDS)

    def wake(self) -> None:
        """Look again now."""
        self._wake.set()
