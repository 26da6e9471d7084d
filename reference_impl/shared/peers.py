"""How a service asks another: by its name, over HTTP, whether it runs in the same process or on another machine."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import httpx
from starlette.types import ASGIApp

from reference_impl.shared import correlation, deadline, tracing
from reference_impl.shared.tracing import SpanName

if TYPE_CHECKING:
    from reference_impl.shared.wire import Wire


class Peers(ABC):
    """The other services of the platform."""

    patience = 1.0
    """By what every time limit for an answer is multiplied."""

    @abstractmethod
    def address(self, service: str) -> str:
        """The base URL of a service. Raises UnknownPeer."""

    @abstractmethod
    async def send(self, request: httpx.Request) -> httpx.Response:
        """Carry one request. Raises httpx.TransportError."""

    async def close(self) -> None:
        """Close the connections that the running event loop has opened. Who makes a loop and ends it closes them before."""
        return

    async def call(self, service: str, request: httpx.Request) -> httpx.Response:
        """The same with a span around it, below which the other service's spans come. Raises httpx.TransportError."""
        with tracing.span(SpanName.CALL, f"{request.method} {service}") as span:
            # Whatever trace the request came with from outside, here it goes on below us.
            request.headers.update(tracing.outgoing())
            answer = await self.send(request)
            if span is not None:
                span.set(**{"http.response.status_code": answer.status_code})
            return answer

    def client(self, service: str, timeout_seconds: float = 2.0) -> httpx.AsyncClient:
        """A client for one service. Making one is cheap, its connections are shared; closing it is allowed, not needed.

        The whole answer's head has to come within the time, times our patience, and while somebody waits for us.
        What is being worked on now travels along in the headers.
        """
        timeout_seconds *= self.patience
        return httpx.AsyncClient(
            transport=_Shared(self, service, timeout_seconds),
            base_url=self.address(service),
            timeout=timeout_seconds,
            headers={"User-Agent": "meridian"},
            trust_env=False,
        )


class UnknownPeer(httpx.TransportError):
    """There is no service of that name in this topology."""


class Loopback(Peers):
    """Inside one process: each request goes through the whole application, as a real one would."""

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        self._transport: httpx.ASGITransport | None = None

    def connect(self, app: ASGIApp) -> None:
        """From now on requests go to this application."""
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    def address(self, service: str) -> str:
        return f"http://{service}"

    async def send(self, request: httpx.Request) -> httpx.Response:
        if self._transport is None:
            raise httpx.ConnectError("the application is not built yet", request=request)
        return await self._transport.handle_async_request(request)


class Network(Peers):
    """A process a service: requests go over TCP to where each one listens."""

    def __init__(self, addresses: Mapping[str, str], patience: float = 1.0) -> None:
        self.patience = patience
        self._addresses = addresses
        # A connection belongs to the event loop that opened it; a background thread may run a loop of its own.
        self._wires: WeakKeyDictionary[asyncio.AbstractEventLoop, Wire] = WeakKeyDictionary()

    def address(self, service: str) -> str:
        try:
            return self._addresses[service]
        except KeyError:
            raise UnknownPeer(
                f"No service is named {service}; there are {', '.join(sorted(self._addresses))}."
            ) from None

    async def send(self, request: httpx.Request) -> httpx.Response:
        loop = asyncio.get_running_loop()
        wire = self._wires.get(loop)
        if wire is None:
            from reference_impl.shared.wire import Wire  # here, because one process alone never needs it

            wire = self._wires[loop] = Wire()
        return await wire.handle_async_request(request)

    async def close(self) -> None:
        wire = self._wires.pop(asyncio.get_running_loop(), None)
        if wire is not None:
            await wire.aclose()


class _Shared(httpx.AsyncBaseTransport):
    """What one client sends through: adds the headers, keeps the time, and outlives the client."""

    def __init__(self, peers: Peers, service: str, timeout_seconds: float) -> None:
        self._peers = peers
        self._service = service
        self._timeout_seconds = timeout_seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for name, value in correlation.outgoing().items():
            request.headers.setdefault(name, value)
        left = deadline.remaining()
        seconds = self._timeout_seconds if left is None else min(left, self._timeout_seconds)
        if seconds <= 0:
            raise httpx.ConnectTimeout("nobody waits for the answer any more", request=request)
        request.headers[deadline.HEADER] = f"{seconds:.3f}"
        try:
            # The transport within the process knows no timeouts of its own, that over TCP none for the whole.
            async with asyncio.timeout(seconds):
                return await self._peers.call(self._service, request)
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no answer within {seconds:g} s", request=request) from error
