"""Passes one HTTP request on to a sandbox's Jupyter, streaming in both directions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from yarl import URL

from sandboxes.gateway import frontend, headers
from sandboxes.gateway.route_table import Address

MAX_BODY_BYTES = 50 * 1024 * 1024
CHUNK_BYTES = 65_536
REFUSED_STATUS = frozenset((101, 401, 407))
"""What Jupyter has no reason to answer, and what would make the browser do something."""


class BodyTooLargeError(Exception):
    """The request's body is larger than MAX_BODY_BYTES."""


class LimitedBody:
    """A request's body, chunk by chunk, until it grows too large."""

    def __init__(self, request: web.Request, limit: int = MAX_BODY_BYTES) -> None:
        if (request.content_length or 0) > limit:
            raise BodyTooLargeError
        self.exceeded = False
        self._request = request
        self._limit = limit

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes; raises BodyTooLargeError at the first one beyond the limit."""
        total = 0
        async for chunk in self._request.content.iter_chunked(CHUNK_BYTES):
            total += len(chunk)
            if total > self._limit:
                self.exceeded = True
                raise BodyTooLargeError
            yield chunk


def target(request: web.Request) -> URL:
    """The URL that Jupyter is asked for: byte for byte the path and query that came."""
    return URL(f"http://sandbox{request.raw_path}", encoded=True)


async def forward(
    request: web.Request,
    address: Address,
    session: aiohttp.ClientSession,
    pages: frontend.Frontend,
) -> web.StreamResponse:
    """Jupyter's answer. Raises BodyTooLargeError, TimeoutError and aiohttp.ClientError, all before anything was
    answered.
    """
    body = LimitedBody(request) if request.can_read_body else None
    try:
        answer = await session.request(
            request.method,
            target(request),
            headers=headers.to_sandbox(request.headers),
            data=body.chunks() if body else None,
            allow_redirects=False,
        )
    except (aiohttp.ClientError, OSError, BodyTooLargeError) as error:
        if body is not None and body.exceeded:
            raise BodyTooLargeError from error
        raise
    async with answer:
        return await _pass_back(request, address, answer, pages)


async def _pass_back(
    request: web.Request,
    address: Address,
    answer: aiohttp.ClientResponse,
    pages: frontend.Frontend,
) -> web.StreamResponse:
    status = 502 if answer.status in REFUSED_STATUS else answer.status
    passed = headers.from_sandbox(answer.headers, address.rest)
    start = b""
    if frontend.is_page(request.method, address.rest, status, answer.headers):
        start, whole = await _read_page(answer)
        if whole:
            for name in ("Content-Length", "ETag", "Last-Modified", "Accept-Ranges"):
                passed.popall(name, None)
            passed["Cache-Control"] = "no-store"
            return web.Response(body=pages.rewrite(start, address.base), status=status, headers=passed)
    response = web.StreamResponse(status=status, headers=passed)
    try:
        await response.prepare(request)
        if start:
            await response.write(start)
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError, OSError):
        # One side went away in the middle. The answer has begun: the only true thing left to say is that it is
        # cut off.
        if request.transport is not None:
            request.transport.abort()
    return response


async def _read_page(answer: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The start of a page, and whether it is all of it."""
    parts: list[bytes] = []
    size = 0
    async with asyncio.timeout(30):
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            parts.append(chunk)
            size += len(chunk)
            if size > frontend.MAX_PAGE_BYTES:
                return b"".join(parts), False
    return b"".join(parts), True
