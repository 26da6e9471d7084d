"""In a browser: an activity is handed in, approved, and its topic is proven."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import Role, User
from portal.settings import Settings
from tests.e2e.served import served, sign_in
from tests.factories import activities, users
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]
expect.set_options(timeout=60_000)


@pytest.fixture
def site(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[str]:
    """A portal whose content has one more activity; its address."""
    with served(settings, activities.content_with(content), jobs) as address:
        yield address


def sign_out(page: Page) -> None:
    page.locator("summary[aria-label^='Account']").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def test_what_is_handed_in_and_approved_is_proven(
    page: Page, site: str, db: Session, learner_user: User
) -> None:
    teacher = users.user(db, role=Role.INSTRUCTOR)
    db.commit()
    sign_in(page, site, learner_user)
    page.get_by_role("link", name="Portfolio").click()
    track = page.locator("details", has_text="Solution architect in six months")
    expect(track).to_have_attribute("open", "")  # the first of the tracks
    track.get_by_role("link", name="Lose an update on purpose").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("Link", exact=True).fill("https://code.example.org/lost")
    page.get_by_label("Text", exact=True).fill("Two sessions, **one** row.")
    page.get_by_label("Both sessions are shown.").fill("In the first part.")
    page.get_by_role("button", name="Hand in").click()
    expect(page.locator("main")).to_contain_text("Waits for an instructor")

    # Handing in calls it done: its topics are practised, and the reason can be read without a mouse.
    why = page.locator(f"#why-{activities.TOPICS[0]}")
    expect(why).to_be_hidden()
    page.locator(f"[aria-describedby='why-{activities.TOPICS[0]}']").focus()
    expect(why).to_be_visible()
    expect(why).to_contain_text("Practised by the experiment")
    page.keyboard.press("Escape")
    expect(why).to_be_hidden()
    page.locator(f"[aria-describedby='why-{activities.TOPICS[0]}']").hover()
    page.mouse.move(0, 0)
    page.locator(f"[aria-describedby='why-{activities.TOPICS[1]}']").hover()
    expect(page.locator(f"#why-{activities.TOPICS[1]}")).to_be_visible()
    sign_out(page)

    sign_in(page, site, teacher)
    page.goto(f"{site}/portfolio/queue")
    page.get_by_role("button", name="Take it").click()
    expect(page.locator(".handed-text")).to_contain_text("Two sessions, one row.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("main")).to_contain_text("Nothing waits")
    sign_out(page)

    sign_in(page, site, learner_user)
    page.goto(f"{site}/roadmap/modules/{activities.MODULE}")
    topic = page.locator(f"#topic-{activities.TOPICS[0]}")
    expect(topic).to_contain_text("Proven by the approved experiment “Lose an update on purpose” on")
    violations = [line for line in page.console_lines if "Content Security Policy" in line]  # type: ignore[attr-defined]
    assert violations == []
