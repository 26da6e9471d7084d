"""The way of one request through the gateway, from its headers to the last byte of the answer.

It is plain ASGI: no model is built and no body parsed unless a route asks for it, because every request of the platform comes
through here. The order of the checks is from cheap to dear, so that what is refused costs little.
"""

from __future__ import annotations

import time

import httpx
from starlette.types import Receive, Scope, Send

from reference_impl.services.gateway import headers as header
from reference_impl.services.gateway import metrics, retries, transforms
from reference_impl.services.gateway.callers import NOBODY, Callers, Identity
from reference_impl.services.gateway.exchange import Exchange, stream, whole
from reference_impl.services.gateway.guards import Guards, address_of
from reference_impl.services.gateway.headers import Headers
from reference_impl.services.gateway.pages import PAGES, NoPage
from reference_impl.services.gateway.response_cache import (
    LARGEST_BODY_BYTES,
    Entry,
    ResponseCache,
    matches,
    parse,
)
from reference_impl.services.gateway.routing import PREFIX, Match, Route, Table
from reference_impl.services.gateway.upstreams import Call, Upstreams
from reference_impl.shared import correlation
from reference_impl.shared.problems import MEDIA_TYPE, Problem

LARGEST_PART_BYTES = 1_048_576
READING = ("GET", "HEAD")


class Proxy:
    """The gateway as an ASGI application. Belongs to one event loop."""

    def __init__(
        self,
        table: Table,
        guards: Guards,
        callers: Callers,
        upstreams: Upstreams,
        cache: ResponseCache,
        patience: float = 1.0,
    ) -> None:
        self._table = table
        self._guards = guards
        self._callers = callers
        self._upstreams = upstreams
        self._cache = cache
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            with self._guards.admitted(exchange.headers):
                await self._handle(exchange)
        except Problem as problem:
            await exchange.problem(problem)
        finally:
            metrics.REQUESTS.labels(exchange.route_name, str(exchange.status)).inc()

    async def _handle(self, exchange: Exchange) -> None:
        match = self._table.find(exchange.method, exchange.path)
        route = match.route
        if route is None:
            raise _no_route(match)
        exchange.route_name = route.name
        exchange.address = address_of(exchange.scope, exchange.headers, self._guards.trusted_proxies)
        identity, exchange.more = await self._guards.check(
            route, exchange.headers, exchange.address, self._callers
        )
        deadline = time.monotonic() + _timeout(route, exchange.headers, self._patience)
        if route.service == "gateway":
            await self._page(exchange, match, identity, deadline)
        elif route.cache_seconds is not None and exchange.method in READING:
            await self._cached(exchange, route, match.path, deadline)
        else:
            await self._forward(exchange, route, match.path, identity, deadline)

    async def _forward(
        self, exchange: Exchange, route: Route, path: str, identity: Identity, deadline: float
    ) -> None:
        body = await exchange.body()
        transform = route.transform
        agent = (header.first(exchange.headers, b"user-agent") or b"").decode("latin-1")
        concerned = transform is not None and transform.concerns(agent)
        if transform is not None and concerned:
            body = transforms.rename(body, transform.request)
        call = self._call(exchange, route, path, identity, body, deadline)
        response = await self._upstreams.send(call)
        try:
            headers = self._returned(response, route)
            if transform is not None and concerned:
                renamed = transforms.rename(await whole(response, LARGEST_PART_BYTES), transform.response)
                headers = [pair for pair in headers if pair[0] != b"content-length"]
                await exchange.answer(response.status_code, headers, renamed)
                return
            await exchange.start(response.status_code, headers)
            async for chunk in stream(response):
                await exchange.write(chunk, more=True)
            await exchange.write(b"")
        finally:
            await response.aclose()

    async def _cached(self, exchange: Exchange, route: Route, path: str, deadline: float) -> None:
        """A read that may be answered from memory; asked for in nobody's name."""
        default, asked = route.cache_seconds or 0.0, exchange.headers
        target = f"{route.service} {route.target}{path}?{exchange.query.decode('latin-1')}"
        wishes = parse(header.first(asked, b"cache-control"))
        entry = self._cache.find(target, asked)
        if entry is not None and self._cache.fresh(entry) and not {"no-cache", "no-store"} & set(wishes):
            metrics.CACHE.labels("hit").inc()
            await self._answer_entry(exchange, entry)
            return
        call = self._call(exchange, route, path, NOBODY, b"", deadline, validator=entry.etag if entry else None)
        try:
            response = await self._upstreams.send(call)
        except Problem:
            if entry is None or not self._cache.bearable(entry):
                raise
            metrics.CACHE.labels("stale").inc()
            await self._answer_entry(exchange, entry)
            return
        try:
            if response.status_code == 304 and entry is not None:
                metrics.CACHE.labels("revalidated").inc()
                entry = self._cache.renew(target, entry, self._returned(response, route), default)
                await self._answer_entry(exchange, entry)
                return
            metrics.CACHE.labels("miss").inc()
            headers = self._returned(response, route)
            length = response.headers.get("content-length", "")
            if response.status_code != 200 or not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
                await exchange.start(response.status_code, headers)
                async for chunk in stream(response):
                    await exchange.write(chunk, more=True)
                await exchange.write(b"")
                return
            body = await whole(response, LARGEST_BODY_BYTES)
        finally:
            await response.aclose()
        if "no-store" not in wishes and self._cache.store(target, asked, headers, body, default) is not None:
            metrics.CACHE.labels("stored").inc()
        if matches(header.first(asked, b"if-none-match"), header.first(headers, b"etag")):
            await exchange.start(304, _without_body(headers))
            await exchange.write(b"")
            return
        await exchange.start(200, headers)
        await exchange.write(body)

    async def _answer_entry(self, exchange: Exchange, entry: Entry) -> None:
        age = (b"age", b"%d" % int(self._cache.age(entry)))
        if matches(header.first(exchange.headers, b"if-none-match"), entry.etag):
            await exchange.start(304, [*_without_body(entry.headers), age])
            await exchange.write(b"")
            return
        await exchange.start(200, [*entry.headers, age])
        await exchange.write(entry.body)

    async def _page(self, exchange: Exchange, match: Match, identity: Identity, deadline: float) -> None:
        _, _, name, subject = match.path.split("/")

        async def fetch(service: str, target: str) -> tuple[int, bytes]:
            call = Call(
                service,
                "GET",
                target,
                self._sent(exchange, service, identity, b"", {b"accept": b"application/json"}),
                b"",
                deadline,
                repeatable=True,
            )
            response = await self._upstreams.send(call)
            try:
                return response.status_code, await whole(response, LARGEST_PART_BYTES)
            finally:
                await response.aclose()

        try:
            body = await PAGES[name](subject, fetch, self._patience)
        except NoPage as missing:
            await exchange.answer(missing.status, [(b"content-type", MEDIA_TYPE.encode())], missing.body)
            return
        await exchange.answer(200, [(b"content-type", b"application/json")], body)

    def _call(
        self,
        exchange: Exchange,
        route: Route,
        path: str,
        identity: Identity,
        body: bytes,
        deadline: float,
        validator: bytes | None = None,
    ) -> Call:
        query = f"?{exchange.query.decode('latin-1')}" if exchange.query else ""
        changed: dict[bytes, bytes | None] = {}
        if route.cache_seconds is not None and exchange.method in READING:
            changed = {b"if-none-match": validator, b"if-modified-since": None, b"range": None}
        sent = self._sent(exchange, route.service, identity, body, changed)
        repeatable = exchange.method in retries.IDEMPOTENT or (
            header.first(exchange.headers, b"idempotency-key") is not None
        )
        # The services know no HEAD: it is a GET, of whose answer we send the head.
        method = "GET" if exchange.method == "HEAD" else exchange.method
        return Call(route.service, method, f"{route.target}{path}{query}", sent, body, deadline, repeatable)

    def _sent(
        self,
        exchange: Exchange,
        service: str,
        identity: Identity,
        body: bytes,
        changed: dict[bytes, bytes | None] | dict[bytes, bytes],
    ) -> Headers:
        kept = [pair for pair in exchange.headers if pair[0] not in changed]
        kept += [(name, value) for name, value in changed.items() if value is not None]
        return header.to_upstream(
            kept,
            token=identity.token,
            address=exchange.address,
            host=service,
            body=body,
            outgoing=correlation.outgoing(),
        )

    @staticmethod
    def _returned(response: httpx.Response, route: Route) -> Headers:
        return header.to_caller(
            response.headers.raw,
            service_prefix=route.target.encode(),
            public_prefix=f"{PREFIX}/{route.version}".encode(),
        )


def _no_route(match: Match) -> Problem:
    if match.allowed:
        allowed = ", ".join(match.allowed)
        problem = Problem(405, "method-not-allowed", "This method is not taken here", f"Allowed are {allowed}.")
        return problem.with_headers({"Allow": allowed})
    return Problem(404, "unknown-route", "There is no such route", "The gateway has no route for this path.")


def _timeout(route: Route, headers: Headers, patience: float) -> float:
    """Seconds for the request: the route's, or fewer when the caller waits no longer."""
    said = header.first(headers, header.TIMEOUT)
    most = route.timeout_seconds * patience
    try:
        wanted = float(said) if said is not None else most
    except ValueError:
        wanted = most
    return min(wanted, most) if wanted > 0 else most


def _without_body(headers: Headers) -> Headers:
    return [
        pair for pair in headers if pair[0] not in (b"content-length", b"content-type", b"content-encoding")
    ]
