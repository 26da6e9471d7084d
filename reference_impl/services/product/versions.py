"""Two versions of one API side by side, and how a client learns that it uses the old one.

The version stands in the address (`/v1/products`, `/v2/products`). `/products` is v1, unless the client accepts
`application/vnd.meridian.v2+json`: then it is v2. Answers of v1 say since when it is deprecated (RFC 9745), when it will be gone
(RFC 8594) and where its successor is (RFC 8288).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import Match
from starlette.types import Scope

from reference_impl.services.product.metrics import REQUESTS
from reference_impl.services.product.settings import ProductSettings

V2_MEDIA_TYPE = "application/vnd.meridian.v2+json"


class V2Json(JSONResponse):
    """JSON under the name that was asked for."""

    media_type = V2_MEDIA_TYPE


class AcceptsV2(APIRoute):
    """A route that is only there for a client that accepts v2; for others the search for a route goes on."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        accepted = Headers(scope=scope).get("accept", "") if scope["type"] == "http" else ""
        offers = [offer.partition(";")[0].strip().lower() for offer in accepted.split(",")]
        return super().matches(scope) if V2_MEDIA_TYPE in offers else (Match.NONE, {})


def deprecated(settings: ProductSettings) -> Callable[..., Any]:
    """A dependency of every route of v1: counts its use and says in the headers that it ends."""
    since = f"@{int(settings.v1_deprecated_at.timestamp())}"
    sunset = format_datetime(settings.v1_sunset_at.astimezone(UTC), usegmt=True)

    async def tell(request: Request, response: Response) -> None:
        REQUESTS.labels("v1").inc()
        path = quote(request.url.path)  # as it may stand in a header, whatever was asked for
        successor = "/v2" + (path[len("/v1") :] if path.startswith("/v1/") else path)
        response.headers["Deprecation"] = since
        response.headers["Sunset"] = sunset
        response.headers["Link"] = f'<{successor}>; rel="successor-version"'
        response.headers["Vary"] = "Accept"

    return tell


async def current(response: Response) -> None:
    """A dependency of every route of v2."""
    REQUESTS.labels("v2").inc()
    response.headers["Vary"] = "Accept"
