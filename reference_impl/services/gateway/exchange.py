"""The two ends of a request: the caller, spoken to by ASGI, and the bodies of services' answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable

import httpx
from starlette.types import Receive, Scope, Send

from reference_impl.services.gateway.headers import Headers
from reference_impl.shared.problems import MEDIA_TYPE, TYPE_PREFIX, Problem

BODY_SECONDS = 10.0


class Exchange:
    """One request while it is handled: what is known of it, and the way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers: Headers = scope["headers"]
        self.method: str = scope["method"]
        self.path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        self.query: bytes = scope.get("query_string", b"")
        self.route_name = "unknown"
        self.address = ""
        self.status = 500
        self.more: Headers = []
        """Headers for the answer, whatever it will be."""
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """The request's body; its size was bounded on the way here. Raises Problem 408."""
        chunks = []
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "disconnected", "The request was not sent to its end")
                    chunks.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError as error:
            detail = f"The body has to arrive within {BODY_SECONDS:g} s."
            raise Problem(408, "slow-request", "The request came too slowly", detail) from error

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of the answer."""
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *self.more]})

    async def write(self, body: bytes, *, more: bool = False) -> None:
        """Send a piece of the answer's body; without `more` the last."""
        said = b"" if self.method == "HEAD" else body
        await self._send({"type": "http.response.body", "body": said, "more_body": more})

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.write(body)

    async def problem(self, problem: Problem) -> None:
        """Send an error by RFC 9457."""
        document = {
            "type": TYPE_PREFIX + problem.name,
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "instance": self.scope["path"],
            **problem.members,
        }
        headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        await self.answer(
            problem.status,
            [(b"content-type", MEDIA_TYPE.encode()), *headers],
            json.dumps(document).encode(),
        )


async def stream(response: httpx.Response) -> AsyncIterable[bytes]:
    """The body as it comes, still compressed if it is."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for chunk in response.stream:
        yield chunk


async def whole(response: httpx.Response, limit: int) -> bytes:
    """All of a body. Raises Problem 502 when it is over the limit or breaks off."""
    chunks, size = [], 0
    try:
        async for chunk in stream(response):
            size += len(chunk)
            if size > limit:
                raise Problem(
                    502, "answer-too-large", "An answer is too large", f"More than {limit} bytes came."
                )
            chunks.append(chunk)
    except httpx.TransportError as error:
        raise Problem(502, "upstream-unreachable", "An answer broke off", "Try again.") from error
    return b"".join(chunks)
