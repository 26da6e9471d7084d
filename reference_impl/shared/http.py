"""The HTTP edge that every process shares: bounded bodies, correlation ids, one log line a request."""

from __future__ import annotations

import json
import time
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_impl.shared import correlation, logs
from reference_impl.shared.problems import MEDIA_TYPE, TYPE_PREFIX

LARGEST_BODY_BYTES = 65_536
_QUIET = ("/health/", "/events")
_log = logs.logger("meridian.http")


class _BodyTooLarge(Exception):
    """Raised inside `receive` when more arrives than was announced."""


class BoundedBodies:
    """Refuses a request body over the limit with 413, announced or not."""

    def __init__(self, app: ASGIApp, limit: int = LARGEST_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > self._limit:
            await self._refuse(scope, send)
            return
        received = 0
        too_large = False
        started = False

        async def bounded_receive() -> Message:
            nonlocal received, too_large
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                too_large = True
                raise _BodyTooLarge
            return message

        async def watching_send(message: Message) -> None:
            nonlocal started
            # The framework answers the exception above with an error of its own; ours says what is wrong.
            if not too_large:
                started = True
                await send(message)

        with suppress(_BodyTooLarge):
            await self._app(scope, bounded_receive, watching_send)
        if too_large and not started:
            await self._refuse(scope, send)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        body = json.dumps(
            {
                "type": TYPE_PREFIX + "body-too-large",
                "title": "The body is too large",
                "status": 413,
                "detail": f"At most {self._limit} bytes are read.",
                "instance": scope["path"],
            }
        ).encode()
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Correlated:
    """Takes or makes a correlation id, returns it, and writes one log line a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = correlation.acceptable(Headers(scope=scope).get(correlation.HEADER))
        status = 500

        async def labelled_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[correlation.HEADER] = identifier
            await send(message)

        started = time.perf_counter()
        with correlation.working_on(identifier):
            try:
                await self._app(scope, receive, labelled_send)
            finally:
                milliseconds = round((time.perf_counter() - started) * 1000, 1)
                write = _log.debug if scope["path"].startswith(_QUIET) else _log.info
                write(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=milliseconds,
                )
