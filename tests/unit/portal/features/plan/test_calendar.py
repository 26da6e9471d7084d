from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from freezegun import freeze_time
from icalendar import Calendar
from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.plan.calendar import calendar_file, spread
from portal.features.plan.contents import Item, ItemKind
from portal.features.plan.service import PlanService
from portal.models import User
from tests.factories import plans

MONDAY = date(2026, 9, 7)
NOON = datetime(2026, 9, 7, 12, tzinfo=UTC)
ORIGIN = "https://learn.example:8443"


@pytest.fixture
def service(db: Session, content: Content, learner_user: User) -> PlanService:
    return PlanService(db, content, learner_user.id)


def written(service: PlanService, now: datetime = NOON) -> bytes:
    with freeze_time(now):
        return calendar_file(service.outlook(), owner=service.user_id, origin=ORIGIN, now=now)


def make(service: PlanService, content: Content, **changes: object) -> None:
    with freeze_time(NOON):
        service.make(plans.wishes(content, **changes))


def test_the_file_is_one_that_programs_read(service: PlanService, content: Content) -> None:
    make(service, content)

    body = written(service)

    assert body.startswith(b"BEGIN:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")
    read = Calendar.from_ical(body)
    assert read["version"] == "2.0"
    events = read.walk("VEVENT")
    assert len({event["uid"] for event in events}) == len(events)
    for event in events:
        assert event["dtstamp"].dt == NOON
        assert event["dtstart"].dt < event["dtend"].dt
        assert not event.errors
        assert event["uid"].endswith("@learn.example")


def test_weeks_are_whole_days_and_sessions_float_on_study_days(service: PlanService, content: Content) -> None:
    make(service, content, days_off=(0, 6), hours=10)

    events = Calendar.from_ical(written(service)).walk("VEVENT")

    weeks = [event for event in events if event["uid"].startswith("week-")]
    assert weeks[0]["dtstart"].dt == MONDAY
    assert weeks[0]["dtend"].dt == MONDAY + timedelta(days=7)
    sessions = [event for event in events if event["uid"].startswith("session-")]
    assert {session["dtstart"].dt.weekday() for session in sessions} == {1, 2, 3, 4, 5}
    assert all(session["dtstart"].dt.tzinfo is None for session in sessions)
    assert sessions[0]["dtstart"].dt.isoformat() == "2026-09-08T18:00:00"
    assert sessions[0]["dtend"].dt.isoformat() == "2026-09-08T20:00:00"
    assert sessions[0]["summary"].startswith("Read: ")


def test_titles_are_escaped_and_come_back_as_they_were(service: PlanService, content: Content) -> None:
    make(service, content)
    with freeze_time(NOON):
        outlook = service.outlook()
    assert outlook is not None
    first = outlook.ahead[0]
    odd = "a, b; c\\d \u201cé\u201d\nnext" + "x" * 90
    object.__setattr__(first, "items", (Item(ItemKind.LESSON, "x", odd, "m", 30),))

    body = calendar_file(outlook, owner=1, origin=ORIGIN, now=NOON)

    week = next(event for event in Calendar.from_ical(body).walk("VEVENT"))
    assert week["description"] == f"Read: {odd}"


def test_a_changed_plan_moves_the_same_events(service: PlanService, content: Content) -> None:
    make(service, content)
    before = {event["uid"] for event in Calendar.from_ical(written(service)).walk("VEVENT")}
    make(service, content, hours=12)

    after = {event["uid"] for event in Calendar.from_ical(written(service)).walk("VEVENT")}

    assert after < before  # it takes fewer weeks, and none has another name


def test_a_ready_made_plan_has_its_weeks(service: PlanService, content: Content) -> None:
    with freeze_time(NOON):
        service.make(plans.ready_wishes(content, "thirty-days"))

    events = Calendar.from_ical(written(service)).walk("VEVENT")

    assert [event["summary"] for event in events] == [
        f"Week {n}: {week.title}" for n, week in enumerate(content.roadmap.plans["thirty-days"].weeks, 1)
    ]


def test_without_a_plan_the_calendar_is_empty_and_whole(service: PlanService) -> None:
    assert Calendar.from_ical(written(service)).walk("VEVENT") == []


def test_work_is_spread_evenly_and_every_item_has_a_day() -> None:
    items = [Item(ItemKind.LESSON, str(n), str(n), "m", 20) for n in range(5)]
    days = [MONDAY + timedelta(days=n) for n in range(3)]

    found = spread(items, days, 180)

    assert [(day, minutes, [item.id for item in named]) for day, minutes, named in found] == [
        (days[0], 60, ["0", "1"]),
        (days[1], 60, ["2", "3"]),
        (days[2], 60, ["4"]),
    ]
    assert spread(items[:1], days, 180)[2][2] == items[:1]  # a long one goes on
    assert spread([], days, 180) == spread(items, [], 180) == []
