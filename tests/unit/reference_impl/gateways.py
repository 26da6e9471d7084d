"""A gateway in front of made-up services, for tests: what arrives there is recorded, what they answer is up to the test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from reference_impl.services.gateway.callers import Callers
from reference_impl.services.gateway.guards import Guards
from reference_impl.services.gateway.limits import MemoryLimiter
from reference_impl.services.gateway.proxy import Proxy
from reference_impl.services.gateway.response_cache import ResponseCache
from reference_impl.services.gateway.routing import Table
from reference_impl.services.gateway.settings import GatewaySettings
from reference_impl.services.gateway.upstreams import Upstreams
from reference_impl.shared.auth import Verifier
from reference_impl.shared.faults import Faults
from reference_impl.shared.jwks import KeyRing
from reference_impl.shared.peers import Peers
from tests.unit.reference_impl.conftest import PATIENCE
from tests.unit.reference_impl.tokens import Published, Signer

Answerer = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class MadeUp(Peers):
    """Services that answer what the test says: a response, an exception, or what a function makes of the request."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[str, list[Any]] = {}
        self.default: Any = httpx.Response(200, json={"fine": True})

    def address(self, service: str) -> str:
        return f"http://{service}"

    async def send(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        queue = self.answers.get(request.url.host, [])
        answer = queue.pop(0) if queue else self.default
        if callable(answer):
            answer = await answer(request)
        if isinstance(answer, Exception):
            raise answer
        content = await answer.aread()
        headers = [pair for pair in answer.headers.raw if pair[0].lower() != b"content-length"]
        headers.append((b"Content-Length", b"%d" % len(content)))
        return httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(content))


class Door:
    """A gateway and what is behind it, and more patience with that than a gateway has."""

    def __init__(self, patience: float = PATIENCE, **settings: Any) -> None:
        self.clock = Clock()
        self.signer = Signer()
        self.peers = MadeUp()
        self.faults = Faults(1)
        self.settings = GatewaySettings(**settings)
        self.pauses: list[float] = []
        verifier = Verifier(KeyRing(Published(self.signer)))
        self.proxy = Proxy(
            Table(),
            Guards(self.settings, MemoryLimiter(self.clock)),
            Callers(verifier, self.peers, self.settings.api_key_seconds, self.clock),
            Upstreams(self.peers, self.settings, self.faults, sleep=self._sleep),
            ResponseCache(self.settings.cache_bytes, self.clock),
            patience,
        )
        self._runner = asyncio.Runner()
        self.client = ("203.0.113.1", 4000)

    def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx.Response:
        """One request from outside."""
        return self.ask_all([(method, path, token, options)])[0]

    def ask_all(self, requests: list[tuple[str, str, str | None, dict[str, Any]]]) -> list[httpx.Response]:
        """Some requests at once."""

        async def send() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self.proxy, client=self.client)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await asyncio.gather(*(self._one(client, *request) for request in requests))

        return self._runner.run(send())

    @staticmethod
    async def _one(
        client: httpx.AsyncClient, method: str, path: str, token: str | None, options: dict[str, Any]
    ) -> httpx.Response:
        headers = list(options.pop("headers", {}).items())
        if token is not None:
            headers.append(("Authorization", f"Bearer {token}"))
        return await client.request(method, path, headers=headers, **options)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def close(self) -> None:
        self._runner.close()
