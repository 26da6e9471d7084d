"""One service of Meridian alone with a bus, so that a test can say anything that the others might say, in any order."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from reference_impl.shared import auth, problems, routes
from reference_impl.shared.auth import Verifier
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.cache import open_cache
from reference_impl.shared.events import Event, new_id, now
from reference_impl.shared.faults import Faults
from reference_impl.shared.jwks import KeyRing
from reference_impl.shared.peers import Loopback
from reference_impl.shared.runtime import Context, Runtime, Service
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry
from tests.unit.reference_impl.conftest import AppTransport
from tests.unit.reference_impl.tokens import Published, Signer


class Lone:
    """A service without its neighbours. Nothing happens in the background: `settle` and `tick` do the work there is."""

    def __init__(self, name: str, data: Path, database_url: str = "", **settings: Any) -> None:
        self.name = name
        self.faults = Faults(1)
        self.bus = InProcessBus(data)
        self.signer = Signer()
        self.stopping = threading.Event()
        context = Context(
            settings=Settings(data=data, database_url=database_url, seed=1, **settings),
            bus=self.bus,
            cache=open_cache(""),
            faults=self.faults,
            stopping=self.stopping,
            peers=Loopback(),
        )
        self.service: Service = registry.entry(name).builder()(context)
        self.runtime = Runtime([self.service], self.bus, self.stopping)
        app = FastAPI()
        routes.install(app, self.service.router)
        problems.install(app)
        auth.install(app, Verifier(KeyRing(Published(self.signer))), trust_network=True)
        self.http = httpx.Client(transport=AppTransport(app), base_url="http://meridian")

    def say(self, kind: str, key: str, event_id: str | None = None, **payload: Any) -> Event:
        """Let somebody publish an event of this type."""
        event = Event(
            id=event_id or new_id(),
            type=kind,
            version=1,
            source="test",
            key=key,
            sequence=1,
            occurred_at=now(),
            correlation_id=new_id(),
            causation_id=None,
            payload=payload,
        )
        self.bus.publish([event])
        return event

    def settle(self) -> None:
        """Handle what was said, and publish what the service has to say."""
        self.runtime.settle()

    def tick(self) -> None:
        """Let every chore run once, and publish what came of it."""
        for chore in self.service.chores:
            chore.run()
        self.settle()

    def said(self) -> list[Event]:
        """What the service itself has published."""
        return [entry.event for entry in self.bus.read(0, 5_000) if entry.event.source == self.name]

    def heard(self) -> list[str]:
        """The types of what it has published."""
        return [event.type for event in self.said()]

    def parked(self) -> int:
        """How many events it gave up on."""
        assert self.service.consumer is not None
        return len(self.service.consumer.parked(100))

    def as_user(self, subject: str, *roles: str) -> dict[str, str]:
        """The headers of somebody who is signed in."""
        return {"Authorization": f"Bearer {self.signer.token(sub=subject, roles=list(roles or ['customer']))}"}

    def close(self) -> None:
        self.http.close()
        self.runtime.stop()
