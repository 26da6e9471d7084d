"""How long who waits for a place will wait: an estimate, told without more precision than it has.

Each session that holds a place is taken to end when the soonest of these comes: the end of its time; the end that idleness
brings, when it has been quiet for a while; and the moment by which half of the recent sessions that got as old as it is had
ended. A place that becomes free goes to the next in the queue, who keeps it for as long as a session usually takes.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

SAMPLE = 3
"""So many recent sessions at least, or they say nothing about others."""
QUIET = timedelta(minutes=10)
"""Who did nothing for so long may well not come back."""
STOPPING = timedelta(seconds=5)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Held:
    """A session that holds a place."""

    ready_at: datetime | None
    """None while it starts."""
    expires_at: datetime | None
    last_active: datetime
    idle_at: datetime | None
    """When idleness ends it; None without an idle limit."""
    stopping: bool = False


def wait(
    place: int,
    places: int,
    held: Sequence[Held],
    lengths: Sequence[timedelta],
    longest: timedelta,
    now: datetime,
) -> timedelta:
    """How long the one at `place` (1 is next) will wait.

    `places` is how many there are, `lengths` how long recent sessions took, `longest` how long one may take.
    """
    usual = min(_median(lengths), longest) if len(lengths) >= SAMPLE else longest
    free_at = [_end(session, lengths, usual, now) for session in held]
    free_at += [now] * (places - len(held))
    heapq.heapify(free_at)
    for _ in range(len(held) - places):  # the cap was lowered: these places are gone when they become free
        heapq.heappop(free_at)
    for _ in range(place - 1):
        heapq.heappush(free_at, heapq.heappop(free_at) + usual)
    return max(free_at[0] - now, timedelta())


def words(span: timedelta) -> str:
    """The span as one says it: a few minutes, about 20 minutes, about 2 hours."""
    if span < MINUTE:
        return "less than a minute"
    if span < 7.5 * MINUTE:
        return "a few minutes"
    if span < 52.5 * MINUTE:
        return f"about {5 * round(span / (5 * MINUTE))} minutes"
    hours = round(span / (60 * MINUTE))
    return "about an hour" if hours <= 1 else f"about {hours} hours"


def _end(session: Held, lengths: Sequence[timedelta], usual: timedelta, now: datetime) -> datetime:
    if session.stopping:
        return now + STOPPING
    if session.ready_at is None:
        return now + usual
    age = now - session.ready_at
    ends = [session.expires_at] if session.expires_at is not None else [session.ready_at + max(usual, age)]
    longer = [length for length in lengths if length > age]
    if len(longer) >= SAMPLE:
        ends.append(session.ready_at + _median(longer))
    if session.idle_at is not None and now - session.last_active >= QUIET:
        ends.append(session.idle_at)
    return max(min(ends), now)


def _median(spans: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(span.total_seconds() for span in spans))
