"""A portal that one thread of the test serves, and the way into it, for browser tests that need no sandboxes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from portal.app import create_app
from portal.content import Content
from portal.models import User
from portal.settings import Settings
from tests.factories import users
from tests.fixtures.portal import NotedJobs

expect.set_options(timeout=60_000)


@contextmanager
def served(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[str]:
    """The address of a portal on these settings, but for the port, with this content."""
    # Whoever listens keeps the port: making an application takes a while.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        app = create_app(settings, content=content, jobs=jobs)
        server = make_server("127.0.0.1", settings.port, app, threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield settings.portal_origin_effective
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
        app.extensions["portal"].database.close()


def sign_in(page: Page, site: str, user: User) -> None:
    """Sign in by the form, as somebody of the factories."""
    page.goto(f"{site}/account/sign-in")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(users.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
