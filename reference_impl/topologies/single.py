"""One service in a process of its own: what the topology `services` and a container run."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fastapi import FastAPI

from reference_impl.shared.bus import EventBus
from reference_impl.shared.buses import open_bus
from reference_impl.shared.buses.faulty import FaultyBus
from reference_impl.shared.cache import open_cache
from reference_impl.shared.faults import Faults
from reference_impl.shared.peers import Network
from reference_impl.shared.runtime import Context, Runtime
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry
from reference_impl.topologies.application import application


@dataclass(frozen=True)
class Single:
    """The application and what runs behind it."""

    app: FastAPI
    runtime: Runtime
    faults: Faults


def build(settings: Settings, name: str, bus: EventBus | None = None) -> Single:
    """Put one service together; another bus may be given. Raises KeyError for an unknown name, SettingsError."""
    entry = registry.entry(name)
    flags = Faults(settings.seed)
    flags.set_from(settings.faults)
    bus = bus or open_bus(settings, [other.name for other in registry.entries()])
    bus = FaultyBus(bus, flags, settings.data, f"held-{name}")
    stopping = threading.Event()
    cache = open_cache(settings.redis_url)
    addresses = {other.name: other.address(settings) for other in registry.entries()}
    peers = Network(addresses, settings.patience)
    context = Context(settings=settings, bus=bus, cache=cache, faults=flags, stopping=stopping, peers=peers)
    runtime = Runtime([entry.builder()(context)], bus, stopping)
    app = application(
        context,
        runtime,
        title=f"Meridian {name}",
        summary=f"The {name} service of Meridian.",
        at_end=[cache.close],
    )
    return Single(app, runtime, flags)
