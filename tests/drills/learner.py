"""A learner who uses the product as a browser does, without one: pages over HTTP, and Jupyter behind the gateway."""

from __future__ import annotations

import asyncio
import html
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import httpx

from tests.e2e.conftest import Product

LAB = "never-oversell"
PASSWORD = "plenty of tiny steps"
WAIT_SECONDS = 300


@dataclass(frozen=True)
class Session:
    """The newest session of a learner, as the database has it."""

    state: str
    phase: str
    detail: str
    sandbox_id: str


class Learner:
    """One account with one lab."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.email = f"{uuid4().hex}@learn.example"
        self._browser = httpx.Client(base_url=product.origin, timeout=60, follow_redirects=True)
        form = self._browser.get("/account/sign-up").text
        self._post(
            "/account/sign-up", form, display_name="Ada", email=self.email, password=PASSWORD, name="Ada"
        )

    def _post(self, path: str, page: str, **fields: str) -> httpx.Response:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token, page[:2000]
        answer = self._browser.post(path, data={"csrf_token": token[1], **fields})
        assert answer.status_code == 200, f"{path}: {answer.status_code}\n{answer.text[:3000]}"
        return answer

    def again(self, product: Product) -> None:
        """Go on with a product that was started again, in the same browser."""
        self.product = product
        self._browser.base_url = httpx.URL(product.origin)

    def page(self) -> str:
        """The lab page, as text that can be searched."""
        answer = self._browser.get(f"/labs/{LAB}")
        assert answer.status_code == 200
        return html.unescape(answer.text)

    def launch(self) -> None:
        """Press Launch."""
        self._post(f"/labs/{LAB}/launch", self.page())

    def stop(self) -> None:
        """Press Stop."""
        self._post(f"/labs/{LAB}/stop", self.page())

    def session(self) -> Session:
        with closing(sqlite3.connect(self.product.instance / "portal.db", timeout=30)) as connection:
            row = connection.execute(
                "SELECT s.state, s.phase, s.detail, s.sandbox_id FROM lab_sessions s JOIN users u ON u.id = s.user_id "
                "WHERE u.email = ? ORDER BY s.id DESC LIMIT 1",
                [self.email],
            ).fetchone()
        return Session(*row)

    def until(self, *states: str) -> Session:
        """The session when it is in one of these states."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (session := self.session()).state not in states:
            assert time.monotonic() < deadline, f"{session}\n{self.product.output()[-5000:]}"
            time.sleep(0.05)
        return session

    def ready(self) -> Session:
        """The session when it is READY; any failure on the way is an error here."""
        session = self.until("ready", "failed")
        assert session.state == "ready", f"{session}\n{self.page()}\n{self.product.output()[-5000:]}"
        return session

    @property
    def workspace(self) -> Path:
        """Where the learner's files for the lab are on disk."""
        with closing(sqlite3.connect(self.product.instance / "portal.db", timeout=30)) as connection:
            (user,) = connection.execute("SELECT id FROM users WHERE email = ?", [self.email]).fetchone()
        return self.product.instance / "workspaces" / str(user) / LAB

    def jupyter(self, method: str, path: str, document: Any = None) -> httpx.Response:
        """Ask the Jupyter of the page that is open, through the gateway."""
        base = self._jupyter_url()
        origin = "/".join(base.split("/")[:3])
        return httpx.request(method, base + path, json=document, headers={"Origin": origin}, timeout=60)

    def _jupyter_url(self) -> str:
        found = re.search(r'src="(http://[^"]+/s/[^/"]+/[^/"]+/)', self.page())
        assert found, "there is no notebook on the page"
        return found[1]

    def save(self, name: str, text: str) -> httpx.Response:
        """Save a file as Jupyter's front end does."""
        return self.jupyter("PUT", f"api/contents/{name}", {"type": "file", "format": "text", "content": text})

    def load(self, name: str) -> str:
        answer = self.jupyter("GET", f"api/contents/{name}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["content"])

    def run(self, code: str) -> str:
        """What a cell prints, in a new kernel of the notebook."""
        return asyncio.run(self._run(code))

    async def _run(self, code: str) -> str:
        base = self._jupyter_url()
        headers = {"Origin": "/".join(base.split("/")[:3])}
        wish = {"path": f"{LAB}.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        header = {
            "msg_id": uuid4().hex,
            "msg_type": "execute_request",
            "session": "s",
            "username": "",
            "version": "5",
        }
        request = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell"}
        printed = ""
        async with aiohttp.ClientSession(headers=headers) as client, asyncio.timeout(WAIT_SECONDS):
            async with client.post(f"{base}api/sessions", json=wish) as answer:
                kernel = (await answer.json())["kernel"]["id"]
            async with client.ws_connect(f"{base}api/kernels/{kernel}/channels") as channels:
                await channels.send_json({**request, "content": {"code": code, "silent": False}})
                while True:
                    heard = await channels.receive_json()
                    if heard["parent_header"].get("msg_id") == header["msg_id"]:
                        printed += heard["content"].get("text", "") if heard["msg_type"] == "stream" else ""
                        if heard["content"].get("execution_state") == "idle":
                            return printed
