"""Two learners and one place: waiting, going on for longer, taking files along, beginning afresh and going back."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Product, start_product, stop_product
from tests.e2e.test_journey import BUSY_MS, LAB, jupyter, launch, sign_up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800), pytest.mark.xdist_group("e2e")]
START_MS = 180_000


@pytest.fixture(scope="module")
def small_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with one place, and sessions so short that they warn from their start."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as run_dir:
        running = start_product(
            "local",
            tmp_path_factory.mktemp("instance"),
            Path(run_dir),
            SANDBOX_PLACES="1",
            SESSION_HOURS="0.2",
        )
        yield running
        stop_product(running)


def run_cell(page: Page, source: str) -> None:
    jupyter(
        page,
        "const panel = app.shell.currentWidget; panel.content.activeCellIndex = 0;"
        "await app.commands.execute('notebook:insert-cell-below');"
        "panel.content.activeCell.model.sharedModel.setSource(argument);"
        "await app.commands.execute('notebook:run-cell');"
        "await panel.context.save();",
        source,
    )


def zipped(page: Page, product: Product) -> zipfile.ZipFile:
    answer = page.request.get(f"{product.origin}/labs/{LAB}/files.zip")
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.body()))


def stop(page: Page) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("^Launch"))).to_be_visible(timeout=BUSY_MS)


def test_two_learners_and_one_place(small_product: Product, page: Page, browser: Browser) -> None:
    product = small_product
    sign_up(page, product, "Ada")
    launch(page, product)

    # Her time is nearly over, so she is warned, and goes on for longer.
    banner = page.locator("#lab-banner")
    expect(banner).to_contain_text("This session ends at")
    # Twelve minutes from when it was ready: the notebook may have taken some of them to appear.
    expect(page).to_have_title(re.compile(r"\(1?\d min left\)"))
    page.get_by_role("button", name="Extend by an hour").click()
    expect(banner).to_be_empty()
    expect(page.locator("time[data-until]")).to_have_text(re.compile(r"^(6\d|7[012]) min$"))
    expect(page).not_to_have_title(re.compile("left"))

    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        second = context.new_page()
        sign_up(second, product, "Grace")
        second.goto(f"{product.origin}/labs/{LAB}")
        second.get_by_role("button", name=re.compile("^Launch")).first.click()
        queued = second.locator("#stage-queued")
        expect(queued).to_contain_text("number 1 in the queue")

        # The place outlives a reload and the worker; what runs is adopted by the next one.
        os.kill(product.pid_of("portal worker"), signal.SIGKILL)
        second.reload()
        expect(queued).to_contain_text("number 1 in the queue")
        run_cell(page, "open('mine.txt', 'w').write('by Ada')")
        archive = zipped(page, product)  # while the lab runs
        assert archive.read(f"{LAB}/mine.txt") == b"by Ada"
        assert b"by Ada" in archive.read(f"{LAB}/{LAB}.ipynb")

        # Ada leaves, and Grace gets the place by itself.
        stop(page)
        expect(second.frame_locator("#lab-frame").locator(".jp-Notebook")).to_be_visible(timeout=START_MS)

        # Ada begins afresh, waits for it, and changes her mind.
        page.get_by_role("link", name="Reset").click()
        page.get_by_role("button", name="Reset the files").click()
        expect(page.locator("#stage-ended")).to_contain_text("Your files were put aside")
        page.get_by_role("button", name=re.compile("^Launch")).first.click()
        expect(page.locator("#stage-queued")).to_contain_text("number 1 in the queue")
        stop(second)
        expect(page.frame_locator("#lab-frame").locator(".jp-Notebook")).to_be_visible(timeout=START_MS)
        fresh = zipped(page, product)
        assert f"{LAB}/mine.txt" not in fresh.namelist()
        assert b"by Ada" not in fresh.read(f"{LAB}/{LAB}.ipynb")
        stop(page)
        page.get_by_role("button", name="Swap them back").click()
        expect(page.locator("#stage-ended")).to_contain_text("Your earlier files are back")
        assert zipped(page, product).read(f"{LAB}/mine.txt") == b"by Ada"


def test_what_is_unsaved_is_saved_before_the_end(small_product: Product, page: Page) -> None:
    product = small_product
    sign_up(page, product, "Barbara")
    launch(page, product)
    page.get_by_role("button", name="Extend by an hour").click()
    expect(page.locator("#lab-banner")).to_be_empty()
    jupyter(
        page,
        "window.asked = [];"
        "window.addEventListener('message', (event) => window.asked.push(event.data.type));"
        "app.commands.execute('docmanager:toggle-autosave');"
        "app.shell.currentWidget.content.activeCell.model.sharedModel.setSource('# not saved by hand');",
    )
    # The page asks every ten seconds whether something has changed, and what it asks the notebook for may take a while.
    end = datetime.now(UTC) + timedelta(seconds=60)
    with closing(sqlite3.connect(product.instance / "portal.db", timeout=30)) as connection, connection:
        connection.execute(
            "UPDATE lab_sessions SET expires_at = ? WHERE state = 'ready'",
            [end.strftime("%Y-%m-%d %H:%M:%S.%f")],
        )
    expect(page.locator("#lab-banner")).to_contain_text("This session ends at")
    frame = page.frame_locator("#lab-frame").locator("html")
    frame.evaluate(
        "() => new Promise((done) => {"
        " const look = () => window.asked.includes('save') ? done() : setTimeout(look, 50); look(); })"
    )
    expect(page.get_by_role("heading", name="The session is over")).to_be_visible(timeout=BUSY_MS)
    expect(page.locator("#stage-ended")).to_contain_text("Your files are kept")
    saved = (product.instance / "workspaces").glob(f"*/{LAB}/{LAB}.ipynb")  # other tests' learners have theirs
    assert any("# not saved by hand" in notebook.read_text() for notebook in saved)
