"""Several events in one transaction: under load a consumer has many at hand, and a commit costs more than most effects.

    all succeed      one commit; each event's note and effect are in it, so each still takes effect once
    one fails        all are rolled back, and the consumer handles those at hand one by one: retries and parking are as ever
    killed           nothing is committed and nothing acknowledged: all come again

What an event reads is as fresh as in a transaction of its own: no object outlives the event that loaded it. But locks do, until
the commit. So a transaction is bounded in events and in time, and only effects that are nothing but a transaction share one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reference_impl.shared import correlation, metrics, tracing
from reference_impl.shared.events import Event, now
from reference_impl.shared.tracing import SpanName

if TYPE_CHECKING:
    from reference_impl.shared.inbox import After, Once

MOST = 20
"""Events in one transaction."""
LONGEST_SECONDS = 0.1
"""No further event is begun after that: who waits for a lock shall not wait for twenty of them."""


class Undone(Exception):
    """One of several events failed, and none of them took effect."""

    def __init__(self, event: Event, failure: Exception) -> None:
        super().__init__(f"{event.type}: {failure}")
        self.event = event
        self.failure = failure


def handle_together(
    group: str, events: Sequence[Event], handlers: Mapping[str, Once], stop: threading.Event | None
) -> int:
    """Let these events, in this order, take effect in one transaction; how many, from the first one on, it came to.

    Raises Undone, or what the commit raises: then none of them did. What comes after the commit may raise, too: then
    all of them did, and whoever is given them again finds that.
    """
    first = handlers[events[0].type]
    seconds: list[float] = []
    results: dict[After, list[Any]] = {}
    ages = [max(0.0, (now() - event.occurred_at).total_seconds()) for event in events]
    with first.database.write() as session:
        fresh = first.inbox.note_all(session, events)
        until = time.monotonic() + LONGEST_SECONDS
        for event in events:
            if seconds and (time.monotonic() >= until or (stop is not None and stop.is_set())):
                break
            started = time.perf_counter()
            with (
                correlation.working_on(event.correlation_id, event.id, group),
                tracing.span(SpanName.HANDLE, event.type, parent=event.traceparent) as span,
            ):
                if span is not None:
                    span.set(**{"messaging.message.id": event.id, "meridian.key": event.key})
                if event.id in fresh:
                    fresh.remove(event.id)
                    handler = handlers[event.type]
                    try:
                        result = handler.effect(session, event)
                        session.flush()
                    except Exception as failure:
                        if span is not None:
                            span.fail("undone with others, handled again alone")
                        raise Undone(event, failure) from failure
                    session.expunge_all()
                    if handler.after is not None:
                        results.setdefault(handler.after, []).append(result)
            seconds.append(time.perf_counter() - started)
        first.inbox.forget(session, fresh)  # what was not begun
    for after, given in results.items():
        after(given)
    for event, age, took in zip(events, ages, seconds, strict=False):
        metrics.event_age(group).observe(age)
        metrics.handling(group, event.type).observe(took)
        metrics.deliveries(group, event.type, "handled").inc()
    return len(seconds)
