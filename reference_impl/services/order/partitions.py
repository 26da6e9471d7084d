"""The monthly partitions of `order_events` on PostgreSQL, made ahead of time. On SQLite the table is a plain one.

There is no default partition to catch what fits nowhere: it would hide that this chore has stopped, and PostgreSQL refuses
to make the partition of a month whose rows lie in the default one. A month without a partition fails loudly; with the next
two always there, it takes weeks of failures to get to that.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from sqlalchemy import text
from sqlalchemy.orm import Session

from reference_impl.shared.database import Database
from reference_impl.shared.events import now

AHEAD = 2
_LOCK = 0x6F72_6465
"""Name of the advisory lock that lets one process at a time make partitions."""


def make_ahead(database: Database) -> int:
    """Make the partitions of this month and the next ones where they are missing; how many there are then."""
    if not database.is_postgres:
        return 0
    months = [_month_after(now().date(), number) for number in range(AHEAD + 2)]
    with database.write() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        for first, behind in pairwise(months):
            # Names and dates come from the clock alone, and DDL takes no parameters.
            session.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS order_events_{first:%Y_%m} PARTITION OF order_events "
                    f"FOR VALUES FROM ('{first}') TO ('{behind}')"
                )
            )
        return _count(session)


def _count(session: Session) -> int:
    query = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'order_events'::regclass")
    return int(session.scalar(query) or 0)


def _month_after(day: date, months: int) -> date:
    """The first day of the month that comes so many months after this day's."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(days=31)).replace(day=1)
    return first
