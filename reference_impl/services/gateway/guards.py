"""Who gets in: how many at once, how often, and with which rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Scope

from reference_impl.services.gateway import metrics
from reference_impl.services.gateway.callers import Callers, Identity
from reference_impl.services.gateway.headers import Headers, first
from reference_impl.services.gateway.limits import Decision, Limiter, Window
from reference_impl.services.gateway.routing import Access, Route
from reference_impl.services.gateway.settings import GatewaySettings
from reference_impl.shared.auth import InvalidToken, Kind, forbidden, unauthenticated, unverifiable
from reference_impl.shared.jwks import KeysUnavailable
from reference_impl.shared.problems import Problem


class Guards:
    """The checks before a request goes on. Belongs to one event loop."""

    def __init__(self, settings: GatewaySettings, limiter: Limiter) -> None:
        self._settings = settings
        self._limiter = limiter
        self._in_flight = 0
        seconds = settings.limit_window_seconds
        self._per_user = Window("user", settings.limit_per_user, seconds)
        self._per_address = Window("address", settings.limit_per_address, seconds)
        self._strict = Window("strict", settings.limit_of_strict_routes, seconds)

    @property
    def trusted_proxies(self) -> int:
        """How many proxies of ours stand in front."""
        return self._settings.trusted_proxies

    @contextmanager
    def admitted(self, headers: Headers) -> Iterator[None]:
        """A place inside, while there is one. Raises Problem 431 and 503."""
        if self._in_flight >= self._settings.most_in_flight:
            metrics.SHED.inc()
            problem = Problem(503, "overloaded", "Too many requests at once", "Nothing was done; try again.")
            raise problem.with_headers({"Retry-After": "1"})
        if sum(len(name) + len(value) for name, value in headers) > self._settings.largest_header_bytes:
            detail = f"All headers together may have {self._settings.largest_header_bytes} bytes."
            raise Problem(431, "headers-too-large", "The headers are too large", detail)
        self._in_flight += 1
        metrics.IN_FLIGHT.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            metrics.IN_FLIGHT.set(self._in_flight)

    async def check(
        self, route: Route, headers: Headers, address: str, callers: Callers
    ) -> tuple[Identity, Headers]:
        """Who calls, and what to tell of the limits. Raises Problem 401, 403, 429 and 503."""
        strict = None
        if route.strict:
            strict = await self._limiter.window(f"strict:{route.name}:{address}", self._strict)
            _refuse(strict)
        counted = None
        if not callers.cheap(headers):  # a stranger's key is looked up for as often as a stranger may call
            counted = await self._limiter.window(f"address:{address}", self._per_address)
            _refuse(counted)
        try:
            identity = await callers.identify(headers)
        except InvalidToken as error:
            if counted is None:
                _refuse(await self._limiter.window(f"address:{address}", self._per_address))
            raise unauthenticated(str(error)) from error
        except KeysUnavailable as error:
            raise unverifiable() from error
        decision = await self._count(identity, address, counted)
        _refuse(decision)
        _authorise(route, identity)
        return identity, (strict or decision).headers()

    async def _count(self, identity: Identity, address: str, counted: Decision | None) -> Decision:
        if identity.plan is not None:
            return await self._limiter.plan(identity.key_id, identity.plan)
        if identity.principal.kind is Kind.ANONYMOUS:
            return counted or await self._limiter.window(f"address:{address}", self._per_address)
        return await self._limiter.window(f"user:{identity.principal.subject}", self._per_user)


def _refuse(decision: Decision) -> None:
    if decision.allowed:
        return
    metrics.LIMITED.labels(decision.limit).inc()
    headers = {name.decode(): value.decode() for name, value in decision.headers()}
    detail = f"The limit is {decision.policy}. Try again in {headers['retry-after']} seconds."
    raise Problem(429, "rate-limited", "Too many requests", detail, limit=decision.limit).with_headers(headers)


def _authorise(route: Route, identity: Identity) -> None:
    who = identity.principal
    if who.kind is Kind.ANONYMOUS:
        if route.access is not Access.PUBLIC:
            raise unauthenticated()
        return
    if not who.has(*route.roles) and route.roles:
        raise forbidden(*route.roles)
    if who.kind is Kind.API_KEY and route.access is not Access.PUBLIC and route.scope not in who.scopes:
        problem = forbidden()
        problem.detail = (
            f"The API key needs the scope {route.scope}." if route.scope else "No API key may do this; sign in."
        )
        raise problem


def address_of(scope: Scope, headers: Headers, trusted_proxies: int) -> str:
    """Where a request comes from. Of X-Forwarded-For only what our own proxies wrote is believed."""
    if trusted_proxies:
        said = (first(headers, b"x-forwarded-for") or b"").decode("latin-1")
        hops = [hop.strip() for hop in said.split(",") if hop.strip()]
        if len(hops) >= trusted_proxies:
            return hops[-trusted_proxies][:64]
    client = scope.get("client")
    return client[0] if client else "local"
