"""Days, and weeks, which run from Monday to Sunday, as a person's own clock counts them.

Moments are kept in UTC. Which day a moment belongs to is told by the zone of the person whose day it is, and by nothing else.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

ZONE_MAX = 64
"""Characters of a zone's name."""
REGIONS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


def monday_of(day: date) -> date:
    """The Monday of the week that the day is in."""
    return day - timedelta(days=day.weekday())


def day_in(zone: tzinfo, moment: datetime) -> date:
    """The day of an aware moment on the clocks of that zone."""
    return moment.astimezone(zone).date()


def begin_of(zone: tzinfo, day: date) -> datetime:
    """The first moment of a day in that zone, in UTC; where a clock leaps over midnight, the moment of the leap."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def clock_in(zone: tzinfo, moment: datetime) -> str:
    """`14:05 CEST`: the time of an aware moment there, with the zone's short name, or `UTC-03` where it has none."""
    there = moment.astimezone(zone)
    short = there.tzname() or "UTC"
    return f"{there:%H:%M} {short if short.isalpha() else f'UTC{short}'}"


def zone_of(name: str) -> tzinfo:
    """The zone of that name (of the IANA database); UTC for an empty one, and for one that is no longer known."""
    if not is_zone(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the list names it, the data lack it
        return UTC


def is_zone(name: str) -> bool:
    """Whether the IANA database has a zone of that name."""
    return name in _known()


@lru_cache(maxsize=1)
def zones_by_region() -> dict[str, tuple[str, ...]]:
    """The zones that are named after places, by region, and UTC under its own name."""
    found: dict[str, tuple[str, ...]] = {"UTC": ("UTC",)}
    for region in REGIONS:
        found[region] = tuple(sorted(name for name in _known() if name.startswith(f"{region}/")))
    return found


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())
