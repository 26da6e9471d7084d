"""Every service in one process: SQLite files, the in-process bus, one ASGI application."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from reference_impl.services import inventory, order, payment, product
from reference_impl.shared import auth, health, problems
from reference_impl.shared import faults as fault_flags
from reference_impl.shared.auth import Verifier
from reference_impl.shared.bus import EventBus, InProcessBus
from reference_impl.shared.cache import open_cache
from reference_impl.shared.faults import Faults
from reference_impl.shared.feed import Feed
from reference_impl.shared.http import BoundedBodies, Correlated
from reference_impl.shared.peers import Loopback
from reference_impl.shared.runtime import Context, Runtime
from reference_impl.shared.settings import Settings

NAME = "monolith"
BUILDERS = (product.build, inventory.build, order.build, payment.build)


@dataclass(frozen=True)
class Monolith:
    """The application and what runs behind it."""

    app: FastAPI
    runtime: Runtime
    feed: Feed
    faults: Faults


def build(settings: Settings, bus: EventBus | None = None) -> Monolith:
    """Put the services together. Their background work starts and stops with the application's lifespan.

    Another bus for the services may be given; the event feed then stays empty, because it reads the log of the in-process one.
    """
    flags = Faults(settings.seed)
    flags.set_from(settings.faults)
    stopping = threading.Event()
    log = InProcessBus(settings.data, flags)
    bus = bus or log
    peers = Loopback()
    cache = open_cache(settings.redis_url)
    context = Context(settings=settings, bus=bus, cache=cache, faults=flags, stopping=stopping, peers=peers)
    services = [build_service(context) for build_service in BUILDERS]
    runtime = Runtime(services, bus, stopping)
    feed = Feed(log, bus)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        runtime.start()
        try:
            yield
        finally:
            runtime.stop()
            cache.close()

    app = FastAPI(
        title="Meridian",
        version="0.1.0",
        summary="A small commerce platform: products, inventory, orders, payments.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    for service in services:
        app.include_router(service.router)
    app.include_router(feed.router())
    app.include_router(fault_flags.router(flags))
    app.include_router(health.router(runtime.inspect))
    problems.install(app)
    auth.install(app, Verifier.asking(peers), trust_network=settings.trust_network)
    app.add_middleware(BoundedBodies)
    app.add_middleware(Correlated)
    peers.connect(app)
    return Monolith(app, runtime, feed, flags)
