"""A notebook in a frame of another site, in a real browser: the way in which a learner meets it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, FrameLocator, Page, expect

from .conftest import Gateway, Sandbox, wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(1500),  # a browser waits until no containers with networks of their own come and go
]
START_MS = 120_000
"""For Jupyter's front end to start, several megabytes of script."""

PORTAL = """<!doctype html><title>portal</title><style>body{margin:0} iframe{border:0;width:100vw;height:100vh}</style>
<script>
  window.told = [];
  addEventListener("message", (event) => told.push({ origin: event.origin, ...event.data }));
  window.tell = (message) =>
    document.querySelector("iframe").contentWindow.postMessage({ source: "proving-ground", ...message }, "ORIGIN");
</script><iframe src="ADDRESS" allow="clipboard-read; clipboard-write"></iframe>"""


class _Portal(http.server.BaseHTTPRequestHandler):
    """Serves the one page of its server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.page)  # type: ignore[attr-defined]

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def open_lab(browser: Browser, gateway: Gateway) -> Iterator[Callable[..., Page]]:
    """Opens a portal page at http://localhost that frames an address of the gateway."""
    servers: list[http.server.ThreadingHTTPServer] = []
    context = browser.new_context(viewport={"width": 1000, "height": 760})
    context.set_default_timeout(START_MS)

    def open_at(path: str, port: int = gateway.portal_port) -> Page:
        """Of port 0 the system makes one that nobody uses."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Portal)
        servers.append(server)
        page_text = PORTAL.replace("ADDRESS", gateway.origin + path).replace("ORIGIN", gateway.origin)
        server.page = page_text.encode()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = context.new_page()
        page.goto(f"http://localhost:{server.server_port}/")
        return page

    yield open_at
    context.close()
    for server in servers:
        server.shutdown()
        server.server_close()


def told(page: Page, kind: str, **values: Any) -> dict[str, Any]:
    """Wait for a message of the bridge; returns it."""
    wanted = {"type": kind, **values}
    found = page.wait_for_function(
        "wanted => told.find(m => Object.entries(wanted).every(([key, value]) => m[key] === value))",
        arg=wanted,
        timeout=START_MS,
    )
    message: dict[str, Any] = found.json_value()
    return message


def inside(page: Page, gateway: Gateway) -> Frame:
    """The frame that Jupyter is in."""
    return next(frame for frame in page.frames if frame.url.startswith(gateway.origin))


def sources(sandbox: Sandbox) -> list[str]:
    """The cells' sources in the notebook's file."""
    return ["".join(cell["source"]) for cell in json.loads(sandbox.notebook.read_text())["cells"]]


def type_into_last_cell(page: Page, frame: FrameLocator, text: str) -> None:
    cell = frame.locator(".jp-CodeCell .cm-content").first
    cell.click()
    expect(cell).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(text)
    expect(cell).to_contain_text(text.strip())


@pytest.mark.parametrize("path", ["notebooks/lab.ipynb", "lab/tree/lab.ipynb"])
def test_a_learner_runs_and_saves_from_the_portals_page(
    gateway: Gateway, launch: Callable[[], Sandbox], open_lab: Callable[..., Page], path: str
) -> None:
    sandbox = launch()
    page = open_lab(sandbox.path + path)
    frame = page.frame_locator("iframe")

    ready = told(page, "ready")
    assert (ready["origin"], ready["source"], ready["path"]) == (gateway.origin, "proving-ground", "lab.ipynb")
    told(page, "kernel", status="idle")

    frame.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    expect(frame.get_by_text("the answer is 42")).to_be_visible(timeout=START_MS)

    type_into_last_cell(page, frame, "\n# kept by the portal")
    page.evaluate("tell({ type: 'save', request: 'r1' })")
    saved = told(page, "saved", request="r1")
    assert (saved["ok"], saved["error"]) == (True, None)
    assert any("# kept by the portal" in source for source in sources(sandbox))

    page.evaluate("tell({ type: 'theme', theme: 'dark' })")
    dark = frame.locator("body[data-jp-theme-name='JupyterLab Dark']")
    dark.wait_for(state="attached", timeout=60_000)
    page.evaluate("tell({ type: 'theme', theme: 'light' })")
    frame.locator("body[data-jp-theme-light='true']").wait_for(state="attached", timeout=60_000)


def test_work_is_saved_by_itself_within_seconds(
    launch: Callable[[], Sandbox], open_lab: Callable[..., Page]
) -> None:
    sandbox = launch()
    page = open_lab(f"{sandbox.path}notebooks/lab.ipynb")
    told(page, "ready")
    type_into_last_cell(page, page.frame_locator("iframe"), "\n# saved by itself")
    wait_until(lambda: any("# saved by itself" in source for source in sources(sandbox)), 120, "the autosave")


def test_a_save_that_fails_says_so(
    gateway: Gateway, launch: Callable[[], Sandbox], open_lab: Callable[..., Page]
) -> None:
    sandbox = launch()
    page = open_lab(f"{sandbox.path}notebooks/lab.ipynb")
    told(page, "kernel", status="idle")
    sandbox.process.kill()
    sandbox.process.wait(60)
    # Only now: what was typed before may have been saved by itself. And past the keyboard: Jupyter may have opened a dialog.
    inside(page, gateway).evaluate(
        "jupyterapp.shell.currentWidget.content.model.sharedModel.getCell(1).setSource('# lost')"
    )
    page.evaluate("tell({ type: 'save', request: 'r2' })")
    saved = told(page, "saved", request="r2")
    assert saved["ok"] is False
    assert saved["error"]


def test_an_ended_sandbox_tells_the_portal(
    gateway: Gateway, shared_sandbox: Sandbox, open_lab: Callable[..., Page]
) -> None:
    page = open_lab(f"/s/gone/{shared_sandbox.token}/notebooks/lab.ipynb")
    assert told(page, "ended")["origin"] == gateway.origin
    link = page.frame_locator("iframe").get_by_role("link", name="Back to the labs")
    expect(link).to_have_attribute("href", f"{gateway.portal_origin}/")


def test_no_other_page_may_frame_a_sandbox(shared_sandbox: Sandbox, open_lab: Callable[..., Page]) -> None:
    refused: list[str] = []
    page = open_lab(f"{shared_sandbox.path}notebooks/lab.ipynb", port=0)
    page.on("console", lambda message: refused.append(message.text))
    page.reload()
    wait_until(
        lambda: page.evaluate("1") == 1 and any("frame-ancestors" in text for text in refused), 60, "refusal"
    )
    assert page.evaluate("told") == []


def test_the_bridge_heeds_nobody_but_the_portal(
    gateway: Gateway, shared_sandbox: Sandbox, open_lab: Callable[..., Page]
) -> None:
    page = open_lab(f"{shared_sandbox.path}notebooks/lab.ipynb")
    told(page, "ready")
    inside(page, gateway).evaluate(
        "window.postMessage({ source: 'proving-ground', type: 'save', request: 'forged' }, '*')"
    )
    page.evaluate("tell({ type: 'save', request: 'true' })")
    told(page, "saved", request="true")
    assert page.evaluate("told.filter(m => m.request === 'forged')") == []
