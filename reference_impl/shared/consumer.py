"""Reads the bus for one service: retries what fails, parks what keeps failing, loses nothing.

Events of one key are handled in their order, one after the other. Where the service allows it, those of different keys are
handled at the same time, in lanes: most of the time of a handler goes by with waiting for the database.
"""

from __future__ import annotations

import itertools
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import copy_context

import httpx
from sqlalchemy.exc import DBAPIError

from reference_impl.shared import correlation, logs, metrics, tracing
from reference_impl.shared.bus import UNREADABLE, BusAway, Delivery, EventBus
from reference_impl.shared.database import Database
from reference_impl.shared.dead_letters import DeadLetter
from reference_impl.shared.events import Event, now
from reference_impl.shared.inbox import Handler, Inbox, NotNow, Once, Poison
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
PRUNE_EVERY = 1000
_log = logs.logger("meridian.consumer")


class Consumer:
    """The consumer of one service.

    What fails because the database or a neighbour is away is not the event's fault. It is neither parked nor
    acknowledged, and the consumer waits with all that follows it.
    """

    def __init__(
        self,
        group: str,
        handlers: Mapping[str, Handler],
        *,
        bus: EventBus,
        database: Database,
        inbox: Inbox,
        lanes: int = 1,
    ) -> None:
        """`lanes`: how many keys are handled at once on PostgreSQL; SQLite has one writer. More than one only where the
        effects of different keys lock different rows: several events share a transaction, and would wait in a circle."""
        self.group = group
        self._lanes = lanes if database.is_postgres else 1
        self._handlers = handlers
        self._bus = bus
        self._database = database
        self._inbox = inbox
        self._handled = 0
        self._postponed: dict[str, float] = {}
        self._shared = {name: handler for name, handler in handlers.items() if isinstance(handler, Once)}
        self._undone: dict[str, Exception | None] = {}
        """Events to be handled alone because they were rolled back together, with their own failure."""
        self._ahead: set[str] = set()
        """Events of the last batch that are settled, but come again, because one before them is not."""

    def run_once(self, wait_seconds: float = 0.0, stop: threading.Event | None = None) -> int:
        """Handle what there is, at most one batch, and return how many deliveries that was. Raises NotNow, BusAway."""
        batch = _Batch(self._bus.receive(self.group, limit=BATCH, wait_seconds=wait_seconds))
        batch.settle([item for item in batch.deliveries if item.event.id in self._ahead])
        ignored = [item for item in batch.unsettled() if not self._concerns(item.event)]
        if ignored:
            metrics.deliveries(self.group, metrics.OTHER, "ignored").inc(len(ignored))
            batch.settle(ignored)
        failures: list[Exception] = []

        def work(lane: Sequence[Delivery], *, acknowledging: bool = False) -> None:
            since = time.monotonic()
            try:
                for settled in self._settle_all(lane, stop):
                    batch.settle(settled)
                    if acknowledging and time.monotonic() - since >= ACKNOWLEDGE_SECONDS:
                        self._acknowledge(batch.next_settled())
                        since = time.monotonic()
            except Exception as failure:
                failures.append(failure)

        first, *others = self._lanes_of(batch.unsettled())
        threads = [
            threading.Thread(target=copy_context().run, args=(work, lane), daemon=True) for lane in others
        ]
        for thread in threads:
            thread.start()
        work(first, acknowledging=True)
        for thread in threads:
            thread.join()
        self._acknowledge(batch.next_settled())
        self._ahead = batch.ahead()
        if failures:
            raise failures[0]
        return len(batch.deliveries)

    def _lanes_of(self, batch: Sequence[Delivery]) -> list[list[Delivery]]:
        """What is handled at the same time: all of one key in one lane, in its order. At least one lane."""
        if self._lanes == 1:
            return [list(batch)]
        lanes: dict[int, list[Delivery]] = {}
        for item in batch:
            lanes.setdefault(zlib.crc32(item.event.key.encode()) % self._lanes, []).append(item)
        return list(lanes.values()) or [[]]

    def _settle_all(
        self, lane: Sequence[Delivery], stop: threading.Event | None
    ) -> Iterator[Sequence[Delivery]]:
        """Settle these in their order, and say after each step which are."""
        while lane and not (stop is not None and stop.is_set()):
            settled = self._settle_some(lane, stop)
            if not settled:
                return
            yield lane[:settled]
            lane = lane[settled:]

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
            self._undone |= dict.fromkeys(item.id for item in events[: events.index(undone.event)])
            self._undone[undone.event.id] = undone.failure
            _log.info("handled one by one", group=self.group, events=len(events), reason=_text(undone.failure))
        except Exception as failure:
            self._undone |= dict.fromkeys(item.id for item in events)
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


class _Batch:
    """What was received at once, and what of it is settled. It is acknowledged in the order in which it was received, because
    a bus may keep no more than how far a group has come."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.deliveries = deliveries
        self._settled: set[int] = set()
        self._acknowledged = 0

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """These need not come again. Any thread may say so."""
        self._settled.update(map(id, deliveries))

    def unsettled(self) -> list[Delivery]:
        """What is still to be done."""
        return [item for item in self.deliveries if id(item) not in self._settled]

    def ahead(self) -> set[str]:
        """The ids of what is settled and can't be acknowledged yet."""
        rest = self.deliveries[self._acknowledged :]
        return {item.event.id for item in rest if id(item) in self._settled}

    def next_settled(self) -> list[Delivery]:
        """Those behind the last answer's that are settled, up to the first that is not."""
        rest = itertools.islice(self.deliveries, self._acknowledged, None)
        found = list(itertools.takewhile(lambda item: id(item) in self._settled, rest))
        self._acknowledged += len(found)
        return found
