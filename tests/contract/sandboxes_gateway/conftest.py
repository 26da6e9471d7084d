"""A real Jupyter on a Unix socket, as an agent starts it, behind a real gateway process."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.fixtures.ports import kept_port

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "sandboxes" / "gateway" / "jupyter_start.py"
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "cells": [
        {"cell_type": "markdown", "id": "intro", "metadata": {}, "source": "# A lab\n\nWith $x^2$ in it."},
        {
            "cell_type": "code",
            "id": "answer",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": "print('the answer is', 6 * 7)",
        },
    ],
}


@dataclass
class Sandbox:
    """A Jupyter that runs, and where it is."""

    sandbox_id: str
    token: str
    workspace: Path
    home: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def path(self) -> str:
        return f"/s/{self.sandbox_id}/{self.token}/"

    @property
    def notebook(self) -> Path:
        return self.workspace / "lab.ipynb"


@dataclass
class Gateway:
    """A gateway process and what it may be asked."""

    origin: str
    portal_port: int
    portal_origin: str
    run_dir: Path
    log: Path

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of one request."""
        connection = http.client.HTTPConnection(self.origin.removeprefix("http://"), timeout=120)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


async def connect(session: aiohttp.ClientSession, channels: str) -> aiohttp.ClientWebSocketResponse:
    """A kernel's WebSocket. Where the kernel takes long to start the gateway gives up, and a front end asks again."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await session.ws_connect(channels, max_msg_size=0)
            except aiohttp.WSServerHandshakeError:
                await asyncio.sleep(0.2)


def message(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """What a front end sends to a kernel."""
    header = {"msg_id": uuid4().hex, "msg_type": kind, "session": "s", "username": "", "version": "5.3"}
    return {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}


def environment(run_dir: Path, sandbox_id: str, token: str) -> dict[str, str]:
    """What an agent gives to Jupyter."""
    folder = run_dir / "s" / sandbox_id
    return {
        **os.environ,
        "SANDBOX_JUPYTER_SOCKET": str(folder / "jupyter.sock"),
        "SANDBOX_JUPYTER_HOME": str(folder / "home"),
        "SANDBOX_WEB_PATH": f"/s/{sandbox_id}/{token}/",
        "SANDBOX_WORKSPACE": str(run_dir / "workspaces" / sandbox_id),
    }


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when it is true; fail, saying what was waited for."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come about in {seconds:.0f} s")
        time.sleep(0.02)


def _answers(path: Path) -> bool:
    """Whether somebody listens on a socket: it has a name a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(60)


@contextmanager
def _sandbox(run_dir: Path, sandbox_id: str) -> Iterator[Sandbox]:
    token = secrets.token_urlsafe(32)
    variables = environment(run_dir, sandbox_id, token)
    socket_path, workspace = Path(variables["SANDBOX_JUPYTER_SOCKET"]), Path(variables["SANDBOX_WORKSPACE"])
    home, log = Path(variables["SANDBOX_JUPYTER_HOME"]), run_dir / f"{sandbox_id}.log"
    socket_path.parent.mkdir(parents=True)
    workspace.mkdir(parents=True)
    (workspace / "lab.ipynb").write_text(json.dumps(NOTEBOOK))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", str(START)], env=variables, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: _answers(socket_path) or process.poll() is not None, 120, "Jupyter's socket")
        if process.poll() is not None:
            pytest.fail(f"Jupyter ended: {log.read_text()[-2000:]}")
        route = {
            "id": sandbox_id,
            "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
            "jupyter_socket": str(socket_path),
        }
        (run_dir / "routes" / f"{sandbox_id}.json").write_text(json.dumps(route))
        yield Sandbox(sandbox_id, token, workspace, home, log, process)
    finally:
        _stop(process)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway process."""
    run_dir = Path(tempfile.mkdtemp(prefix="gw-"))
    (run_dir / "routes").mkdir()
    log = run_dir / "gateway.log"
    with kept_port() as port, kept_port() as portal_port:
        portal_origin = f"http://localhost:{portal_port}"
        command = [sys.executable, "-m", "sandboxes.gateway", "--port", str(port), "--run-dir", str(run_dir)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--portal-origin", portal_origin], cwd=ROOT, stdout=output, stderr=output
            )
        running = Gateway(f"http://127.0.0.1:{port}", portal_port, portal_origin, run_dir, log)

        def healthy() -> bool:
            try:
                return running.ask("GET", "/healthz")[0] == 200
            except OSError:
                return False

        try:
            wait_until(healthy, 120, "the gateway")
            yield running
        finally:
            _stop(process)
            shutil.rmtree(run_dir, ignore_errors=True)  # a kernel of a server that was killed may still write


@pytest.fixture
def launch(gateway: Gateway) -> Iterator[Callable[[], Sandbox]]:
    """Starts sandboxes that end with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(_sandbox(gateway.run_dir, f"box-{secrets.token_hex(4)}"))


@pytest.fixture(scope="module")
def shared_sandbox(gateway: Gateway) -> Iterator[Sandbox]:
    """One sandbox for tests that leave it as it was."""
    with _sandbox(gateway.run_dir, "shared") as sandbox:
        yield sandbox
