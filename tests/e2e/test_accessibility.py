"""No page has a serious fault of accessibility: axe-core looks at each, wide and light, narrow and dark, and each is gone
through by keyboard.

The pages are those of the table of routes, opened by an administrator to whom one of everything belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import Role
from portal.settings import Settings
from tests.conftest import ROOT
from tests.e2e import keyboard
from tests.e2e.served import served, sign_in
from tests.factories import users
from tests.fitness.test_routes import ROUTES, things_of
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
BAD = ("serious", "critical")
LOOKS = ((1280, 900, "light"), (390, 844, "dark"))
LEFT_OUT = frozenset({"static", "accounts.use_link", "home.healthz"})
"""What is no page, or signs the visitor out."""
NOTEBOOK = '<!doctype html><html lang="en"><title>A notebook</title><button>Run</button>'


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


SPOILT = """<html lang="en"><title>x</title>
<style>.bare:focus { outline: none } .hand { cursor: pointer } .far { position: fixed; left: -900px }</style>
<a class="skip-link" href="#elsewhere">Skip</a>
<header class="site-header">
<details class="menu"><summary>Menu</summary><a href="#x">In it</a></details>
</header>
<main id="main"><h1>x</h1>
<a href="#x" tabindex="-1">out of reach</a> <button class="bare">bare</button> <button class="far">far away</button>
<div id="div">a div</div> <span class="hand">a hand</span> <p hx-get="/x">asks</p>
<a href="#x" tabindex="2">jumps the queue</a>
<dialog id="help">Help</dialog> <button aria-haspopup="dialog" aria-controls="help">opens nothing</button>
</main>
<script>div.addEventListener("click", () => {})</script>"""


def test_the_keyboard_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    bad, trap = tmp_path / "bad.html", tmp_path / "trap.html"
    bad.write_text(SPOILT, encoding="utf-8")
    trap.write_text(
        '<a class="skip-link" href="#main">Skip</a><main id="main" tabindex="-1"><input id="trap"></main>'
        "<script>trap.addEventListener('keydown', (e) => e.key === 'Tab' && e.preventDefault())</script>",
        encoding="utf-8",
    )
    context = browser.new_context()
    context.add_init_script(path=keyboard.SCRIPT)
    page = context.new_page()
    page.goto(bad.as_uri())
    found = "\n".join(keyboard.faults(page))
    page.goto(trap.as_uri())
    caught = "\n".join(keyboard.faults(page))

    for words in (
        "Tab never comes to <a> out of reach",
        'looks the same with the focus as without: <button class="bare">',
        'has the focus outside of what is seen: <button class="far">',
        "can be clicked, but not by keyboard: <div id=div>",
        'looks as if it could be clicked, but not by keyboard: <span class="hand">',
        "asks the portal when it is clicked, but not by keyboard: <p> asks",
        "comes out of order",
        "the link that skips to the content leads to",
        "Escape does not close the menu",
        "Enter does not open the dialog help",
    ):
        assert words in found
    assert "the focus never leaves the page" in caught
    assert "<input id=trap>" in caught


def test_no_page_has_a_serious_fault(site: str, browser: Browser, db: Session, content: Content) -> None:
    user = users.user(db, role=Role.ADMIN)
    things = things_of(db, user, content)
    script = AXE.read_text(encoding="utf-8")
    context = browser.new_context()
    context.set_default_timeout(60_000)
    context.add_init_script(path=keyboard.SCRIPT)
    # No sandbox runs: an error's page in the place of its notebook takes the focus in one Chromium, and in another does not.
    context.route("**/s/*/**", lambda route: route.fulfill(content_type="text/html", body=NOTEBOOK))
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
        expect(page.locator("pre.mermaid")).to_have_count(0)  # what is half drawn is nobody's page
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            yield f"{width} px: the page is {wide} px too wide"
        yield from (f"{width} px, {colours}: {one}" for one in faults(page, script))
        yield from (f"{width} px, by keyboard: {one}" for one in keyboard.faults(page))
