"""No page has a serious fault of accessibility: axe-core looks at each, wide and light, narrow and dark.

The pages are those of the table of routes, opened by an administrator to whom one of everything belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import Role
from portal.settings import Settings
from tests.conftest import ROOT
from tests.e2e.served import served, sign_in
from tests.factories import users
from tests.fitness.test_routes import ROUTES, things_of
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
BAD = ("serious", "critical")
LOOKS = ((1280, 900, "light"), (390, 844, "dark"))
LEFT_OUT = frozenset({"static", "accounts.use_link", "home.healthz"})
"""What is no page, or signs the visitor out."""


@pytest.fixture
def site(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[str]:
    with served(settings, content, jobs) as address:
        yield address


def faults(page: Page, script: str) -> list[str]:
    """The serious and critical violations on the page that is open, one line each."""
    page.evaluate(script)
    found: dict[str, Any] = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], iframes: false, "
        "runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['html'][:160]}"
        for violation in found["violations"]
        if violation["impact"] in BAD
        for node in violation["nodes"][:3]
    ]


def test_axe_is_there() -> None:
    assert AXE.is_file(), "run `make assets`: it installs what the front end and this test need"


def test_axe_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<html lang="en"><title>x</title><main><h1>x</h1><input><img src="x.png"></main>', encoding="utf-8"
    )
    page = browser.new_page()
    page.goto(bad.as_uri())

    found = " ".join(faults(page, AXE.read_text(encoding="utf-8")))

    assert "label" in found
    assert "image-alt" in found


def test_no_page_has_a_serious_fault(site: str, browser: Browser, db: Session, content: Content) -> None:
    user = users.user(db, role=Role.ADMIN)
    things = things_of(db, user, content)
    script = AXE.read_text(encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    told: list[str] = []
    told += [
        f"signed out, {path}: {one}"
        for path in ("/", "/account/sign-in", "/account/sign-up")
        for one in _looks(page, site + path, script)
    ]
    sign_in(page, site, user)
    opened = 0
    for endpoint, (method, path, _who) in ROUTES.items():
        if method != "GET" or endpoint in LEFT_OUT:
            continue
        answer = context.request.get(site + path.format(**things))
        if not answer.headers.get("content-type", "").startswith("text/html") or "<html" not in answer.text():
            continue
        opened += 1
        told += [f"{endpoint}: {one}" for one in _looks(page, site + path.format(**things), script)]
    assert not told, "\n".join(told)
    assert opened >= 30


def _looks(page: Page, address: str, script: str) -> Iterator[str]:
    for width, height, colours in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="light" if colours == "light" else "dark", reduced_motion="reduce")
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            yield f"{width} px: the page is {wide} px too wide"
        yield from (f"{width} px, {colours}: {one}" for one in faults(page, script))
