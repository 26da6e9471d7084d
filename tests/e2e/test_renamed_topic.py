"""In a browser: an edit that gives a topic another id keeps what a learner has shown of it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from portal.content import Content
from portal.models import User
from portal.settings import Settings
from roadmap import CONTENT_ROOT, load
from tests.e2e.served import served, sign_in
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]

MODULE, OLD, NEW = "transactions-and-isolation", "isolation-levels", "levels-of-isolation"
LESSON = "isolation-levels-and-what-they-let-through"


def renamed(folder: Path) -> None:
    """The edit: another id wherever the topic is named, and `replaces` where it is listed."""
    for file in [*folder.rglob("*.yaml"), *folder.rglob("*.md")]:
        text = file.read_text(encoding="utf-8")
        changed = re.sub(rf"(?<![\w/-]){OLD}(?![\w-])", NEW, text)
        changed = changed.replace(f"  - id: {NEW}\n", f"  - id: {NEW}\n    replaces: [{OLD}]\n")
        if changed != text:
            file.write_text(changed, encoding="utf-8")


def opened(browser: Browser) -> Page:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    return page


def row(page: Page, site: str, topic: str) -> str:
    page.goto(f"{site}/roadmap/modules/{MODULE}")
    return page.locator(f"#topic-{topic}").inner_text()


def test_progress_outlives_the_renaming_of_a_topic(
    settings: Settings, content: Content, jobs: NotedJobs, browser: Browser, learner_user: User, tmp_path: Path
) -> None:
    with served(settings, content, jobs) as site:
        page = opened(browser)
        sign_in(page, site, learner_user)
        assert "Unseen" in row(page, site, OLD)
        page.goto(f"{site}/lessons/{LESSON}")
        page.get_by_role("button", name="Mark as read").click()
        # What stays, not the passing message: the request that tells the reading position may have taken that.
        expect(page.locator(".lesson-end")).to_contain_text("Read")
        expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)
        before = row(page, site, OLD)
        assert "Unseen" not in before
        page.close()
    shutil.copytree(CONTENT_ROOT, tmp_path / "content")
    renamed(tmp_path / "content")
    edited = load(tmp_path / "content")
    assert edited.faults == ()
    assert OLD not in edited.topics

    with served(settings, replace(content, roadmap=edited), jobs) as site:
        page = opened(browser)
        sign_in(page, site, learner_user)
        assert row(page, site, NEW) == before
        page.close()
