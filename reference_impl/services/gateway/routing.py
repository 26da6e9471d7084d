"""The routing table: which public path leads to which service, and who may take it. What is not listed does not exist.

It is Python and not YAML: a misspelt field does not start, and a reader's editor leads from a transformation's name to its code.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reference_impl.services.gateway.transforms import LEGACY_CHECKOUT, Transform
from reference_impl.shared.auth import Role

PREFIX = "/api"
PLACES = {"{sku}": r"[A-Z0-9][A-Z0-9-]{0,31}", "{id}": r"[0-9a-f]{32}"}
"""What may stand for a placeholder."""


class Access(StrEnum):
    """Who may take a route, before the service itself decides on what belongs to whom."""

    PUBLIC = "public"
    SIGNED_IN = "signed-in"


@dataclass(frozen=True)
class Route:
    """One public route."""

    methods: str
    """Separated by spaces."""
    path: str
    """Behind `/api/<version>`, with the placeholders {sku} and {id}."""
    service: str
    target: str
    """What stands in front of `path` at the service, e.g. `/v1` or nothing."""
    version: str = "v1"
    access: Access = Access.SIGNED_IN
    roles: tuple[str, ...] = ()
    """One of them is needed; none: any."""
    scope: str = ""
    """What an API key must have been made for; empty: no API key may."""
    timeout_seconds: float = 2.0
    """For the whole request, retries included."""
    strict: bool = False
    """Counted against the low limit per address besides: what one could guess or flood with."""
    cache_seconds: float | None = None
    """For a GET that may be cached: how long it is fresh when the service does not say."""
    transform: Transform | None = None
    name: str = field(init=False)
    """For metrics."""
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        expression = re.escape(self.path)
        for place, allowed in PLACES.items():
            expression = expression.replace(re.escape(place), allowed)
        object.__setattr__(self, "name", f"{self.version}{self.path}")
        object.__setattr__(self, "pattern", re.compile(expression))


_PUBLIC = Access.PUBLIC
_VENDOR, _ADMIN = (Role.VENDOR.value,), (Role.ADMIN.value,)


_CATALOGUE_WRITE = "catalogue:write"


def _catalogue(version: str) -> list[Route]:
    """What both versions of the catalogue have."""
    target = f"/{version}"
    return [
        Route("GET HEAD", "/products", "product", target, version, _PUBLIC, cache_seconds=5.0),
        Route("GET HEAD", "/products/{sku}", "product", target, version, _PUBLIC, cache_seconds=5.0),
        Route("POST", "/products", "product", target, version, roles=_VENDOR, scope=_CATALOGUE_WRITE),
    ]


READ, WRITE = "orders:read", "orders:write"
TABLE: tuple[Route, ...] = (
    *_catalogue("v1"),
    *_catalogue("v2"),
    Route("PATCH DELETE", "/products/{sku}", "product", "/v2", "v2", roles=_VENDOR, scope=_CATALOGUE_WRITE),
    Route("GET HEAD", "/categories", "product", "/v2", "v2", _PUBLIC, cache_seconds=60.0),
    Route("POST", "/categories", "product", "/v2", "v2", roles=_ADMIN),
    Route("GET", "/inventory/{sku}", "inventory", "", access=_PUBLIC),
    # The inventory service does not know which vendor owns a SKU: stock is changed by administrators.
    Route("POST", "/inventory/{sku}/receipts", "inventory", "", roles=_ADMIN),
    Route("POST", "/inventory/{sku}/adjustments", "inventory", "", roles=_ADMIN),
    Route("POST", "/orders", "order", "", scope=WRITE, timeout_seconds=5.0, transform=LEGACY_CHECKOUT),
    Route("GET", "/orders", "order", "", scope=READ),
    Route("GET", "/orders/history", "order", "", scope=READ),
    Route("GET", "/orders/{id}", "order", "", scope=READ),
    Route("GET", "/orders/{id}/events", "order", "", scope=READ),
    Route("POST", "/orders/{id}/payment", "order", "", scope=WRITE, timeout_seconds=5.0),
    Route("POST", "/orders/{id}/cancellation", "order", "", scope=WRITE, timeout_seconds=5.0),
    Route("GET", "/payments", "payment", "", roles=_ADMIN),
    Route("GET", "/shipments", "shipping", "", scope=READ),
    Route("GET", "/shipments/{id}", "shipping", "", scope=READ),
    Route("GET", "/shipments/{id}/tracking", "shipping", "", scope=READ),
    Route("GET PUT", "/preferences/{id}", "notification", ""),
    Route("GET", "/notifications", "notification", ""),
    Route("POST", "/users", "user", "", access=_PUBLIC, strict=True, timeout_seconds=5.0),
    Route("GET", "/users", "user", "", roles=_ADMIN),
    Route("GET", "/users/me", "user", ""),
    Route("GET", "/users/{id}", "user", ""),
    Route("PUT", "/users/{id}/roles", "user", "", roles=_ADMIN),
    Route("POST", "/auth/token", "user", "", access=_PUBLIC, strict=True, timeout_seconds=5.0),
    Route("POST", "/auth/sign-out", "user", "", access=_PUBLIC, strict=True),
    Route("POST", "/auth/password-resets", "user", "", access=_PUBLIC, strict=True),
    Route(
        "POST", "/auth/password-resets/confirm", "user", "", access=_PUBLIC, strict=True, timeout_seconds=5.0
    ),
    Route("GET", "/auth/jwks.json", "user", "", access=_PUBLIC, cache_seconds=30.0),
    Route("GET DELETE", "/auth/sessions", "user", ""),
    Route("DELETE", "/auth/sessions/{id}", "user", ""),
    Route("POST", "/auth/signing-keys/rotation", "user", "", roles=_ADMIN),
    Route("GET POST", "/api-keys", "user", ""),
    Route("DELETE", "/api-keys/{id}", "user", ""),
    Route("PUT", "/api-keys/{id}/plan", "user", "", roles=_ADMIN),
    # Put together here, by `pages`.
    Route("GET", "/pages/product/{sku}", "gateway", "", access=_PUBLIC),
    Route("GET", "/pages/order/{id}", "gateway", "", scope=READ),
)


@dataclass(frozen=True)
class Match:
    """What a request asks for."""

    route: Route | None
    path: str
    """Behind `/api/<version>`, still encoded."""
    allowed: tuple[str, ...] = ()
    """Without a route: the methods that the path would take; none when there is no such path."""


class Table:
    """The routes by their version and first word, so that a request is compared with a few only."""

    def __init__(self, routes: Sequence[Route] = TABLE) -> None:
        self._routes: dict[tuple[str, str], list[Route]] = defaultdict(list)
        for route in routes:
            self._routes[route.version, route.path.split("/", 2)[1]].append(route)

    def find(self, method: str, path: str) -> Match:
        """The route of a path, which begins with `/api/`. An encoded path is not decoded: no route has such characters."""
        _, _, version, *words = path.split("/", 4)
        if not words:
            return Match(None, "")
        rest = "/" + "/".join(words)
        allowed: list[str] = []
        for route in self._routes.get((version, words[0]), ()):
            if route.pattern.fullmatch(rest):
                methods = route.methods.split()
                if method in methods:
                    return Match(route, rest)
                allowed += methods
        return Match(None, rest, tuple(dict.fromkeys(allowed)))
