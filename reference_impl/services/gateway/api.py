"""How the gateway is built: one ASGI application below `/api`."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.routing import Route

from reference_impl.services.gateway.callers import Callers
from reference_impl.services.gateway.guards import Guards
from reference_impl.services.gateway.limits_redis import open_limiter
from reference_impl.services.gateway.proxy import Proxy
from reference_impl.services.gateway.response_cache import ResponseCache
from reference_impl.services.gateway.routing import PREFIX, Table
from reference_impl.services.gateway.settings import GatewaySettings
from reference_impl.services.gateway.upstreams import Upstreams
from reference_impl.shared.auth import Verifier
from reference_impl.shared.runtime import Context, Service

NAME = "gateway"


def build(context: Context) -> Service:
    """The gateway. It has no database and reads no events."""
    settings = GatewaySettings.of(context.settings)
    proxy = Proxy(
        Table(),
        Guards(settings, open_limiter(context.settings.redis_url)),
        Callers(Verifier.asking(context.peers), context.peers, settings.api_key_seconds),
        Upstreams(context.peers, settings, context.faults),
        ResponseCache(settings.cache_bytes),
        context.settings.patience,
    )
    routes = APIRouter()
    routes.routes.append(Route(PREFIX + "/{path:path}", proxy, include_in_schema=False))
    return Service(NAME, routes)
