"""A whole product to measure: the portal's application in this process, its worker and its gateway as processes of their own.

A click is a request to the application, so all that a learner waits for is in it but the network and the web server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from flask.testing import FlaskClient
from sqlalchemy import select

from bench.worker import bench_content
from labs.catalogue import Lab
from portal.app import create_app
from portal.database import Database
from portal.models import LabSession, Role, SessionState, User
from portal.settings import ROOT, Settings
from portal.work.workspaces import Workspaces

LAB = "five-tasks"
START_SECONDS = 900.0
"""The first one builds the image."""
LOOK_SECONDS = 0.002
STOP_SECONDS = 60.0
PASSWORD = "a-passphrase-of-the-benchmark"  # noqa: S105 - of an account that lives as long as the benchmark

Value = TypeVar("Value")


def wait_for(look: Callable[[], Value | None], what: str, seconds: float = 60.0) -> Value:
    """Look again and again until something is there. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{what} did not happen within {seconds:g} s.")


def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Learner:
    """A signed-in browser without a browser."""

    def __init__(self, product: Product, client: FlaskClient, user_id: int) -> None:
        self.product = product
        self.user_id = user_id
        self._client = client
        self.token = self._csrf(f"/labs/{LAB}")

    def click(self, action: str) -> None:
        """Press a button of the lab's page: launch, stop, check or submit."""
        answer = self._client.post(
            f"/labs/{LAB}/{action}",
            data={"csrf_token": self.token},
            headers={"HX-Request": "true"},
            base_url=self.product.origin,
        )
        if answer.status_code not in (200, 302):
            raise RuntimeError(f"{action} was answered with {answer.status_code}: {answer.text[:300]}")

    def _csrf(self, path: str) -> str:
        page = self._client.get(path, base_url=self.product.origin).text
        found = re.search(r'name="csrf[-_]token"[^>]*(?:value|content)="([^"]+)"', page)
        if found is None:
            raise RuntimeError(f"there is no form on {path}")
        return found[1]


class Product:
    """One instance in a temporary directory, with Docker; use it in a `with` block."""

    def __init__(self, **knobs: Any) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.settings = Settings(
            port=free_port(),
            gateway_port=free_port(),
            instance_dir=self._folder / "instance",
            run_dir=self._folder / "run",
            sandbox_driver="docker",
            rate_limits=False,
            sessions_per_learner=50,
            **knobs,
        ).validated()
        self.origin = self.settings.portal_origin_effective
        self.database = Database(self.settings.database_url_effective)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = self._folder / "log"

    def __enter__(self) -> Self:
        try:
            self.database.migrate()
            self.content = bench_content()
            self.lab: Lab = self.content.labs.labs[LAB]
            self.app = create_app(self.settings, content=self.content)
            self.workspaces = Workspaces(self.settings.workspaces_dir, self.origin)
            self._start("-m", "bench.worker")
            self._start(
                "-m", "sandboxes.gateway", "--port", str(self.settings.gateway_port),
                "--run-dir", str(self.settings.run_dir), "--portal-origin", self.origin,
            )  # fmt: skip
            self.gateway = httpx.Client(base_url=self.settings.sandbox_origin_effective, timeout=30)
            wait_for(self._answers, "the start of the gateway")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None and self._log.exists():
            print(self._log.read_text(errors="replace")[-3000:], file=sys.stderr)
        self._end()

    def learner(self, name: str) -> Learner:
        """A new learner who is signed in."""
        from portal.features.accounts import AccountService

        email = f"{name}@bench.example"
        with self.database.transaction() as db:
            user: User = AccountService(db).create(
                email=email, display_name=name, password=PASSWORD, role=Role.LEARNER
            )
            db.flush()
            user_id = user.id
        client = self.app.test_client()
        page = client.get("/account/sign-in", base_url=self.origin).text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        if found is None:
            raise RuntimeError("there is no sign-in form")
        form = {"csrf_token": found[1], "email": email, "password": PASSWORD}
        if client.post("/account/sign-in", data=form, base_url=self.origin).status_code != 302:
            raise RuntimeError("the sign-in did not work")
        return Learner(self, client, user_id)

    def session(self, learner: Learner, *states: SessionState) -> LabSession | None:
        """The learner's newest session, when it is in one of the states. Raises RuntimeError for one that failed."""
        with self.database.transaction() as db:
            row = db.scalar(
                select(LabSession)
                .where(LabSession.user_id == learner.user_id)
                .order_by(LabSession.id.desc())
                .limit(1)
            )
        if row is not None and row.state == SessionState.FAILED:
            raise RuntimeError(f"a launch failed: {row.detail}")
        return row if row is not None and row.state in states else None

    def pool(self) -> dict[str, Any]:
        """What the worker's pool says of itself."""
        try:
            document: dict[str, Any] = json.loads((self.settings.run_dir / "pool.json").read_text())
        except (OSError, ValueError):
            return {"warm": 0, "starting": 0, "flavours": []}
        return document

    def until_warm(self, count: int) -> None:
        """Return when so many wait, and none is being started."""
        wait_for(
            lambda: (self.pool()["warm"] >= count and not self.pool()["starting"]) or None,
            f"{count} sandboxes that wait",
            START_SECONDS,
        )

    def _answers(self) -> bool | None:
        if any(process.poll() is not None for process in self._processes):
            raise RuntimeError("a process of the product ended by itself")
        try:
            self.gateway.get("/")
        except httpx.TransportError:
            return None
        return True

    def _start(self, *arguments: str) -> None:
        with self._log.open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=ROOT,
                    env={**os.environ, **self.settings.to_environment()},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.database.close()
        shutil.rmtree(self._folder, ignore_errors=True)
