"""A code question in a browser: written in the editor with the keyboard, tried, mended, handed in, and run in a real sandbox."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from portal.app import create_app
from portal.content import Content
from portal.models import PracticeAnswer, User
from portal.settings import Settings
from portal.work.context import WorkContext
from portal.work.programs.desk import ProgramDesk
from portal.work.workspaces import Workspaces
from question_bank import Question
from question_bank.kinds.code import Code
from sandboxes.drivers import open_driver
from tests.e2e.served import sign_in
from tests.fixtures import questions
from tests.fixtures.portal import NotedJobs

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]
expect.set_options(timeout=60_000)
RUN_MS = 180_000


def patient() -> Question:
    """A question for a program, which may take as long for a case as any may: the machine may stand still for a while."""
    question = questions.question("code")
    assert isinstance(question.body, Code)
    task = question.body.task.model_copy(update={"case_seconds": 30.0})
    return replace(question, body=replace(question.body, task=task))


@pytest.fixture
def site(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[str]:
    """A portal that asks for a program, and the desk of a worker; its address."""
    folder = Path(tempfile.mkdtemp(prefix="pge-"))
    # Whoever listens keeps the port: making an application takes a while.
    listener = socket.create_server(("127.0.0.1", 0))
    settings = replace(settings, port=listener.getsockname()[1], run_dir=folder, program_runners=1)
    app = create_app(settings, content=questions.content_of(content, patient()), jobs=jobs)
    driver = open_driver("local", folder)
    database = app.extensions["portal"].database
    desk = ProgramDesk(
        WorkContext(settings, database, content, driver, "", Workspaces(settings.workspaces_dir))
    )
    server = make_server("127.0.0.1", settings.port, app, threaded=True, fd=listener.fileno())
    listener.close()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    desk.start()
    yield settings.portal_origin_effective
    desk.stop()
    driver.close()
    server.shutdown()
    thread.join(30)
    server.server_close()
    database.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_program_is_written_tried_and_handed_in(
    page: Page, site: str, db: Session, learner_user: User
) -> None:
    sign_in(page, site, learner_user)
    page.goto(f"{site}/practice/")
    page.get_by_role("button", name="Start with this module").click()
    editor = page.get_by_role("textbox", name="Your program in Python")
    sent = page.locator("textarea[data-program]")
    expect(page.locator("[data-program][data-ready]")).to_be_attached()
    expect(sent).to_have_value("print(0)")
    expect(editor).to_be_focused()

    # Enter goes deeper after a colon, Tab and Shift+Tab move lines; what is typed are no keys of the page.
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.type("def more(n):\nreturn n\n")
    expect(sent).to_have_value("def more(n):\n    return n\n    ")
    page.keyboard.press("Shift+Tab")
    expect(sent).to_have_value("def more(n):\n    return n\n")
    page.keyboard.type("print(more(int(input())))")
    page.keyboard.press("Control+a")
    page.keyboard.press("Tab")
    expect(sent).to_have_value("    def more(n):\n        return n\n    print(more(int(input())))")
    page.keyboard.press("Control+z")
    expect(sent).to_have_value("def more(n):\n    return n\nprint(more(int(input())))")
    expect(page.locator("[data-bookmark]")).to_have_attribute("aria-pressed", "false")

    # Escape gives Tab back: nobody is caught in the editor.
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "try":
            break
    assert page.evaluate("document.activeElement.id") == "try"
    page.keyboard.press("Enter")
    expect(page.locator("#program")).to_contain_text("0 of 1 example passed", timeout=RUN_MS)
    expect(page.locator("#program .io")).to_contain_text("Expected")
    expect(page.locator("#announcer")).to_contain_text("0 of 1 example passed")
    expect(sent).to_have_value("def more(n):\n    return n\nprint(more(int(input())))")  # it stays

    page.locator("label[for=q-a-code]").click()
    expect(editor).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.type("print(int(input()) + 1)")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".graded")).to_contain_text("3 of 3 cases passed", timeout=RUN_MS)
    expect(page.locator(".graded")).to_contain_text("A program that passes")
    expect(page.locator("[data-practice=answered][data-ready]")).to_be_attached()
    page.get_by_role("link", name="See the result").click()
    expect(page.locator("main")).to_contain_text("1 of 1 fully right")

    stored = db.scalars(select(PracticeAnswer)).one()
    assert (stored.fraction, stored.correct) == (1.0, True)
    violations = [line for line in page.console_lines if "Content Security Policy" in line]  # type: ignore[attr-defined]
    assert violations == []
