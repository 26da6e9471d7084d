"""The ASGI application of one process: the routes of its services and what every process has besides."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from reference_impl.shared import auth, dead_letters, health, openapi, problems, routes, scrape
from reference_impl.shared import faults as fault_flags
from reference_impl.shared.auth import Verifier
from reference_impl.shared.deadline import Deadlines
from reference_impl.shared.http import BoundedBodies, Observed
from reference_impl.shared.process_faults import Leaking, ProcessFaults
from reference_impl.shared.runtime import Context, Runtime
from reference_impl.topologies import registry

SUMMARY = "A small commerce platform: products, inventory, orders, payments."


def application(
    context: Context,
    runtime: Runtime,
    *,
    title: str,
    summary: str = SUMMARY,
    more: Sequence[APIRouter] = (),
    at_end: Sequence[Callable[[], object]] = (),
) -> FastAPI:
    """Put a process together. The background work starts and stops with the application's lifespan; then `at_end` is called."""

    faulty = ProcessFaults(
        context.faults, [service.database for service in runtime.services if service.database is not None]
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        runtime.start()
        threading.Thread(
            target=faulty.run, args=(context.stopping,), name="process faults", daemon=True
        ).start()
        try:
            yield
        finally:
            runtime.stop()
            for close in at_end:
                close()
            await context.peers.close()

    app = FastAPI(
        title=title,
        version="0.1.0",
        summary=summary,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # The framework's own, which would count and trace a second time; ours goes over the bus, too.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    consumers = [service.consumer for service in runtime.services if service.consumer is not None]
    routes.install(
        app,
        *(service.router for service in runtime.services),
        *more,
        dead_letters.router(consumers),
        fault_flags.router(context.faults),
        health.router(runtime.inspect, context.faults),
        scrape.router(runtime.services, context.bus),
    )
    problems.install(app)
    openapi.install(app)
    auth.install(app, Verifier.asking(context.peers), trust_network=context.settings.trust_network)
    app.add_middleware(Leaking, faults=context.faults)
    app.add_middleware(BoundedBodies)
    app.add_middleware(Deadlines)
    names = {service.name for service in runtime.services}
    owners = {path: entry.name for entry in registry.entries() if entry.name in names for path in entry.paths}
    app.add_middleware(Observed, owners=owners)
    return app
