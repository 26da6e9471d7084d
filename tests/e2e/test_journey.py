"""The product's main job, in a browser, through all of it, on both drivers."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from labs import catalogue
from tests.e2e.conftest import Product, wait_for_http

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800), pytest.mark.xdist_group("e2e")]

PASSWORD = "plenty of tiny steps"
LAB = "never-oversell"
BUILD_AND_START_MS = 600_000
expect.set_options(timeout=60_000)  # the machine may be busy; nothing here is a timed test
GRADE_MS = 240_000
BUSY_MS = 180_000
"""For what takes seconds where nothing else runs."""
SLOW_SAVE_SECONDS = 6
"""Longer than the page takes for a moment."""


def sign_up(page: Page, product: Product, name: str) -> None:
    page.goto(product.origin)
    page.get_by_role("link", name=re.compile("sign up|create an account|start", re.I)).first.click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail").fill(f"{name.lower()}@learn.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign up|create", re.I)).click()
    # What stays, not the passing message: a browser that repeats a request on a busy machine has seen that already.
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Welcome, {name}")


def launch(page: Page, product: Product, lab: str = LAB) -> FrameLocator:
    page.goto(f"{product.origin}/labs/{lab}")
    page.get_by_role("button", name=re.compile("^Launch")).first.click()
    expect(page.locator("#stage-starting, #lab-frame").first).to_be_visible()
    frame = page.frame_locator("#lab-frame")
    expect(frame.locator(".jp-Notebook")).to_be_visible(timeout=BUILD_AND_START_MS)
    return frame


def jupyter(page: Page, script: str, argument: object = None) -> Any:
    """Run script in the notebook's frame, where `app` is Jupyter's own application object."""
    handle = page.locator("#lab-frame").element_handle()
    assert handle is not None
    frame = handle.content_frame()
    assert frame is not None
    frame.wait_for_function(
        "() => window.jupyterapp && window.jupyterapp.shell.currentWidget?.context?.isReady"
    )
    # A cell that is run before its kernel is there is not run at all. After a pause in which the connection was lost and made
    # again, Jupyter knows nothing of the kernel's state until something is run.
    frame.wait_for_function(
        "() => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel;"
        " return kernel?.connectionStatus === 'connected' && ['idle', 'unknown'].includes(kernel.status); }",
        timeout=BUSY_MS,
    )
    return frame.evaluate(f"async (argument) => {{ const app = window.jupyterapp; {script} }}", argument)


def write_solution(page: Page, tasks: list[str], last_line: str = "") -> None:
    """Put the reference solution into the live notebook's cells, as if typed, with a last line for the first of them."""
    source = catalogue.load().labs[LAB].source
    cells = {f"task-{task}": source.answer(task) for task in tasks}
    cells[f"task-{tasks[0]}"] += f"\n{last_line}"
    found = jupyter(
        page,
        """
        let found = 0;
        for (const cell of app.shell.currentWidget.content.widgets) {
          const text = argument[cell.model.sharedModel.id];
          if (text) { cell.model.sharedModel.setSource(text); found += 1; }
        }
        return found;
        """,
        cells,
    )
    assert found == len(tasks)


def grade_by(page: Page, product: Product, button: str) -> None:
    """Press Check or Submit, and return when the page no longer says that it is graded."""
    address = f"{product.origin}/labs/{LAB}/{button.lower()}"
    with page.expect_response(address, timeout=120_000) as told:
        page.get_by_role("button", name=button, exact=True).click()
    assert '<div class="grading">' in told.value.text()
    wait_for_state(product.instance / "portal.db", "graded")
    expect(page.locator("#lab-actions .grading")).to_be_hidden()


@contextmanager
def saving(page: Page, answer: Callable[[Route], None]) -> Iterator[None]:
    """Meanwhile what a sandbox is asked to save is answered so."""
    notebooks = re.compile(r"/api/contents/.*\.ipynb")
    page.route(notebooks, lambda route: answer(route) if route.request.method == "PUT" else route.continue_())
    yield
    page.unroute(notebooks)


def slow_disk(page: Page) -> AbstractContextManager[None]:
    def answer(route: Route) -> None:
        time.sleep(SLOW_SAVE_SECONDS)
        route.continue_()

    return saving(page, answer)


def full_disk(page: Page) -> AbstractContextManager[None]:
    return saving(page, lambda route: route.fulfill(status=507, json={"message": "the disk is full"}))


def states_of(product: Product, name: str) -> list[str]:
    """Of all that this learner handed in, checks included."""
    query = "SELECT state FROM submissions JOIN users ON users.id = submissions.user_id WHERE users.display_name = ?"
    with closing(sqlite3.connect(product.instance / "portal.db", timeout=60)) as connection:
        return [state for (state,) in connection.execute(query, [name])]


def test_a_learner_proves_a_topic(product: Product, page: Page) -> None:
    lab = catalogue.load().labs[LAB]
    tasks = [task.id for task in lab.tasks]
    sign_up(page, product, "Ada")

    # The roadmap, a lesson.
    page.get_by_role("link", name="Roadmap").first.click()
    page.get_by_role("link", name="Solution architect in six months").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Solution architect")
    page.goto(f"{product.origin}/roadmap/modules/transactions-and-isolation")
    expect(page.get_by_text(re.compile("unseen", re.I)).first).to_be_visible()
    page.goto(f"{product.origin}/lessons/optimistic-pessimistic-conditional")
    page.get_by_role("button", name=re.compile("mark as read|have read", re.I)).click()
    expect(page.locator(".lesson-end")).to_contain_text("Read")
    expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)

    # A live notebook in a sandbox of one's own.
    frame = launch(page, product)
    expect(page.locator("#lab-status")).to_contain_text("postgres")
    if product.driver == "local":
        expect(page.locator("#lab-status")).to_contain_text("local processes")
    jupyter(
        page,
        "const panel = app.shell.currentWidget; panel.content.activeCellIndex = 0;"
        "await app.commands.execute('notebook:insert-cell-below');"
        "panel.content.activeCell.model.sharedModel.setSource('import os; print(6 * 7, os.environ[\"LAB_SLUG\"])');"
        "await app.commands.execute('notebook:run-cell');",
    )
    expect(frame.locator(".jp-OutputArea-output", has_text=f"42 {LAB}")).to_be_visible()

    # A hint, then a check of an untouched notebook: nothing passes, and it says why.
    page.get_by_role("button", name=re.compile("Show a hint")).first.click()
    expect(page.locator(f"#hint-{tasks[0]}-1")).to_be_visible()
    grade_by(page, product, "Check")
    expect(page.locator(f"#task-{tasks[0]}")).to_contain_text("Not yet")
    expect(page.locator(f"#task-{tasks[0]}")).to_contain_text("Not started")
    expect(
        frame.locator(".jp-OutputArea-output", has_text=f"42 {LAB}")
    ).to_be_visible()  # the frame was not reloaded

    # Half the work, checked: provisional. What is checked is what was written, however long saving it takes.
    write_solution(page, tasks[:1])
    with slow_disk(page):
        grade_by(page, product, "Check")
    expect(page.locator(f"#task-{tasks[0]}")).to_contain_text("Passed")
    expect(page.locator(f"#task-{tasks[1]}")).to_contain_text("Not yet")
    assert wait_for_http(f"{product.origin}/labs/{LAB}/solution") == 302
    page_solution = page.request.get(f"{product.origin}/labs/{LAB}/solution")
    assert page_solution.status == 403

    # All of it, submitted: recorded.
    write_solution(page, tasks)
    grade_by(page, product, "Submit")
    expect(page.locator("#lab-tasks .score")).to_contain_text(f"{lab.max_score} of {lab.max_score}")
    expect(page.get_by_text("You have proven every task")).to_be_visible()
    page.get_by_role("link", name="See the notebook as it was run").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("main")).to_contain_text("print(6 * 7")
    expect(page.locator("main")).to_contain_text(f"42 {LAB}")
    page.goto(f"{product.origin}/labs/{LAB}/solution")
    expect(page.locator("main")).to_contain_text("def ")

    # A quiz.
    page.goto(f"{product.origin}/quizzes/")
    page.get_by_role("button", name=re.compile("start|take", re.I)).first.click()
    questions = page.locator("fieldset.question")
    expect(questions).to_have_count(10)
    for index in range(10):
        question = questions.nth(index)
        for typed in question.locator("input[type=text]").all():
            typed.fill("1")
        for place, field in enumerate(question.locator("select").all(), 1):  # an order takes each place once
            field.select_option(index=min(place, field.locator("option").count() - 1))
        choices = question.locator("input[type=radio], input[type=checkbox]")
        if choices.count():
            choices.first.check()
    page.get_by_role("button", name="Hand in").click()
    expect(page).to_have_url(re.compile("/result$"))
    expect(page.get_by_text(re.compile("%|of 10")).first).to_be_visible()

    # What the evidence bought.
    topic = lab.tasks[0].proves[0]
    module = catalogue_module_of(topic)
    page.goto(f"{product.origin}/roadmap/modules/{module}")
    row = page.locator(f"#topic-{topic}")
    expect(row).to_contain_text(re.compile("proven", re.I))
    expect(row).to_contain_text(lab.title)
    violations = [line for line in page.console_lines if "Content Security Policy" in line]  # type: ignore[attr-defined]
    assert violations == []

    # What could not be saved is not what is graded, and it says why.
    page.goto(f"{product.origin}/labs/{LAB}")
    expect(page.frame_locator("#lab-frame").locator(".jp-Notebook")).to_be_visible()
    write_solution(page, tasks[:1])
    with full_disk(page):
        page.get_by_role("button", name="Check", exact=True).click()
        expect(page.locator("#toasts")).to_contain_text("nothing was sent: the disk is full.")
    assert states_of(product, "Ada") == ["graded"] * 3

    # The end: the sandbox is stopped, the files stay.
    page.get_by_role("button", name="Stop", exact=True).first.click()
    expect(page.get_by_role("button", name=re.compile("^Launch"))).to_be_visible(timeout=BUSY_MS)
    saved = (product.instance / "workspaces").glob(f"*/{LAB}/{LAB}.ipynb")  # other tests' learners have theirs
    assert any("LAB_SLUG" in notebook.read_text() for notebook in saved)


def catalogue_module_of(topic: str) -> str:
    import roadmap

    return roadmap.load().topics[topic].module


@pytest.mark.one_driver
def test_another_learner_s_sandbox_is_closed(product: Product, page: Page, browser: Browser) -> None:
    sign_up(page, product, "Grace")
    launch(page, product)
    source = page.locator("#lab-frame").get_attribute("src")
    assert source is not None
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        stranger = context.new_page()
        sign_up(stranger, product, "Linus")
        stranger.goto(f"{product.origin}/labs/{LAB}")
        expect(stranger.locator("#lab-frame")).to_have_count(0)
        parts = source.split("/")
        token = parts.index("s") + 2
        for forged in ("x" * len(parts[token]), parts[token][:-1] + ("a" if parts[token][-1] != "a" else "b")):
            guess = "/".join([*parts[:token], forged, *parts[token + 1 :]])
            assert wait_for_http(guess) in {403, 404}
        assert wait_for_http("/".join([*parts[:token], ""])) in {403, 404}
    assert wait_for_http(source) == 200
    assert parts[token] not in product.output()


@pytest.mark.one_driver
def test_a_killed_worker_grades_the_submission_once(product: Product, page: Page) -> None:
    sign_up(page, product, "Barbara")
    launch(page, product)
    # A while to be hit in, should we stand still ourselves: the sleep is a part of what is graded. A cell may take 45 s.
    tasks = [task.id for task in catalogue.load().labs[LAB].tasks]
    write_solution(page, tasks, last_line="import time; time.sleep(20)")
    worker = product.pid_of("portal worker")
    page.get_by_role("button", name="Submit", exact=True).click()
    database = product.instance / "portal.db"
    wait_for_state(database, "running")
    os.kill(worker, signal.SIGKILL)
    wait_for_state(database, "graded")
    expect(page.locator("#lab-actions .grading")).to_be_hidden()
    expect(page.locator("#lab-tasks")).to_contain_text("Passed")
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        rows = connection.execute(
            "SELECT state, runs, score, max_score, report FROM submissions s JOIN users u ON u.id = s.user_id "
            "WHERE u.email = 'barbara@learn.example'"
        ).fetchall()
        results = connection.execute(
            "SELECT count(*) FROM task_results t JOIN submissions s ON s.id = t.submission_id "
            "JOIN users u ON u.id = s.user_id WHERE u.email = 'barbara@learn.example'"
        ).fetchone()
    assert len(rows) == 1
    state, runs, score, max_score, report = rows[0]
    assert (state, runs, score) == ("graded", 2, max_score)
    assert results[0] == len(json.loads(report)["tasks"])
    # The sandbox that the learner works in outlived the worker that started it.
    expect(page.frame_locator("#lab-frame").locator(".jp-Notebook")).to_be_visible()


def wait_for_state(database: Path, wanted: str) -> None:
    deadline = time.monotonic() + GRADE_MS / 1000
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            states = [
                row[0] for row in connection.execute("SELECT state FROM submissions ORDER BY id DESC LIMIT 1")
            ]
        if states == [wanted]:
            return
        time.sleep(0.05)
    raise AssertionError(f"no submission became {wanted}")


@pytest.mark.one_driver
def test_the_owner_s_link_signs_in_once(product: Product, page: Page, browser: Browser) -> None:
    page.goto(product.owner_link)
    page.get_by_role("button", name=re.compile("sign in", re.I)).first.click()
    expect(page.get_by_text("Owner").first).to_be_visible()
    with browser.new_context() as context:
        context.set_default_timeout(60_000)
        second = context.new_page()
        second.goto(product.owner_link)
        second.get_by_role("button", name=re.compile("sign in", re.I)).first.click()
        expect(second.get_by_text("used already")).to_be_visible()
