"""Ready-made plans: their weeks laid over a learner's calendar, their aims ticked off by evidence or by hand."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from portal.days import monday_of
from portal.features.plan.evidence import Shown
from portal.features.plan.layout import WEEK, Pace
from roadmap import Plan
from roadmap.planning import Aim

FULL_WEEK = timedelta(days=6)


@dataclass(frozen=True, slots=True)
class AimState:
    """An aim and how it stands."""

    aim: Aim
    by_evidence: bool
    by_hand: bool

    @property
    def done(self) -> bool:
        """Whether it is ticked off."""
        return self.by_evidence or self.by_hand


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a ready-made plan in the calendar: one or more weeks with the same aims."""

    title: str
    first: int
    """The number of its first week of study, from 1."""
    mondays: tuple[date, ...]
    aims: tuple[AimState, ...]

    @property
    def until(self) -> date:
        """The Sunday on which it ends."""
        return self.mondays[-1] + FULL_WEEK

    @property
    def open(self) -> int:
        """How many aims are not ticked off."""
        return sum(not aim.done for aim in self.aims)

    def has(self, day: date) -> bool:
        """Whether the day is in one of its weeks, or in a week off between them."""
        return self.mondays[0] <= day <= self.until


def parts(plan: Plan, pace: Pace, shown: Shown, ticked: Collection[str]) -> list[Part]:
    """The plan's parts from the week of the start on; weeks off are jumped."""
    found: list[Part] = []
    monday, number = monday_of(pace.starts_on), 1
    for week in plan.weeks:
        mondays: list[date] = []
        while len(mondays) < week.weeks:
            if monday not in pace.holidays:
                mondays.append(monday)
            monday += WEEK
        aims = tuple(
            AimState(aim, bool(aim.refs) and all(map(shown.is_done, aim.refs)), aim.id in ticked)
            for aim in week.aims
        )
        found.append(Part(week.title, number, tuple(mondays), aims))
        number += week.weeks
    return found


def reckoned_end(found: Collection[Part], pace: Pace, today: date) -> date | None:
    """When the open aims are done if each part takes the weeks it was given, in proportion to what is open of it.

    None when nothing is open. Counted from the Monday of this week, so that a week isn't lost before it is over.
    """
    weeks = math.ceil(sum(len(part.mondays) * part.open / len(part.aims) for part in found if part.aims))
    if not weeks:
        return None
    monday = max(monday_of(today), monday_of(pace.starts_on))
    while True:
        weeks -= monday not in pace.holidays
        if not weeks:
            return monday + FULL_WEEK
        monday += WEEK
