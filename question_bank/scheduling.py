"""When a question should be asked again: FSRS around one learner's memory of one question.

::

    rating = rate(fraction=1.0, seconds=40, expected=90)        # what an answer says about the memory
    memory = review(memory, rating, at=now, retention=0.9)      # None for a question met for the first time
    memory.due                                                  # when recall is expected to fall to 90 %

Nothing here is random: the same answers at the same times give the same dates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum
from functools import lru_cache

import fsrs

RETENTION_MIN = 0.70
RETENTION_MAX = 0.97
RETENTION_DEFAULT = 0.90

SOON = timedelta(minutes=10)
"""When a question that was not known is asked again for the first time."""
LONGEST_DAYS = 365
"""No question stays away for longer: what an interview asks changes within a year."""

EASY_BELOW = 0.5
"""A right answer in less than this share of the expected time came easily ..."""
TOO_FAST_BELOW = 0.1
"""... unless it came in less than this share: then the question can hardly have been read."""
HARD_ABOVE = 2.0
"""A right answer that took longer than this many expected times was hard ..."""
INTERRUPTED_ABOVE = 10.0
"""... unless it took longer than this many: then the learner was away, and the time says nothing."""
HALF_KNOWN = 0.5
"""From this fraction on, an answer that is not fully right shows some memory."""


class Rating(IntEnum):
    """What an answer says about the memory of it, as FSRS counts."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4


class State(IntEnum):
    """Where a question is in a learner's memory, as FSRS counts."""

    LEARNING = 1
    REVIEW = 2
    RELEARNING = 3


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of one learner's memory of one question."""

    state: State
    step: int | None
    """Which of the short steps comes next; None while the question is in review."""
    stability: float
    """Days after which recall is expected to have fallen to 90 %."""
    difficulty: float
    """From 1 to 10, of the question for this learner."""
    due: datetime
    """Aware, UTC."""
    last_review: datetime
    """Aware, UTC."""


def rate(fraction: float, *, seconds: float | None = None, expected: float) -> Rating:
    """The rating of an answer that earned `fraction` (0 to 1) in `seconds` (None: not measured).

    `expected` is how long a prepared learner needs, in seconds.
    """
    if fraction < HALF_KNOWN:
        return Rating.AGAIN
    if fraction < 1.0:
        return Rating.HARD
    share = seconds / expected if seconds is not None and expected > 0 else 1.0
    if share < TOO_FAST_BELOW or share > INTERRUPTED_ABOVE:
        return Rating.GOOD
    if share < EASY_BELOW:
        return Rating.EASY
    return Rating.HARD if share > HARD_ABOVE else Rating.GOOD


def review(memory: Memory | None, rating: Rating, *, at: datetime, retention: float) -> Memory:
    """The memory after an answer with this rating; `memory` is None for the first one.

    Raises `ValueError` for a naive time and for a retention outside 0.70 to 0.97.
    """
    moment = _utc(at)
    card = _card(memory, moment)
    reviewed, _log = _scheduler(_checked(retention)).review_card(card, fsrs.Rating(int(rating)), moment)
    if reviewed.stability is None or reviewed.difficulty is None:
        raise AssertionError("FSRS left a reviewed card without stability or difficulty")
    return Memory(
        state=State(int(reviewed.state)),
        step=reviewed.step,
        stability=reviewed.stability,
        difficulty=reviewed.difficulty,
        due=reviewed.due,
        last_review=moment,
    )


def retrievability(memory: Memory, at: datetime) -> float:
    """How likely the learner is to recall the question then, 0 to 1."""
    moment = _utc(at)
    return float(_scheduler(RETENTION_DEFAULT).get_card_retrievability(_card(memory, moment), moment))


def rescheduled(memory: Memory, retention: float) -> Memory:
    """The same memory, due when recall is expected to fall to another retention.

    What is in its short steps stays as it is. Raises `ValueError` for a retention outside 0.70 to 0.97.
    """
    retention = _checked(retention)
    if memory.state is not State.REVIEW:
        return memory
    days = interval_days(memory.stability, retention)
    return replace(memory, due=memory.last_review + timedelta(days=days))


def interval_days(stability: float, retention: float) -> int:
    """Whole days, from 1 to 365, until recall has fallen to `retention`."""
    decay = -_scheduler(RETENTION_DEFAULT).parameters[20]
    factor = 0.9 ** (1 / decay) - 1
    days = round(stability / factor * (retention ** (1 / decay) - 1))
    return min(max(days, 1), LONGEST_DAYS)


def forecast(dues: Iterable[datetime], now: datetime, days: int = 30, zone: tzinfo = UTC) -> list[int]:
    """How many questions come due on each of the next `days` days of a zone, today first.

    What is overdue counts for today; what comes later than the last day is left out.
    """
    today = _utc(now).astimezone(zone).date()
    counts = [0] * days
    for due in dues:
        ahead = max(0, (_utc(due).astimezone(zone).date() - today).days)
        if ahead < days:
            counts[ahead] += 1
    return counts


@lru_cache(maxsize=64)
def _scheduler(retention: float) -> fsrs.Scheduler:
    # One short step only: a learner comes once a day, not every ten minutes. No fuzz: it is drawn from the
    # process's random numbers, and a date that can't be derived again can't be tested or explained.
    return fsrs.Scheduler(
        desired_retention=retention,
        learning_steps=(SOON,),
        relearning_steps=(SOON,),
        maximum_interval=LONGEST_DAYS,
        enable_fuzzing=False,
    )


def _checked(retention: float) -> float:
    if not RETENTION_MIN <= retention <= RETENTION_MAX:
        raise ValueError(f"the retention must be from {RETENTION_MIN} to {RETENTION_MAX}, not {retention}")
    return round(retention, 2)


def _card(memory: Memory | None, at: datetime) -> fsrs.Card:
    # FSRS makes an id of the clock, and sleeps to keep ids apart, unless it is given one.
    if memory is None:
        return fsrs.Card(card_id=0, due=at)
    return fsrs.Card(
        card_id=0,
        state=fsrs.State(int(memory.state)),
        step=memory.step,
        stability=memory.stability,
        difficulty=memory.difficulty,
        due=_utc(memory.due),
        last_review=_utc(memory.last_review),
    )


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a naive time: give one with a time zone")
    return moment.astimezone(UTC)
