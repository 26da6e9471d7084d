from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from freezegun import freeze_time
from icalendar import Calendar
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content
from portal.features.plan.contents import ordered
from portal.models import CalendarFeed, PlanTick, StudyPlan, User, utcnow
from portal.settings import Settings
from tests.factories import plans, users
from tests.fixtures.portal import Client


@pytest.fixture(autouse=True)
def today() -> Iterator[None]:
    """The day does not end between a form and its answer."""
    with freeze_time(utcnow()):
        yield


def form(**changes: object) -> dict[str, object]:
    fields = {
        "track": "solution-architect",
        "hours": "6",
        "starts_on": utcnow().date().isoformat(),
        "begins_at": "18:00",
    }
    return {**fields, **changes}


def test_a_plan_is_two_clicks_away_with_what_the_form_offers(
    learner: Client, db: Session, content: Content
) -> None:
    assert 'href="/plan/new?track=solution-architect"' in learner.get("/").text
    page = learner.get("/plan/new?track=solution-architect").text
    fields = dict(re.findall(r'name="(hours|starts_on|begins_at)"[^>]*value="([^"]*)"', page))
    assert re.search(r'<option selected value="solution-architect"', page)

    response = learner.post("/plan/new", {"track": "solution-architect", "begins_at": "18:00", **fields})

    assert response.status_code == 302
    shown = learner.get("/plan/").text
    assert "As planned." in shown
    track = content.roadmap.tracks["solution-architect"]
    first = ordered(track, content.roadmap)[0]
    assert f'href="/lessons/{first.lessons[0]}"' in shown
    assert db.scalars(select(StudyPlan)).one().hours_per_week == 6


def test_what_no_plan_can_meet_is_said_at_the_field(learner: Client, db: Session) -> None:
    for wrong, said in (
        ({"hours": "99"}, "from 1 to 60"),
        ({"starts_on": "soon"}, "Give a day as YYYY-MM-DD"),
        ({"starts_on": "2020-01-01"}, "starts today or within a year"),
        ({"holidays": "christmas"}, "as YYYY-MM-DD"),
        ({"track": "nowhere"}, "Not a valid choice"),
    ):
        response = learner.post("/plan/new", form(**wrong))
        assert response.status_code == 422
        assert said in response.text, wrong
    assert db.scalars(select(StudyPlan)).all() == []


def test_a_ready_made_plan_is_taken_and_ticked(learner: Client, db: Session) -> None:
    assert "Go from the ground" in learner.get("/plan/ready/weekly-tracker").text
    assert learner.get("/plan/ready/no-such").status_code == 404
    today = utcnow().date().isoformat()
    assert (
        learner.post("/plan/ready/weekly-tracker", {"starts_on": today, "begins_at": "18:00"}).status_code
        == 302
    )

    learner.post("/plan/aims/tracker-resume", {"done": "yes"})
    assert "You called it done" in learner.get("/plan/").text
    learner.post("/plan/aims/tracker-resume", {"done": "no"})
    assert "You called it done" not in learner.get("/plan/").text
    assert learner.post("/plan/aims/no-such-aim", {"done": "yes"}).status_code == 404
    assert db.scalars(select(PlanTick)).all() == []


def test_an_ended_plan_is_history(learner: Client, db: Session, learner_user: User, content: Content) -> None:
    plans.plan(db, learner_user, content)
    db.commit()

    learner.post("/plan/end")

    page = learner.get("/plan/").text
    assert "No plan yet" in page
    assert "Earlier plans" in page


def test_an_offer_makes_a_new_plan(learner: Client, db: Session, learner_user: User, content: Content) -> None:
    plans.plan(db, learner_user, content)
    db.commit()

    assert learner.post("/plan/change", {"hours": "12"}).status_code == 302
    learner.post("/plan/change", {"hours": "500"})  # nobody offers that
    learner.post("/plan/change", {"left_out": ["security-engineering", "api-gateway"]})  # not of this track

    found = db.scalars(select(StudyPlan).where(StudyPlan.ended_at.is_(None))).one()
    assert found.hours_per_week == 12
    assert found.left_out == []


def test_the_secret_address_gives_the_calendar_until_it_is_renewed_or_revoked(
    learner: Client, anonymous: Client, db: Session, learner_user: User, content: Content
) -> None:
    plans.plan(db, learner_user, content)
    db.commit()

    def address() -> str:
        page = learner.post("/plan/calendar/address").text
        found = re.search(r'<code class="address">http://localhost:\d+(/plan/calendar/[^<]+\.ics)</code>', page)
        assert found is not None
        return found[1]

    first = address()
    assert first not in learner.get("/plan/").text  # shown once
    assert first.split("/")[-1].removesuffix(".ics") not in db.scalars(select(CalendarFeed)).one().token_sha256
    response = anonymous.get(first)
    assert response.mimetype == "text/calendar"
    assert Calendar.from_ical(response.data).walk("VEVENT")

    second = address()
    assert anonymous.get(first).status_code == 404
    assert anonymous.get(second).status_code == 200
    learner.post("/plan/calendar/revoke")
    assert anonymous.get(second).status_code == 404
    assert anonymous.get("/plan/calendar/" + "x" * 500 + ".ics").status_code == 404


def test_an_account_that_is_closed_has_no_calendar(anonymous: Client, db: Session, content: Content) -> None:
    user = users.user(db)
    token = plans.plan(db, user, content).token
    other = plans.plan(db, users.user(db), content).token
    user.active = False
    db.commit()

    assert anonymous.get(f"/plan/calendar/{token}.ics").status_code == 404
    assert anonymous.get(f"/plan/calendar/{other}.ics").status_code == 200


def test_guessing_addresses_is_throttled(settings: Settings, content: Content) -> None:
    app: Flask = create_app(replace(settings, rate_limits=True), content=content)
    client = Client(app.test_client(), settings.portal_origin_effective)

    seen = [client.get(f"/plan/calendar/guess{n}.ics").status_code for n in range(121)]

    assert seen == [404] * 120 + [429]
    app.extensions["portal"].database.close()


def test_a_download_is_a_file(learner: Client) -> None:
    response = learner.get("/plan/calendar.ics")

    assert response.headers["Content-Disposition"] == 'attachment; filename="study-plan.ics"'
    assert response.data.startswith(b"BEGIN:VCALENDAR")
