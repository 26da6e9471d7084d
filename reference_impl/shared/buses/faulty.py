"""The faults of events, in one place in front of any bus: what enters is lost, doubled, held back or joined by nonsense.

`events.lose`       the publisher is told that all is well, and the event never enters
`events.duplicate`  the event enters, and once more 50 to 400 ms later
`events.reorder`    the event enters 50 to 400 ms late, so that later ones overtake it
`events.poison`     behind the event enters a twin of its type whose payload nobody can read
`consumer.lag`      each delivery of this process is handed out so many seconds late

What is held back lies in an SQLite file, because its publisher was told that it is safe: after a restart it enters at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import JSON, Column, Float, MetaData, String, Table, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from reference_impl.shared import logs
from reference_impl.shared.bus import BusAway, Delivery, EventBus
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.faults import Faults

HELD_SECONDS = (0.05, 0.4)
MOST_HELD = 10_000
BATCH = 500
AGAIN_SECONDS = 1.0
STOP_SECONDS = 2.0
_log = logs.logger("meridian.faults")

_metadata = MetaData()
_held = Table(
    "held",
    _metadata,
    Column("token", String(80), primary_key=True),
    Column("due", Float, nullable=False, index=True),
    Column("event", JSON, nullable=False),
)


def poisoned(event: Event) -> Event:
    """A twin that looks like the event and says nothing; one event always has the same twin."""
    return event.model_copy(update={"id": f"{event.id[:56]}-poison", "payload": {"poisoned": True}})


class FaultyBus(EventBus):
    """Another bus, behind the faults of events."""

    def __init__(self, inner: EventBus, faults: Faults, directory: Path, name: str = "held") -> None:
        """`directory/name.sqlite3` is made when a first event is held back; no two processes share one."""
        self._inner = inner
        self._faults = faults
        self._directory = directory
        self._name = name
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._database: Database | None = None
        self._thread: threading.Thread | None = None
        self._waiting = 0
        if (directory / f"{name}.sqlite3").exists():
            database = self._opened()
            with database.write() as session:
                session.execute(update(_held).values(due=0.0))
            self._count(database)

    def publish(self, events: Sequence[Event]) -> None:
        passing: list[Event] = []
        late: dict[str, Event] = {}
        again: dict[str, Event] = {}
        for event in events:
            if self._faults.hits("events.lose", event.id):
                continue
            if self._faults.hits("events.reorder", event.id) and self._waiting < MOST_HELD:
                late[f"{event.id}/late"] = event
            else:
                passing.append(event)
            if self._faults.hits("events.duplicate", event.id) and self._waiting < MOST_HELD:
                again[f"{event.id}/again"] = event
            if self._faults.hits("events.poison", event.id):
                passing.append(poisoned(event))
        # What comes late has to be safe before this returns; a duplicate comes after the first, and may be forgotten.
        self._hold(late)
        if passing:
            self._inner.publish(passing)
        self._hold(again)

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        if self._faults.value("consumer.lag") <= 0:
            return self._inner.receive(group, limit=limit, wait_seconds=wait_seconds)
        found = self._inner.receive(group, limit=1, wait_seconds=wait_seconds)
        if found:
            self._faults.delay("consumer.lag", self._stop)
        return found

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        self._inner.acknowledge(group, deliveries)

    def lag(self, group: str) -> int:
        return self._inner.lag(group) + self._waiting

    def close(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self._inner.close()
        if self._database is not None:
            self._database.close()

    def _opened(self) -> Database:
        """The store of what is held back, with the thread that lets it go."""
        with self._lock:
            if self._database is None:
                self._database = Database.in_directory(self._directory, self._name, _metadata)
                self._thread = threading.Thread(
                    target=self._run, args=(self._database,), name="held events", daemon=True
                )
                self._thread.start()
            return self._database

    def _hold(self, late: dict[str, Event]) -> None:
        if not late:
            return
        least, most = HELD_SECONDS
        rows = [
            {
                "token": token,
                "due": time.time() + least + (most - least) * self._faults.dice("held", token),
                "event": event.model_dump(mode="json"),
            }
            for token, event in late.items()
        ]
        database = self._opened()
        with database.write() as session:
            # Published again after a failure: what is held already stays as it is.
            session.execute(insert(_held).on_conflict_do_nothing(), rows)
        self._count(database)
        self._wake.set()

    def _run(self, database: Database) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                pause = self._let_go(database)
            except BusAway as away:
                _log.warning("held events stay held", reason=str(away))
                pause = AGAIN_SECONDS
            except Exception:
                _log.exception("held events stay held")
                pause = AGAIN_SECONDS
            self._wake.wait(pause)

    def _let_go(self, database: Database) -> float:
        """Publish what is due; the seconds until the next is."""
        due = select(_held).where(_held.c.due <= time.time()).order_by(_held.c.due).limit(BATCH)
        with database.read() as session:
            rows = session.execute(due).all()
        if rows:
            self._inner.publish([Event.model_validate(row.event) for row in rows])
            with database.write() as session:
                session.execute(delete(_held).where(_held.c.token.in_([row.token for row in rows])))
            self._count(database)
        with database.read() as session:
            following = session.scalar(select(func.min(_held.c.due)))
        return 60.0 if following is None else max(0.005, following - time.time())

    def _count(self, database: Database) -> None:
        with self._lock, database.read() as session:
            self._waiting = int(session.scalar(select(func.count()).select_from(_held)) or 0)
