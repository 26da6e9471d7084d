"""What an answer says about a memory, and when a question is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank.scheduling import (
    LONGEST_DAYS,
    SOON,
    Memory,
    Rating,
    State,
    forecast,
    interval_days,
    rate,
    rescheduled,
    retrievability,
    review,
)

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def after(*ratings: Rating, retention: float = 0.9) -> Memory:
    """The memory after these ratings, each given on the day when the question was due."""
    memory, at = None, NOW
    for rating in ratings:
        memory = review(memory, rating, at=at, retention=retention)
        at = memory.due
    assert memory is not None
    return memory


@pytest.mark.parametrize(
    ("fraction", "seconds", "rating"),
    [
        (0.0, 40, Rating.AGAIN),
        (0.49, 40, Rating.AGAIN),
        (0.5, 40, Rating.HARD),
        (0.99, 40, Rating.HARD),
        (1.0, 49, Rating.EASY),
        (1.0, 50, Rating.GOOD),
        (1.0, 200, Rating.GOOD),
        (1.0, 201, Rating.HARD),
        (1.0, 1001, Rating.GOOD),  # away from the desk: the time says nothing
        (1.0, 9, Rating.GOOD),  # too fast to have been read
        (1.0, None, Rating.GOOD),
        (0.0, None, Rating.AGAIN),
    ],
)
def test_correctness_comes_first_then_time(fraction: float, seconds: float | None, rating: Rating) -> None:
    assert rate(fraction, seconds=seconds, expected=100) is rating


def test_what_was_not_known_comes_again_soon() -> None:
    first = review(None, Rating.AGAIN, at=NOW, retention=0.9)
    assert first.due == NOW + SOON
    assert first.state is State.LEARNING
    known = after(Rating.GOOD, Rating.GOOD)
    forgotten = review(known, Rating.AGAIN, at=known.due, retention=0.9)
    assert forgotten.state is State.RELEARNING
    assert forgotten.due == known.due + SOON


def test_what_is_known_comes_at_growing_distances() -> None:
    gaps = [(after(*[Rating.GOOD] * n).due - after(*[Rating.GOOD] * n).last_review) for n in (1, 2, 3, 4)]
    assert gaps[0] >= DAY
    assert gaps == sorted(gaps)
    assert len(set(gaps)) == 4
    assert after(Rating.EASY).due > after(Rating.GOOD).due > after(Rating.HARD).due


def test_the_same_answers_give_the_same_date() -> None:
    assert after(*[Rating.GOOD] * 5) == after(*[Rating.GOOD] * 5)


def test_who_wants_to_remember_more_is_asked_sooner() -> None:
    ratings = [Rating.GOOD] * 3
    assert after(*ratings, retention=0.95).due < after(*ratings, retention=0.8).due


def test_nothing_stays_away_for_more_than_a_year() -> None:
    memory = after(*[Rating.EASY] * 12, retention=0.7)
    assert memory.due - memory.last_review == timedelta(days=LONGEST_DAYS)


@given(
    ratings=st.lists(st.sampled_from(list(Rating)), min_size=1, max_size=8),
    retention=st.sampled_from([0.7, 0.8, 0.9, 0.95, 0.97]),
)
def test_rescheduling_gives_the_date_that_the_scheduler_gives(ratings: list[Rating], retention: float) -> None:
    memory = after(*ratings, retention=retention)
    assert rescheduled(memory, retention) == memory
    moved = rescheduled(memory, 0.85)
    assert rescheduled(moved, retention) == memory
    if memory.state is State.REVIEW:
        assert moved.due - moved.last_review == interval_days(memory.stability, 0.85) * DAY


def test_recall_falls_from_certain_to_ninety_percent_after_its_stability() -> None:
    memory = after(*[Rating.GOOD] * 3)
    assert retrievability(memory, memory.last_review) == pytest.approx(1.0)
    later = memory.last_review + timedelta(days=round(memory.stability))
    assert retrievability(memory, later) == pytest.approx(0.9, abs=0.005)


@pytest.mark.parametrize("retention", [0.5, 0.699, 0.98, 1.0, float("nan")])
def test_a_retention_that_makes_no_sense_is_refused(retention: float) -> None:
    with pytest.raises(ValueError, match="retention"):
        review(None, Rating.GOOD, at=NOW, retention=retention)


def test_times_have_a_zone_and_are_kept_in_utc() -> None:
    with pytest.raises(ValueError, match="naive"):
        review(None, Rating.GOOD, at=NOW.replace(tzinfo=None), retention=0.9)
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert review(None, Rating.GOOD, at=elsewhere, retention=0.9) == review(
        None, Rating.GOOD, at=NOW, retention=0.9
    )


def test_the_forecast_counts_by_day_with_the_overdue_today() -> None:
    dues = [NOW - 9 * DAY, NOW + timedelta(hours=1), NOW + DAY, NOW + DAY, NOW + 29 * DAY, NOW + 30 * DAY]
    counts = forecast(dues, NOW)
    assert len(counts) == 30
    assert (counts[0], counts[1], counts[29]) == (2, 2, 1)
    assert sum(counts) == 5
