"""The HTTP edge that every process shares: bounded bodies, and what is to be seen of every request."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_impl.shared import correlation, logs, metrics, tracing
from reference_impl.shared.problems import MEDIA_TYPE, TYPE_PREFIX
from reference_impl.shared.tracing import Span, SpanName

LARGEST_BODY_BYTES = 65_536
_QUIET = ("/health/", "/events", "/metrics")
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


class Observed:
    """What is to be seen of every request: a correlation id, a span, its time in the metrics, one log line."""

    def __init__(self, app: ASGIApp, owners: Mapping[str, str] | None = None) -> None:
        """`owners` says by the first part of a path which service answers it; what is not in it the process itself answers."""
        self._app = app
        self._owners = owners or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        identifier = correlation.acceptable(headers.get(correlation.HEADER))
        path: str = scope["path"]
        method: str = scope["method"]
        service = self._owners.get(path.split("/", 2)[1] if "/" in path else "", correlation.process())
        status = 500

        async def labelled_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[correlation.HEADER] = identifier
            await send(message)

        started = time.perf_counter()
        with (
            correlation.working_on(identifier, service=service),
            metrics.http_in_flight(service).track_inprogress(),
            tracing.span(SpanName.REQUEST, method, parent=headers.get(tracing.HEADER)) as span,
        ):
            try:
                await self._app(scope, receive, labelled_send)
            finally:
                seconds = time.perf_counter() - started
                route = metrics.route_of(scope)
                metrics.http_seconds(service, method, route, status).observe(seconds)
                if span is not None:
                    _describe(span, method, route, status)
                level = logging.DEBUG if path.startswith(_QUIET) else logging.INFO
                milliseconds = round(seconds * 1000, 1)
                _log.log(level, "request", method=method, path=path, status=status, milliseconds=milliseconds)


def _describe(span: Span, method: str, route: str, status: int) -> None:
    span.about(f"{method} {route}")
    span.set(**{"http.request.method": method, "http.route": route})
    span.set(**{"http.response.status_code": status})
    if status >= 500:
        span.fail(f"answered with {status}")
