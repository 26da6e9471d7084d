"""The estimate of who waits for a place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.features.lab_sessions.queue import Held, wait, words

NOW = datetime(2026, 5, 4, 14, 0, tzinfo=UTC)
LONGEST = timedelta(hours=4)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def held(age: float = 30, left: float = 210, quiet: float = 0, idle_in: float | None = 60) -> Held:
    return Held(
        ready_at=NOW - minutes(age),
        expires_at=NOW + minutes(left),
        last_active=NOW - minutes(quiet),
        idle_at=NOW + minutes(idle_in) if idle_in is not None else None,
    )


def estimate(place: int, places: int, sessions: list[Held], lengths: tuple[float, ...] = ()) -> float:
    return wait(place, places, sessions, [minutes(m) for m in lengths], LONGEST, NOW) / minutes(1)


def test_a_free_place_is_had_at_once() -> None:
    assert estimate(1, 2, [held()]) == 0
    assert estimate(2, 2, []) == 0


def test_the_next_gets_the_place_whose_time_is_over_first() -> None:
    assert estimate(1, 2, [held(left=100), held(left=12)]) == 12
    assert estimate(2, 2, [held(left=100), held(left=12)]) == 100


def test_behind_them_waits_who_needs_a_place_to_be_used_once_more() -> None:
    assert estimate(2, 1, [held(age=50, left=12)], (40, 40, 40)) == 12 + 40
    assert estimate(4, 2, [held(age=50, left=12), held(age=50, left=20)], (40, 40, 40)) == 20 + 40


def test_recent_sessions_say_when_one_of_this_age_usually_ends() -> None:
    # Half an hour old; of those that got so old, half had ended at 45 minutes.
    assert estimate(1, 1, [held(age=30)], (5, 10, 40, 45, 90)) == 15


def test_too_few_that_got_so_old_say_nothing() -> None:
    assert estimate(1, 1, [held(age=50)], (5, 10, 40, 60, 90)) == 210


def test_who_is_quiet_is_expected_to_be_stopped_for_it() -> None:
    assert estimate(1, 1, [held(quiet=20, idle_in=40)]) == 40
    assert estimate(1, 1, [held(quiet=9, idle_in=51)]) == 210
    assert estimate(1, 1, [held(quiet=20, idle_in=None)]) == 210


def test_one_that_stops_is_nearly_gone_and_one_that_starts_stays() -> None:
    stopping = Held(NOW, NOW, NOW, None, stopping=True)
    assert 0 < estimate(1, 1, [stopping]) < 1
    assert estimate(1, 1, [Held(None, None, NOW, None)], (30, 30, 30)) == 30


def test_places_that_are_no_more_are_not_handed_on() -> None:
    assert estimate(1, 1, [held(left=5), held(left=50), held(left=90)]) == 90


def test_what_is_overdue_does_not_count_backwards() -> None:
    assert estimate(1, 1, [held(left=-3)]) == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (60, "a few minutes"),
        (449, "a few minutes"),
        (451, "about 10 minutes"),
        (22 * 60, "about 20 minutes"),
        (52 * 60, "about 50 minutes"),
        (53 * 60, "about an hour"),
        (89 * 60, "about an hour"),
        (91 * 60, "about 2 hours"),
        (7 * 3600, "about 7 hours"),
    ],
)
def test_it_is_told_without_more_precision_than_it_has(seconds: int, said: str) -> None:
    assert words(timedelta(seconds=seconds)) == said
