"""The web process needs no container engine: it does all of its work where none can be reached, and never looks for one."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from portal.database import Database
from portal.settings import Settings
from tests.conftest import ROOT
from tests.e2e.conftest import START_SECONDS, clean_environment, free_port_pair

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("e2e")]

LAB = "never-oversell"
WATCHED = """
import sys
def watch(event, arguments):
    forbidden = (
        event == "import" and (arguments[0] + ".").startswith(("docker.", "sandboxes.drivers.", "sandboxes.agent."))
        or event == "socket.connect" and ("docker" in str(arguments[1]) or "nowhere" in str(arguments[1]))
        or event == "subprocess.Popen" and "docker" in str(arguments[:2])
    )
    if forbidden:
        print("FORBIDDEN", event, arguments[:2], flush=True)
        raise PermissionError(event)
sys.addaudithook(watch)
from gunicorn.app.wsgiapp import run
run()
"""


@dataclass
class Web:
    origin: str
    instance: Path
    output: Path


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """The web process alone, as the supervisor starts it, with an engine's address that leads nowhere."""
    port = free_port_pair()
    Database(Settings(instance_dir=tmp_path).validated().database_url_effective).migrate()
    output = tmp_path / "web.log"
    with output.open("wb") as file, tempfile.TemporaryDirectory(prefix="pg-web-", dir="/tmp") as run_dir:
        process = subprocess.Popen(
            [
                sys.executable, "-c", WATCHED, "portal.wsgi:app", "--bind", f"127.0.0.1:{port}",
                "--worker-class", "gthread", "--threads", "4", "--timeout", "120", "--no-control-socket",
            ],
            cwd=ROOT,
            env={
                **clean_environment(),
                "PORT": str(port),
                "INSTANCE_DIR": str(tmp_path),
                "RUN_DIR": run_dir,
                "SECRET_KEY": "a key for this test alone",
                "SANDBOX_DRIVER": "docker",
                "DOCKER_HOST": "unix:///nowhere/docker.sock",
            },
            stdout=file,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield Web(f"http://localhost:{port}", tmp_path, output)
        finally:
            process.terminate()
            process.wait(60)


def _send(client: httpx.Client, page: str, path: str, **form: str) -> httpx.Response:
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(page).text)
    assert token is not None
    return client.post(path, data={"csrf_token": token[1], **form})


def _wait(client: httpx.Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.get("/")
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def test_pages_forms_and_a_launch_work_where_no_engine_can_be_reached(web: Web) -> None:
    with httpx.Client(base_url=web.origin, follow_redirects=True, timeout=60) as client:
        _wait(client)
        signed_up = _send(
            client, "/account/sign-up", "/account/sign-up",
            email="ada@learn.example", display_name="Ada", password="plenty of tiny steps",
        )  # fmt: skip
        assert "Welcome, Ada" in signed_up.text
        for path in ("/", "/labs/", f"/labs/{LAB}", f"/labs/{LAB}/status", "/account/"):
            assert client.get(path).status_code == 200, path
        launched = _send(client, f"/labs/{LAB}", f"/labs/{LAB}/launch")
        assert launched.status_code == 200
        assert client.get(f"/labs/{LAB}/status").status_code == 200
    with closing(sqlite3.connect(web.instance / "portal.db")) as database:
        # The launch waits for a worker: that one has the engine.
        assert database.execute("SELECT count(*) FROM lab_sessions").fetchone() == (1,)
    output = web.output.read_text()
    assert "FORBIDDEN" not in output
    assert "Traceback" not in output
