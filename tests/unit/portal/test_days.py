"""Days as a person's own clock counts them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.days import begin_of, clock_in, day_in, is_zone, zone_of, zones_by_region

VIENNA, TOKYO, LOS_ANGELES = ZoneInfo("Europe/Vienna"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")
EVERY = sorted(name for names in zones_by_region().values() for name in names)


def test_a_moment_is_on_the_day_that_the_zone_has_then() -> None:
    late = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)
    assert [day_in(zone, late).day for zone in (UTC, VIENNA, TOKYO, LOS_ANGELES)] == [4, 5, 5, 4]


@given(
    st.sampled_from(EVERY).map(zone_of),
    st.integers(0, 60 * 365 * 86_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_a_day_begins_with_its_first_moment(zone: ZoneInfo, moment: datetime) -> None:
    day = day_in(zone, moment)
    begins = begin_of(zone, day)
    assert begins.tzinfo is UTC
    assert begins <= moment
    assert day_in(zone, begins) == day
    assert day_in(zone, begins - timedelta(microseconds=1)) < day


def test_where_the_clock_leaps_over_midnight_the_day_begins_with_the_leap() -> None:
    cairo = zone_of("Africa/Cairo")  # on 24 April 2026, 23:59:59 was followed by 01:00:00
    assert begin_of(cairo, date(2026, 4, 24)) == datetime(2026, 4, 23, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("Europe/Vienna", "16:05 CEST"), ("America/Sao_Paulo", "11:05 UTC-03"), ("", "14:05 UTC")],
)
def test_a_time_names_its_zone(zone: str, shown: str) -> None:
    assert clock_in(zone_of(zone), datetime(2026, 5, 4, 14, 5, tzinfo=UTC)) == shown


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "europe/vienna", "Europe/Vienna\0"])
def test_what_is_no_zone_is_utc(name: str) -> None:
    assert not is_zone(name)
    assert zone_of(name) is UTC


def test_there_are_places_to_choose_from_in_every_region() -> None:
    found = zones_by_region()
    assert next(iter(found)) == "UTC"
    assert all(found.values())
    assert "Europe/Vienna" in found["Europe"]
