"""Days of weeks, which run from Monday to Sunday."""

from __future__ import annotations

from datetime import date, timedelta


def monday_of(day: date) -> date:
    """The Monday of the week that the day is in."""
    return day - timedelta(days=day.weekday())
