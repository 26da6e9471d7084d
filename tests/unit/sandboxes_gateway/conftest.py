"""A gateway before sandboxes whose Jupyter is a small aiohttp application that notes what it is asked."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sandboxes.gateway.app import create_gateway

PORTAL = "http://localhost:8000"
TOKEN = "t" * 43
OTHER_TOKEN = "u" * 43


@dataclass
class Asked:
    """One request as Jupyter saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class World:
    """A gateway, and the sandbox `box1` behind it."""

    run_dir: Path
    client: aiohttp.ClientSession
    origin: str
    answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    base: str = f"/s/box1/{TOKEN}"

    async def request(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        """A request below the sandbox's base, its redirects not followed, read to its end."""
        answer = await self.client.request(method, f"{self.base}{path}", allow_redirects=False, **options)
        await answer.read()
        return answer

    async def get(self, path: str, **options: Any) -> aiohttp.ClientResponse:
        return await self.request("GET", path, **options)

    async def jupyter(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(Asked(request.method, request.raw_path, dict(request.headers), body))
        own = self.answers.get(request.path.removeprefix(self.base))
        return await own(request) if own else web.Response(text="from Jupyter")


def write_route(run_dir: Path, sandbox_id: str, token: str, socket: Path) -> Path:
    """What a driver writes when a sandbox is ready."""
    routes = run_dir / "routes"
    routes.mkdir(exist_ok=True)
    path = routes / f"{sandbox_id}.json"
    digest = hashlib.sha256(token.encode()).hexdigest()
    path.write_text(json.dumps({"id": sandbox_id, "token_sha256": digest, "jupyter_socket": str(socket)}))
    return path


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run directory whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="gw-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def lingering_seconds() -> float:
    """For so long the gateway reads on in a body that it has refused, before it hangs up."""
    return 0.5


@pytest.fixture
def in_world(run_dir: Path, lingering_seconds: float) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    """Runs a coroutine function with a World."""

    async def build(test: Callable[[World], Awaitable[None]]) -> None:
        gateway = web.AppRunner(
            create_gateway(run_dir, PORTAL), access_log=None, lingering_time=lingering_seconds
        )
        await gateway.setup()
        site = web.TCPSite(gateway, "127.0.0.1", 0)
        await site.start()
        origin = f"http://127.0.0.1:{gateway.addresses[0][1]}"
        async with aiohttp.ClientSession(origin, auto_decompress=False) as client:
            world = World(run_dir, client, origin)
            jupyter = web.Application(client_max_size=100 * 1024 * 1024)
            jupyter.router.add_route("*", "/{path:.*}", world.jupyter)
            runner = web.AppRunner(jupyter)
            await runner.setup()
            await web.UnixSite(runner, run_dir / "jupyter.sock").start()
            write_route(run_dir, "box1", TOKEN, run_dir / "jupyter.sock")
            try:
                async with asyncio.timeout(60):
                    await test(world)
            finally:
                await gateway.cleanup()
                await runner.cleanup()

    return lambda test: asyncio.run(build(test))
