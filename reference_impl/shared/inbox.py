"""Idempotent consumers: each event takes effect once, however often it is delivered.

The note that an event was handled is a row in the service's own database, written in the transaction of the effect itself.
A note kept anywhere else would be wrong after a crash between the two.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import Column, MetaData, String, Table, delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from reference_impl.shared import correlation, logs, metrics, tracing
from reference_impl.shared.bus import UNREADABLE, BusAway, Delivery, EventBus
from reference_impl.shared.database import Database, UtcDateTime, insert_if_new
from reference_impl.shared.dead_letters import DeadLetter, DeadLetters
from reference_impl.shared.events import Event, now
from reference_impl.shared.problems import Problem
from reference_impl.shared.schemas import Unreadable
from reference_impl.shared.together import MOST, Undone, handle_together
from reference_impl.shared.tracing import SpanName

BATCH = 50
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.02
IDLE_SECONDS = 1.0
GATHER_SECONDS = 0.03
"""Between two batches: under load those events gather that can share a transaction."""
POSTPONED_SECONDS = 0.5
PATIENCE_SECONDS = 300.0
"""How long an event may be postponed because a neighbour is away, before it is parked."""
ACKNOWLEDGE_SECONDS = 1.0
"""A batch is acknowledged as a whole, but what is done of a slow one at least so often."""
KEPT = timedelta(days=7)
PRUNE_EVERY = 1000
_log = logs.logger("meridian.consumer")

Handler = Callable[[Event], None]
"""Handles one event, in transactions of its own. Raises Poison for an event that can never be handled, and NotNow."""
Effect = Callable[[Session, Event], Any]
"""What an event does, within the transaction that notes it. What it returns goes to `after`."""
After = Callable[[Sequence[Any]], None]
"""What an event does, within a transaction that somebody else begins and ends. Raises the same."""
Alone = Callable[[], bool]


def _never() -> bool:
    return False


class Poison(Exception):
    """This event can't be handled, now or later: park it without retrying."""


class NotNow(Exception):
    """This event can't be handled before something else has happened: deliver it, and what follows it, again."""


@dataclass(frozen=True)
class Inbox:
    """Which events one service has handled and which it gave up on, as two tables in its own database."""

    handled: Table
    dead_letters: DeadLetters

    @classmethod
    def on(cls, metadata: MetaData) -> Inbox:
        """Declare the tables among the service's own."""
        table = Table(
            "inbox",
            metadata,
            Column("event_id", String(64), primary_key=True),
            Column("handled_at", UtcDateTime, nullable=False, index=True),
        )
        return cls(table, DeadLetters.on(metadata))

    def seen(self, session: Session, event: Event) -> bool:
        """Whether this event has taken effect already."""
        return self.seen_id(session, event.id)

    def seen_id(self, session: Session, message_id: str) -> bool:
        """The same of a message that is no event, such as a webhook."""
        known = select(self.handled.c.event_id).where(self.handled.c.event_id == message_id)
        return session.scalar(known) is not None

    def note(self, session: Session, event: Event) -> bool:
        """Note, in the caller's transaction, that this event takes effect now; False when it has already.

        Of two deliveries at once the second waits here for the end of the first one's transaction.
        """
        return self.note_id(session, event.id)

    def note_id(self, session: Session, message_id: str) -> bool:
        """The same of a message that is no event."""
        row = {"event_id": message_id, "handled_at": now()}
        return session.scalar(insert_if_new(session, self.handled, "event_id"), row) is not None

    def forget(self, session: Session, ids: Collection[str]) -> None:
        """Take notes back, in the transaction that made them."""
        if ids:
            session.execute(delete(self.handled).where(self.handled.c.event_id.in_(ids)))

    def prune(self, session: Session) -> None:
        """Forget events so old that no bus delivers them again."""
        session.execute(delete(self.handled).where(self.handled.c.handled_at < now() - KEPT))

    def note_all(self, session: Session, events: Sequence[Event]) -> set[str]:
        """`note` for several events; the ids of those that take effect now."""
        # In the order of their ids: of two processes that were given the same events one waits for the other, and not both.
        rows = [{"event_id": key, "handled_at": now()} for key in sorted({event.id for event in events})]
        return set(session.scalars(insert_if_new(session, self.handled, "event_id"), rows))

    def once(
        self,
        database: Database,
        effect: Effect,
        *,
        after: After | None = None,
        lag: Callable[[], object] | None = None,
        alone: Alone = _never,
    ) -> Handler:
        """A handler that applies `effect` in the transaction that notes the event, and nothing for a duplicate.

        When it is committed, `after` gets what the effects of the transaction returned. If it fails, or we are killed before it,
        nobody calls it again: something else has to look after what the effect noted.

        `lag` is called before the transaction; while `alone` says so, each event has a transaction of its own.
        """
        return Once(self, database, effect, after, lag, alone)


@dataclass(frozen=True)
class Once:
    """A handler whose effect is one transaction, so that several events can share it."""

    inbox: Inbox
    database: Database
    effect: Effect
    after: After | None
    lag: Callable[[], object] | None
    alone: Alone

    def __call__(self, event: Event) -> None:
        if self.lag is not None:
            self.lag()
        with self.database.write() as session:
            if not self.inbox.note(session, event):
                return
            result = self.effect(session, event)
        if self.after is not None:
            self.after([result])


class Consumer:
    """Reads the bus for one service: retries what fails, parks what keeps failing, loses nothing.

    What fails because the database or a neighbour is away is not the event's fault. It is neither parked nor
    acknowledged, and the consumer waits with all that follows it.
    """

    def __init__(
        self, group: str, handlers: Mapping[str, Handler], *, bus: EventBus, database: Database, inbox: Inbox
    ) -> None:
        self.group = group
        self._handlers = handlers
        self._bus = bus
        self._database = database
        self._inbox = inbox
        self._handled = 0
        self._postponed: dict[str, float] = {}
        self._shared = {name: handler for name, handler in handlers.items() if isinstance(handler, Once)}
        self._undone: dict[str, Exception | None] = {}
        """Events to be handled alone because they were rolled back together, with their own failure."""

    def run_once(self, wait_seconds: float = 0.0, stop: threading.Event | None = None) -> int:
        """Handle what there is, at most one batch, and return how many deliveries that was. Raises NotNow, BusAway."""
        batch = self._bus.receive(self.group, limit=BATCH, wait_seconds=wait_seconds)
        received = len(batch)
        done = [item for item in batch if not self._concerns(item.event)]
        batch = [item for item in batch if self._concerns(item.event)]
        if done:
            metrics.deliveries(self.group, metrics.OTHER, "ignored").inc(len(done))
        since = time.monotonic()
        try:
            while batch and not (stop is not None and stop.is_set()):
                settled = self._settle_some(batch, stop)
                if not settled:
                    break
                done += batch[:settled]
                batch = batch[settled:]
                if time.monotonic() - since >= ACKNOWLEDGE_SECONDS:
                    self._acknowledge(done)
                    done, since = [], time.monotonic()
        finally:
            self._acknowledge(done)
        return received

    def run(self, stop: threading.Event) -> None:
        """Consume until told to stop."""
        while not stop.is_set():
            try:
                if self.run_once(IDLE_SECONDS, stop):
                    stop.wait(GATHER_SECONDS)
            except NotNow as postponed:
                _log.warning("postponed", group=self.group, reason=str(postponed))
                stop.wait(POSTPONED_SECONDS)
            except BusAway as away:
                if not stop.is_set():
                    _log.warning("the bus is away", group=self.group, reason=str(away))
                stop.wait(IDLE_SECONDS)
            except Exception:
                _log.exception("consumer failed", group=self.group)
                stop.wait(IDLE_SECONDS)

    def parked(self, limit: int) -> list[DeadLetter]:
        """The oldest dead letters of this service."""
        with self._database.read() as session:
            return self._inbox.dead_letters.page(session, self.group, limit)

    def replay(self, letter_id: str) -> bool:
        """Hand a dead letter to its handler once more; False when there is none. Raises Problem 409 when it fails again."""
        with self._database.read() as session:
            letter = self._inbox.dead_letters.find(session, self.group, letter_id)
        if letter is None:
            return False
        event = letter.event
        handler = self._handlers.get(event.type)
        try:
            if handler is None:
                raise Poison(f"this service handles no {event.type}")
            with (
                correlation.working_on(event.correlation_id, event.id, self.group),
                tracing.span(SpanName.REPLAY, event.type, link=event.traceparent),
            ):
                handler(event)
        except Exception as failure:
            error = _text(failure)
            with self._database.write() as session:
                self._inbox.dead_letters.park(session, event, error)
            _log.warning("replay failed", group=self.group, type=event.type, event_id=event.id, reason=error)
            raise Problem(409, "dead-letter-fails", "It can't be handled yet", error) from failure
        _log.info("replayed", group=self.group, type=event.type, event_id=event.id)
        return self.discard(letter_id) or True

    def discard(self, letter_id: str) -> bool:
        """Forget a dead letter; whether there was one."""
        with self._database.write() as session:
            return self._inbox.dead_letters.remove(session, letter_id)

    def _acknowledge(self, done: list[Delivery]) -> None:
        if not done:
            return
        self._bus.acknowledge(self.group, done)
        before, self._handled = self._handled, self._handled + len(done)
        if before // PRUNE_EVERY < self._handled // PRUNE_EVERY:
            with self._database.write() as session:
                self._inbox.prune(session)

    def _concerns(self, event: Event) -> bool:
        """Whether there is something to do. What others are told would only stand between events that can share a transaction."""
        return event.type in self._handlers or event.type == UNREADABLE

    def _settle_some(self, batch: Sequence[Delivery], stop: threading.Event | None) -> int:
        """Settle the first delivery, with as many behind it as can share its transaction; how many, 0 when told to stop."""
        first = batch[0].event
        if not self._sharing(first):
            return int(self._settle(first, stop))
        events = [
            item.event for item in itertools.takewhile(lambda item: self._sharing(item.event), batch[:MOST])
        ]
        if len(events) == 1:
            return int(self._settle(first, stop))
        try:
            settled = handle_together(self.group, events, self._shared, stop)
            for event in events[:settled]:
                _log.debug("handled", group=self.group, type=event.type, event_id=event.id, key=event.key)
            return settled
        except Undone as undone:
            # Those before it, and then it itself, go one by one; with this as its first try.
            self._undone = dict.fromkeys(item.id for item in events[: events.index(undone.event)])
            self._undone[undone.event.id] = undone.failure
            _log.info("handled one by one", group=self.group, events=len(events), reason=_text(undone.failure))
        except Exception as failure:
            self._undone = dict.fromkeys(item.id for item in events)
            _log.info("handled one by one", group=self.group, events=len(events), reason=_text(failure))
        return int(self._settle(first, stop))

    def _sharing(self, event: Event) -> bool:
        handler = self._shared.get(event.type)
        return handler is not None and event.id not in self._undone and not handler.alone()

    def _settle(self, event: Event, stop: threading.Event | None) -> bool:
        """Handle or park it; False when told to stop before that: it is delivered again after the restart."""
        if event.type == UNREADABLE:
            error: str | None = f"the record is no event: {event.payload.get('error', '')}"
        else:
            error = self._observed(self._handlers[event.type], event, stop)
        if error is not None:
            if stop is not None and stop.is_set():
                return False
            with self._database.write() as session:
                self._inbox.dead_letters.park(session, event, error)
        self._count(event, "handled" if error is None else "dead_lettered")
        self._postponed.pop(event.id, None)
        return True

    def _observed(self, handler: Handler, event: Event, stop: threading.Event | None) -> str | None:
        """See `_attempt`; inside the span, the log context and the metrics of this event."""
        metrics.event_age(self.group).observe(max(0.0, (now() - event.occurred_at).total_seconds()))
        with (
            correlation.working_on(event.correlation_id, event.id, self.group),
            tracing.span(SpanName.HANDLE, event.type, parent=event.traceparent) as span,
            metrics.handling(self.group, event.type).time(),
        ):
            error = self._attempt(handler, event, stop)
            if span is not None:
                span.set(**{"messaging.message.id": event.id, "meridian.key": event.key})
                if error is not None:
                    span.fail("dead-lettered")
            return error

    def _count(self, event: Event, outcome: str) -> None:
        kind = event.type if event.type in self._handlers else metrics.OTHER
        metrics.deliveries(self.group, kind, outcome).inc()

    def _attempt(self, handler: Handler, event: Event, stop: threading.Event | None) -> str | None:
        """Try, at most ATTEMPTS times; None when handled, else the last error. Raises NotNow."""
        error = ""
        undone = self._undone.pop(event.id, None)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if undone is not None and attempt == 1:
                    raise undone
                handler(event)
            except (Poison, Unreadable) as poison:
                _log.error(
                    "poisoned event", group=self.group, type=event.type, event_id=event.id, reason=str(poison)
                )
                return str(poison)
            except Exception as failure:
                error = _text(failure)
                self._count(event, "failed")
                _log.warning(
                    "handler failed", group=self.group, type=event.type, attempt=attempt, exc_info=failure
                )
                if isinstance(failure, NotNow) or attempt == ATTEMPTS:
                    self._postpone(event, failure)
            else:
                _log.debug("handled", group=self.group, type=event.type, event_id=event.id, key=event.key)
                return None
            if attempt < ATTEMPTS:
                pause = FIRST_PAUSE_SECONDS * 2**attempt
                if stop is None:
                    time.sleep(pause)
                elif stop.wait(pause):
                    break
        return error

    def _postpone(self, event: Event, failure: Exception) -> None:
        """Raise NotNow when something else is to blame than the event, but not for ever."""
        if isinstance(failure, DBAPIError):
            if failure.connection_invalidated:
                raise NotNow(_text(failure)) from failure
            self._database.ping()  # whatever it raises, parking would fail too
        elif isinstance(failure, NotNow | httpx.TransportError):
            self._count(event, "postponed")
            since = self._postponed.setdefault(event.id, time.monotonic())
            if time.monotonic() - since < PATIENCE_SECONDS:
                raise NotNow(_text(failure)) from failure


def _text(failure: Exception) -> str:
    return (
        str(failure)
        if isinstance(failure, Poison | Unreadable | NotNow)
        else f"{type(failure).__name__}: {failure}"
    )
