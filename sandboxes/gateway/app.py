"""The gateway's application: every request to the sandbox origin comes through here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiohttp import web

from sandboxes.gateway import bridge, headers, http_proxy, pages, websocket_proxy
from sandboxes.gateway.frontend import PREFIX, Frontend
from sandboxes.gateway.redaction import redact
from sandboxes.gateway.route_table import Route, RouteTable, parse
from sandboxes.gateway.upstream import SandboxBusyError, SandboxUnreachableError, UpstreamPool

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset(("GET", "HEAD"))
METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
SWEEP_SECONDS = 60.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


class Gateway:
    """Decides on each request: whose it is, whether it may, and how it is passed on."""

    def __init__(self, run_dir: Path, portal_origin: str, public_origin: str | None) -> None:
        self._run_dir = run_dir
        self._portal_origin = portal_origin
        self._public_origin = public_origin
        self._routes = RouteTable(run_dir)
        self._frontend = Frontend(portal_origin)
        self._pool = UpstreamPool()

    async def health(self, request: web.Request) -> web.Response:
        """200 while the run directory can be read, else 503."""
        ready = await asyncio.to_thread(self._run_dir.is_dir)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": "ok" if ready else "the run directory is not there"}, status=status)

    async def bridge_script(self, request: web.Request) -> web.Response:
        """The bridge."""
        return bridge.serve(request)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """One file of Jupyter's front end."""
        try:
            return await self._frontend.serve(request)
        except web.HTTPNotFound:
            return self._refuse(request, pages.NOT_FOUND)

    async def sandbox(self, request: web.Request) -> web.StreamResponse:
        """Everything else: a sandbox's page, file, call or WebSocket, or a refusal."""
        address = parse(request.raw_path)
        route = self._routes.find(address) if address else None
        if address is None or route is None:
            return self._refuse(request, pages.NOT_FOUND)
        if request.method not in METHODS:
            return self._refuse(request, pages.METHOD)
        if not self._may(request):
            return self._refuse(request, pages.FOREIGN)
        if not address.rest.startswith("/"):
            raise web.HTTPFound(address.base + address.rest)
        try:
            upstream = await self._pool.get(route)
            with upstream.use() as session:
                if websocket_proxy.wanted(request):
                    return await websocket_proxy.forward(request, session)
                return await http_proxy.forward(request, address, session, self._frontend)
        except http_proxy.BodyTooLargeError:
            return self._refuse(request, pages.TOO_LARGE)
        except SandboxBusyError:
            return self._refuse(request, pages.BUSY, route)
        except TimeoutError:
            return self._refuse(request, pages.TOO_SLOW, route)
        except aiohttp.WSServerHandshakeError as error:
            problem = pages.NOT_FOUND if error.status == HTTPStatus.NOT_FOUND else pages.UNREACHABLE
            return self._refuse(request, problem, route)
        except (SandboxUnreachableError, aiohttp.ClientError, OSError) as error:
            log.info("sandbox %s does not answer: %s", route.sandbox_id, type(error).__name__)
            return self._refuse(request, pages.UNREACHABLE)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Called for every answer just before it is sent."""
        headers.add_own(response.headers, self._portal_origin)

    async def lifetime(self, app: web.Application) -> AsyncIterator[None]:
        """Drop connections to sandboxes that have ended, now and then; at the end all of them."""
        sweeper = asyncio.create_task(self._sweep())
        yield
        sweeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sweeper
        await self._pool.close()

    def _may(self, request: web.Request) -> bool:
        """Whether the browser says that the gateway's own page asks, for whatever could change something.

        A service worker would sit between the browser and every sandbox on this origin, so none is ever served.
        """
        if "Service-Worker" in request.headers:
            return False
        if request.method in SAFE_METHODS and not websocket_proxy.wanted(request):
            return True
        origins = request.headers.getall("Origin", [])
        return headers.own_origin(origins, request.scheme, request.host, self._public_origin)

    def _refuse(self, request: web.Request, problem: pages.Problem, route: Route | None = None) -> web.Response:
        if route is not None:
            log.warning("sandbox %s: %s", route.sandbox_id, problem.title)
        return pages.answer(request, problem, self._portal_origin)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await self._pool.sweep()


@web.middleware
async def last_resort(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A bug answers 500 without a word of detail, and its log has no token in it."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        log.error("a request failed: %s", redact(traceback.format_exc()))
        raise web.HTTPInternalServerError(
            text="The gateway failed. Reload the page; if it happens again, tell us."
        ) from None


def create_gateway(run_dir: Path, portal_origin: str, public_origin: str | None = None) -> web.Application:
    """The gateway for one run directory.

    `portal_origin` (`scheme://host:port`) is the only one that may frame a sandbox and speak to its bridge.
    `public_origin` is the gateway's own address where a proxy that ends TLS stands before it; without it, it is
    what the Host header says.
    """
    for origin in (portal_origin, *([public_origin] if public_origin else [])):
        if not ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is not an origin: write scheme://host:port, without a path")
    gateway = Gateway(run_dir, portal_origin, public_origin)
    app = web.Application(middlewares=[last_resort], client_max_size=http_proxy.MAX_BODY_BYTES)
    app.router.add_get("/healthz", gateway.health)
    app.router.add_get(bridge.PATH, gateway.bridge_script)
    app.router.add_get(PREFIX + "{asset:.*}", gateway.asset)
    app.router.add_route("*", "/{path:.*}", gateway.sandbox)
    app.on_response_prepare.append(gateway.add_headers)
    app.cleanup_ctx.append(gateway.lifetime)
    return app
