"""Goes through a page by keyboard alone, with real presses of Tab, Enter, Space and Escape, and says what can't be done so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page

SCRIPT = Path(__file__).with_suffix(".js")
"""A context that is walked through needs it as an initial script."""
MORE = 12
"""Presses beyond the number of stops: what scrolls is a stop that nobody declares."""
FRAME_SECONDS = 5
"""How long the focus may take to come into a frame, or out of it."""


def faults(page: Page) -> Iterator[str]:
    """What is wrong on the page that is open, one line each."""
    round_faults = list(_round(page))
    yield from round_faults
    if not round_faults or not round_faults[-1].startswith("the focus never"):
        yield from _skip_link(page)
    for menu in page.locator("details.menu").all():
        yield from _menu(page, menu)
    for dialog in page.locator("dialog").all():
        yield from _dialog(page, dialog)


def _round(page: Page) -> Iterator[str]:
    """Once round the page by Tab, from the link that skips to the content until it comes again."""
    stops = page.evaluate("keyboard.prepare()")
    pressed = 0
    has_frame = page.locator("iframe").count() > 0
    while not page.evaluate("keyboard.isRound()"):
        if pressed > 2 * stops + MORE:
            yield f"the focus never leaves the page; after {pressed} presses it is in {page.evaluate('keyboard.here()')}"
            return
        here = page.evaluate("keyboard.here()")
        for _ in range(stops + 1 if pressed == 0 else 1):
            page.keyboard.press("Tab")
            pressed += 1
        # Into a frame and out of it the focus comes by way of other processes.
        deadline = time.monotonic() + FRAME_SECONDS
        while has_frame and page.evaluate("keyboard.here()") == here and time.monotonic() < deadline:
            time.sleep(0.05)
    yield from page.evaluate("keyboard.faults()")


def _skip_link(page: Page) -> Iterator[str]:
    """The focus stands on it: Enter leads into the content, and the next Tab goes on from there."""
    page.locator(".skip-link").focus()
    page.keyboard.press("Enter")
    if not page.evaluate("document.activeElement === document.getElementById('main')"):
        yield f"the link that skips to the content leads to {page.evaluate('keyboard.here()')}"
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.closest('.site-header') !== null"):
        yield "behind the link that skips to the content comes the header"


def _menu(page: Page, menu: Locator) -> Iterator[str]:
    opener = menu.locator("summary")
    for key in ("Enter", "Space"):
        opener.focus()
        page.keyboard.press(key)
        if not menu.evaluate("one => one.open"):
            yield f"{key} does not open the menu {opener.inner_text()}"
            continue
        page.keyboard.press("Tab")
        if not menu.evaluate(
            "one => one.contains(document.activeElement) && document.activeElement.tagName !== 'SUMMARY'"
        ):
            yield f"Tab does not lead into the menu {opener.inner_text()}"
        page.keyboard.press("Escape")
        if menu.evaluate("one => one.open"):
            yield f"Escape does not close the menu {opener.inner_text()}"
        if not opener.evaluate("one => one === document.activeElement"):
            yield f"the menu {opener.inner_text()} keeps the focus: it is in {page.evaluate('keyboard.here()')}"


def _dialog(page: Page, dialog: Locator) -> Iterator[str]:
    name = dialog.get_attribute("id") or "without an id"
    opener = page.locator(f"[aria-haspopup=dialog][aria-controls='{name}']")
    if opener.count() != 1:
        yield f"{opener.count()} elements say that they open the dialog {name}"
        return
    for key in ("Enter", "Space"):
        opener.focus()
        page.keyboard.press(key)
        if not dialog.evaluate("one => one.open && one.contains(document.activeElement)"):
            yield f"{key} does not open the dialog {name}, or the focus stays outside"
            continue
        page.keyboard.press("Escape")
        if dialog.evaluate("one => one.open"):
            yield f"Escape does not close the dialog {name}"
        if not opener.evaluate("one => one === document.activeElement"):
            yield f"the dialog {name} does not give the focus back: it is in {page.evaluate('keyboard.here()')}"
