"""Starting a kernel ahead of its page never fails anything, and never more than two start at once."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from sandboxes.drivers import ahead


class Jupyter(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, dict[str, object]]]]
    now: ClassVar[int]
    most: ClassVar[int]
    lock = threading.Lock()
    arrived: ClassVar[threading.Semaphore]
    answer: ClassVar[threading.Event]

    def do_POST(self) -> None:
        kind = type(self)
        with self.lock:
            kind.now += 1
            kind.most = max(kind.most, kind.now)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind.asked.append((self.path, body))
        kind.arrived.release()
        assert kind.answer.wait(60)
        with self.lock:
            kind.now -= 1
        self.send_response(201)
        self.end_headers()

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def jupyter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(ahead, "HEAD_START_SECONDS", 0.0)
    Jupyter.asked, Jupyter.now, Jupyter.most = [], 0, 0
    Jupyter.arrived, Jupyter.answer = threading.Semaphore(0), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jupyter.sock"
        server = socketserver.ThreadingUnixStreamServer(str(path), Jupyter)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        Jupyter.answer.set()
        for thread in threading.enumerate():
            if thread.name == "kernel-ahead":
                thread.join(60)
        server.shutdown()
        server.server_close()


def test_it_asks_for_the_session_that_the_page_will_look_for(jupyter: Path) -> None:
    ahead.open_in_background(jupyter, "/s/one/secret/", "lab.ipynb")
    assert Jupyter.arrived.acquire(timeout=60)
    ((path, body),) = Jupyter.asked
    assert path == "/s/one/secret/api/sessions"
    assert (body["path"], body["type"], body["kernel"]) == ("lab.ipynb", "notebook", {"name": "python3"})


def test_a_crowd_is_served_a_few_at_a_time(jupyter: Path) -> None:
    for number in range(6):
        ahead.open_in_background(jupyter, f"/s/{number}/", "lab.ipynb")
    for _ in range(ahead.STARTING):
        assert Jupyter.arrived.acquire(timeout=60)
    assert not Jupyter.arrived.acquire(timeout=0.5), "more started than may"
    Jupyter.answer.set()
    for _ in range(6 - ahead.STARTING):
        assert Jupyter.arrived.acquire(timeout=60)
    assert Jupyter.most <= ahead.STARTING
    assert len(Jupyter.asked) == 6


def test_a_jupyter_that_is_gone_is_nobodys_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ahead, "HEAD_START_SECONDS", 0.0)
    caplog.set_level("INFO")
    ahead.open_in_background(tmp_path / "none.sock", "/s/one/secret/", "lab.ipynb")
    for thread in threading.enumerate():
        if thread.name == "kernel-ahead":
            thread.join(60)
    assert "no kernel was started ahead" in caplog.text
    assert "secret" not in caplog.text
