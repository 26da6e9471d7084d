"""Idempotent consumers: each event takes effect once, however often it is delivered.

The note that an event was handled is a row in the service's own database, written in the transaction of the effect itself.
A note kept anywhere else would be wrong after a crash between the two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Column, MetaData, String, Table, delete, insert, select
from sqlalchemy.orm import Session

from reference_impl.shared import correlation, logs
from reference_impl.shared.bus import Delivery, EventBus
from reference_impl.shared.database import Database, UtcDateTime
from reference_impl.shared.events import Event, now

BATCH = 50
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.02
IDLE_SECONDS = 1.0
KEPT = timedelta(days=7)
PRUNE_EVERY = 1000
_log = logs.logger("meridian.consumer")

Handler = Callable[[Event], None]
"""Handles one event, in transactions of its own. Raises Poison for an event that can never be handled."""


class Poison(Exception):
    """This event can't be handled, now or later: park it without retrying."""


@dataclass(frozen=True)
class Inbox:
    """Which events one service has handled, as a table in its own database."""

    handled: Table

    @classmethod
    def on(cls, metadata: MetaData) -> Inbox:
        """Declare the table among the service's own."""
        table = Table(
            "inbox",
            metadata,
            Column("event_id", String(64), primary_key=True),
            Column("handled_at", UtcDateTime, nullable=False, index=True),
        )
        return cls(table)

    def seen(self, session: Session, event: Event) -> bool:
        """Whether this event has taken effect already."""
        return (
            session.scalar(select(self.handled.c.event_id).where(self.handled.c.event_id == event.id))
            is not None
        )

    def note(self, session: Session, event: Event) -> None:
        """Note, in the caller's transaction, that this event takes effect now."""
        session.execute(insert(self.handled).values(event_id=event.id, handled_at=now()))

    def prune(self, session: Session) -> None:
        """Forget events so old that no bus delivers them again."""
        session.execute(delete(self.handled).where(self.handled.c.handled_at < now() - KEPT))

    def once(self, database: Database, effect: Callable[[Session, Event], None]) -> Handler:
        """A handler that applies `effect` in the transaction that notes the event, and nothing for a duplicate."""

        def handle(event: Event) -> None:
            with database.write() as session:
                if not self.seen(session, event):
                    self.note(session, event)
                    effect(session, event)

        return handle


class Consumer:
    """Reads the bus for one service: retries what fails, parks what keeps failing, loses nothing."""

    def __init__(
        self, group: str, handlers: Mapping[str, Handler], *, bus: EventBus, database: Database, inbox: Inbox
    ) -> None:
        self.group = group
        self._handlers = handlers
        self._bus = bus
        self._database = database
        self._inbox = inbox
        self._handled = 0

    def run_once(self, wait_seconds: float = 0.0, stop: threading.Event | None = None) -> int:
        """Handle what there is, at most one batch, and return how many deliveries that was."""
        batch = self._bus.receive(self.group, limit=BATCH, wait_seconds=wait_seconds)
        for delivery in batch:
            if stop is not None and stop.is_set():
                break
            self._deliver(delivery, stop)
        return len(batch)

    def run(self, stop: threading.Event) -> None:
        """Consume until told to stop."""
        while not stop.is_set():
            try:
                self.run_once(IDLE_SECONDS, stop)
            except Exception:
                _log.exception("consumer failed", group=self.group)
                stop.wait(IDLE_SECONDS)

    def _deliver(self, delivery: Delivery, stop: threading.Event | None) -> None:
        event = delivery.event
        handler = self._handlers.get(event.type)
        if handler is not None:
            with correlation.working_on(event.correlation_id, event.id):
                error = self._attempt(handler, event, stop)
            if error is not None:
                if stop is not None and stop.is_set():
                    return  # not acknowledged: it is delivered again after the restart
                self._bus.park(self.group, delivery, error)
        self._bus.acknowledge(self.group, delivery)
        self._handled += 1
        if self._handled % PRUNE_EVERY == 0:
            with self._database.write() as session:
                self._inbox.prune(session)

    def _attempt(self, handler: Handler, event: Event, stop: threading.Event | None) -> str | None:
        """Try, at most ATTEMPTS times; None when handled, else the last error."""
        error = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                handler(event)
            except Poison as poison:
                _log.error(
                    "poisoned event", group=self.group, type=event.type, event_id=event.id, reason=str(poison)
                )
                return str(poison)
            except Exception as failure:
                error = f"{type(failure).__name__}: {failure}"
                _log.warning(
                    "handler failed", group=self.group, type=event.type, attempt=attempt, exc_info=failure
                )
            else:
                _log.debug("handled", group=self.group, type=event.type, event_id=event.id, key=event.key)
                return None
            if attempt < ATTEMPTS:
                pause = FIRST_PAUSE_SECONDS * 2**attempt
                if stop is None:
                    threading.Event().wait(pause)
                elif stop.wait(pause):
                    break
        return error
