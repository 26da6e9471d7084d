"""Every service in one process: SQLite files, the in-process bus, one ASGI application."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fastapi import FastAPI

from reference_impl.shared.bus import EventBus
from reference_impl.shared.buses import open_bus
from reference_impl.shared.buses.faulty import FaultyBus
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.cache import open_cache
from reference_impl.shared.faults import Faults
from reference_impl.shared.feed import Feed
from reference_impl.shared.peers import Loopback
from reference_impl.shared.runtime import Context, Runtime
from reference_impl.shared.settings import BusKind, Settings
from reference_impl.topologies import registry
from reference_impl.topologies.application import application

NAME = "monolith"


@dataclass(frozen=True)
class Monolith:
    """The application and what runs behind it."""

    app: FastAPI
    runtime: Runtime
    feed: Feed
    faults: Faults


def build(settings: Settings, bus: EventBus | None = None) -> Monolith:
    """Put the services together. Their background work starts and stops with the application's lifespan.

    Another bus for the services may be given, or named by the settings; the event feed then stays empty, because it reads
    the log of the in-process one.
    """
    flags = Faults(settings.seed)
    flags.set_from(settings.faults)
    stopping = threading.Event()
    log = InProcessBus(settings.data)
    if bus is None:
        bus = (
            log
            if settings.bus is BusKind.IN_PROCESS
            else open_bus(settings, [entry.name for entry in registry.entries()])
        )
    bus = FaultyBus(bus, flags, settings.data)
    peers = Loopback(settings.patience)
    cache = open_cache(settings.redis_url)
    context = Context(settings=settings, bus=bus, cache=cache, faults=flags, stopping=stopping, peers=peers)
    services = [entry.builder()(context) for entry in registry.entries()]
    runtime = Runtime(services, bus, stopping)
    feed = Feed(log, [service.consumer for service in services if service.consumer is not None])
    app = application(context, runtime, title="Meridian", more=[feed.router()], at_end=[cache.close])
    peers.connect(app)
    return Monolith(app, runtime, feed, flags)
