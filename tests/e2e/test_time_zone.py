"""The browser tells the portal its time zone, once, and times are shown by it from then on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Request, expect
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import LessonRead
from portal.settings import Settings
from tests.e2e.served import served, sign_in
from tests.factories import users
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]


@pytest.fixture
def site(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[str]:
    with served(settings, content, jobs) as address:
        yield address


def test_the_first_visit_tells_the_zone_and_later_ones_do_not(site: str, browser: Browser, db: Session) -> None:
    user = users.user(db)
    db.add(LessonRead(user_id=user.id, lesson_id="read", content_hash=""))
    db.commit()
    page = browser.new_context(timezone_id="Asia/Tokyo").new_page()
    page.set_default_timeout(60_000)
    told: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/account/time-zone"):
            told.append(request.post_data or "")

    page.on("request", note)
    with page.expect_response("**/account/time-zone", timeout=60_000) as answer:
        sign_in(page, site, user)
    assert answer.value.status == 204

    page.goto(f"{site}/account/")
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
    page.goto(f"{site}/")
    expect(page.get_by_text("of the last eight weeks (Asia/Tokyo)")).to_be_visible()
    assert len(told) == 1
    db.refresh(user)
    assert user.time_zone == "Asia/Tokyo"
