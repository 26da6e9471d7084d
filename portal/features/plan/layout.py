"""Work laid over weeks: arithmetic on minutes and days, nothing else.

Weeks run from Monday to Sunday. Modules are laid one after the other, each into as many weeks as it takes. What is left of a
module at the end of a week and is shorter than a sitting stays in that week: it alone may make a week longer than was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from portal.days import monday_of

SITTING = 30
"""Minutes. Nothing shorter is carried into another week, and nothing is begun with less time than that unless it fits."""
HOURS_MIN, HOURS_MAX = 1, 60
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Pace:
    """When a learner studies."""

    hours: int
    """A week."""
    starts_on: date
    days_off: frozenset[int] = frozenset()
    """Weekdays without study, Monday is 0; at most six."""
    holidays: frozenset[date] = frozenset()
    """Mondays of weeks without study."""

    def days(self, monday: date) -> tuple[date, ...]:
        """The days of that week on which there is study; none in a holiday week and before the start."""
        if monday in self.holidays:
            return ()
        week = (monday + timedelta(days=n) for n in range(7) if n not in self.days_off)
        return tuple(day for day in week if day >= self.starts_on)

    def minutes(self, monday: date) -> int:
        """How much there is room for in that week: a week that is begun late has room in proportion."""
        return self.hours * 60 * len(self.days(monday)) // (7 - len(self.days_off))


@dataclass(frozen=True, slots=True)
class Block:
    """A module, and what is left of it."""

    id: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Share:
    """What of a module is laid into one week: minutes `begins` to `begins + minutes` of what is left of it."""

    id: str
    begins: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Week:
    """One week and what is laid into it."""

    monday: date
    days: tuple[date, ...]
    room: int
    """Minutes."""
    shares: tuple[Share, ...]

    @property
    def load(self) -> int:
        """Minutes that are laid into it."""
        return sum(share.minutes for share in self.shares)

    @property
    def ends_on(self) -> date:
        """The day on which its work is done when it is spread evenly over its days."""
        if not self.days or not self.load:
            return self.monday
        day = -(-self.load * len(self.days) // max(1, self.room)) - 1
        return self.days[min(day, len(self.days) - 1)]


def lay(blocks: Sequence[Block], pace: Pace, monday: date) -> tuple[Week, ...]:
    """Lay what is left, in this order, over the weeks from that Monday on, up to the week in which it is done."""
    left = [block for block in blocks if block.minutes > 0]
    monday = max(monday, monday_of(pace.starts_on))
    weeks: list[Week] = []
    begun = 0
    while left:
        room = whole = pace.minutes(monday)
        shares: list[Share] = []
        while left:
            rest = left[0].minutes - begun
            if rest > room and room < SITTING:
                break
            take = min(rest, room)
            if rest - take < SITTING:
                take = rest
            shares.append(Share(left[0].id, begun, take))
            room -= take
            begun += take
            if begun == left[0].minutes:
                left.pop(0)
                begun = 0
        weeks.append(Week(monday, pace.days(monday), whole, tuple(shares)))
        monday += WEEK
    return tuple(weeks)


def ends_on(blocks: Sequence[Block], pace: Pace, monday: date) -> date | None:
    """The day on which all is done; None when nothing is left."""
    weeks = lay(blocks, pace, monday)
    return weeks[-1].ends_on if weeks else None


def hours_needed(blocks: Sequence[Block], pace: Pace, monday: date, by: date) -> int | None:
    """The fewest hours a week with which all is done by that day; None when 60 don't do it."""
    total = sum(block.minutes for block in blocks)
    if not total:
        return HOURS_MIN
    days, week = 0, max(monday, monday_of(pace.starts_on))
    while week <= by:
        days += sum(day <= by for day in pace.days(week))
        week += WEEK
    if not days:
        return None
    fewest = (total - SITTING) * (7 - len(pace.days_off)) // (60 * days)
    for hours in range(max(HOURS_MIN, fewest), HOURS_MAX + 1):
        faster = Pace(hours, pace.starts_on, pace.days_off, pace.holidays)
        end = ends_on(blocks, faster, monday)
        if end is not None and end <= by:
            return hours
    return None


def to_leave_out(blocks: Sequence[Block], pace: Pace, monday: date, by: date) -> tuple[str, ...]:
    """The fewest modules, from the end, without which the rest is done by that day; none when not even the first is."""
    left = [block for block in blocks if block.minutes > 0]
    for kept in range(len(left) - 1, 0, -1):
        end = ends_on(left[:kept], pace, monday)
        if end is not None and end <= by:
            return tuple(block.id for block in left[kept:])
    return ()
