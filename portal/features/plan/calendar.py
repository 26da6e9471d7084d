"""A plan as a calendar file, by RFC 5545: weeks as all-day events, study sessions as events without a time zone.

Days are the learner's. A session's time is "floating": whoever opens the file sees it at that hour of their own clock,
wherever they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from portal.features.plan.contents import Item, ItemKind
from portal.features.plan.layout import WEEK
from portal.features.plan.outlook import Outlook, WeekAhead
from portal.features.plan.ready import Part

if TYPE_CHECKING:
    from icalendar import Calendar, Event

PRODUCT = "-//Proving Ground//Study plan//EN"
WEEKS_MOST = 104
"""Weeks ahead in a file."""
SESSIONS_WEEKS = 8
"""Weeks ahead with single sessions: what comes later is laid out anew too often."""
SHORTEST = 15
"""Minutes of a session at least."""
VERBS = {
    ItemKind.LESSON: "Read",
    ItemKind.PRACTICE: "Practise",
    ItemKind.LAB: "Lab",
    ItemKind.ACTIVITY: "Make",
    ItemKind.MODULE: "Go on with",
    ItemKind.AIM: "Do",
}


def calendar_file(outlook: Outlook | None, *, owner: int, origin: str, now: datetime) -> bytes:
    """The file; without a plan, a calendar without events, so that subscriptions stay whole.

    `owner` is the learner's id: an event of the same learner, kind and day keeps its UID over every change of the plan.
    """
    from icalendar import Calendar  # only who asks for the file needs it

    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"Study plan: {outlook.track.title}" if outlook else "Study plan")
    calendar.add("x-published-ttl", "PT6H")
    if outlook is not None:
        writer = _Writer(calendar, outlook, owner, origin.rstrip("/"), now)
        writer.passed()
        if outlook.ready is None:
            writer.weeks()
        else:
            writer.parts()
    return calendar.to_ical()


def spread(items: Sequence[Item], days: Sequence[date], minutes: int) -> list[tuple[date, int, list[Item]]]:
    """The week's work over its days, equally long; each item on the day on which it begins. Days without one are left out."""
    if not days or not items:
        return []
    length = max(SHORTEST, round(minutes / len(days)))
    total = sum(item.minutes for item in items) or 1
    by_day: dict[date, list[Item]] = {}
    before = 0
    for item in items:
        place = min(len(days) - 1, before * len(days) // total)
        by_day.setdefault(days[place], []).append(item)
        before += item.minutes
    found = []
    latest = [items[0]]
    for day in days:
        # A day on which nothing begins goes on with what was begun last.
        latest = by_day.get(day) or latest[-1:]
        found.append((day, length, latest))
    return found


class _Writer:
    """Adds events to a calendar."""

    def __init__(self, calendar: Calendar, outlook: Outlook, owner: int, origin: str, now: datetime) -> None:
        self.calendar = calendar
        self.outlook = outlook
        self.origin = origin
        self.now = now
        self.host = origin.rpartition("/")[2].rpartition(":")[0] or origin.rpartition("/")[2]
        self.who = hashlib.sha256(f"study plan of {owner} at {origin}".encode()).hexdigest()[:16]

    def passed(self) -> None:
        for week in self.outlook.passed:
            lines = [f"Read: {title}" for title in week.deeds.lessons]
            lines += [f"Passed: {title}" for title in week.deeds.tasks]
            if week.deeds.questions:
                lines.append(f"Answered right for the first time: {week.deeds.questions}")
            self._week(week.monday, f"Week {week.number}", lines or ["Nothing on record."])

    def weeks(self) -> None:
        for index, one in enumerate(self.outlook.ahead[:WEEKS_MOST]):
            if one.is_off:
                self._week(one.week.monday, "Week off", [])
                continue
            title = f"Week {one.number}: {', '.join(one.modules)}" if one.modules else f"Week {one.number}"
            self._week(one.week.monday, title, [_line(item) for item in one.items])
            if index < SESSIONS_WEEKS:
                self._sessions(one)

    def parts(self) -> None:
        for part in self.outlook.parts:
            for number, monday in enumerate(part.mondays, part.first):
                if monday + WEEK > self.outlook.today:
                    self._week(monday, f"Week {number}: {part.title}", _aims(part))

    def _week(self, monday: date, title: str, lines: Sequence[str]) -> None:
        event = self._event("week", monday, title, lines)
        event.add("dtstart", monday)
        event.add("dtend", monday + WEEK)
        event.add("transp", "TRANSPARENT")
        self.calendar.add_component(event)

    def _sessions(self, one: WeekAhead) -> None:
        begins = time.fromisoformat(self.outlook.plan.begins_at)
        open_ = [item for item in one.items if not item.done]
        for day, minutes, items in spread(open_, one.week.days, one.week.load):
            if day < self.outlook.today:
                continue
            more = f" and {len(items) - 1} more" if len(items) > 1 else ""
            event = self._event("session", day, _line(items[0]) + more, [_line(item) for item in items])
            start = datetime.combine(day, begins)
            event.add("dtstart", start)
            # A session ends with its day: an event over midnight would be two in most calendars.
            end = datetime.combine(day, time(23, 59))
            event.add("dtend", max(start + timedelta(minutes=1), min(end, start + timedelta(minutes=minutes))))
            self.calendar.add_component(event)

    def _event(self, kind: str, day: date, title: str, lines: Sequence[str]) -> Event:
        from icalendar import Event

        event = Event()
        event.add("uid", f"{kind}-{day.isoformat()}-{self.who}@{self.host}")
        event.add("dtstamp", self.now)
        event.add("summary", title)
        if lines:
            event.add("description", "\n".join(lines))
        event.add("url", f"{self.origin}/plan/")
        return event


def _line(item: Item) -> str:
    verb = VERBS[item.kind]
    title = item.title if item.kind is not ItemKind.PRACTICE else f"questions on {item.module}"
    on = " (goes on)" if item.goes_on else ""
    return f"{'Done: ' if item.done else ''}{verb}: {title}{on}"


def _aims(part: Part) -> list[str]:
    return [f"{'Done: ' if one.done else ''}{one.aim.title}" for one in part.aims]
