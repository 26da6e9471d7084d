"""The three services of a checkout without the rest, on any bus, with a catalogue and a shipping service that are pretended.

It can be killed at any commit, before or after it, and started again on the same data: what a process loses when it dies is lost.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from reference_impl.services import inventory, order, payment
from reference_impl.services.order import building
from reference_impl.services.order.models import Order, Saga
from reference_impl.services.payment import service as payment_service
from reference_impl.services.payment.gateway.tables import GatewayCharge, GatewayNotice
from reference_impl.services.payment.models import Payment
from reference_impl.shared.bus import EventBus
from reference_impl.shared.cache import open_cache
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, new_id, now
from reference_impl.shared.faults import Faults
from reference_impl.shared.peers import Peers
from reference_impl.shared.runtime import Context, Runtime
from reference_impl.shared.settings import Saga as Variant
from reference_impl.shared.settings import Settings
from reference_impl.topologies.application import application
from tests.unit.reference_impl.conftest import Shop

PRICE_CENTS = 100


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class FewPeers(Peers):
    """A catalogue in which everything costs the same, and the application itself for whatever else is asked."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    def address(self, service: str) -> str:
        return f"http://{service}"

    async def send(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "product":
            assert self.app is not None
            return await httpx.ASGITransport(app=self.app).handle_async_request(request)
        skus = request.url.params["skus"].split(",")
        products = [{"sku": sku, "unit_price_cents": PRICE_CENTS, "currency": "EUR"} for sku in skus]
        return httpx.Response(200, json={"products": products})


class PretendedShipping:
    """Acts as the contract of the shipping service says, and keeps what it did."""

    def __init__(self, bus: EventBus, variant: Variant) -> None:
        self._bus = bus
        self.takes_part = True
        self._begins = "CreateShipment" if variant is Variant.ORCHESTRATED else "OrderConfirmed"
        self.shipments: dict[str, str] = {}
        self._seen: set[str] = set()

    def run_once(self) -> int:
        """Handle what there is."""
        if not self.takes_part:
            return 0
        batch = self._bus.receive("shipping", limit=50, wait_seconds=0)
        for delivery in batch:
            if delivery.event.id not in self._seen:
                self._seen.add(delivery.event.id)
                self._handle(delivery.event)
        self._bus.acknowledge("shipping", batch)
        return len(batch)

    def dispatch(self, *, deliver: bool = False) -> None:
        """Send off every parcel that is packed."""
        for key, state in self.shipments.items():
            if state == "created":
                self.shipments[key] = "dispatched"
                self._say("ShipmentDispatched", key)
                if deliver:
                    self._say("ShipmentDelivered", key)

    def _handle(self, event: Event) -> None:
        if event.type == self._begins:
            if self.shipments.setdefault(event.key, "created") == "created":
                self._say("ShipmentCreated", event.key)
        elif event.type == "CancelShipment":
            if self.shipments.get(event.key) == "dispatched":
                self._say("ShipmentDispatched", event.key)
            else:
                self.shipments[event.key] = "cancelled"
                self._say("ShipmentCancelled", event.key)

    def _say(self, name: str, key: str) -> None:
        self._bus.publish(
            [
                Event(
                    id=new_id(), type=name, version=1, source="shipping", key=key, sequence=1, occurred_at=now(),
                    correlation_id="c", causation_id=None, payload={"order_id": key},
                )
            ]
        )  # fmt: skip


class Platform:
    """Inventory, order and payment in one process that can die."""

    def __init__(self, settings: Settings, bus: EventBus, seed: int = 1) -> None:
        self.settings = settings
        self.bus = bus
        self.faults = Faults(seed)
        self.shipping = PretendedShipping(bus, settings.saga)
        self.commits_left: int | None = None
        """Commits until the process dies; None: it lives."""
        self.killed_after_commit = False
        self.start()

    def start(self) -> None:
        """Begin, or begin again."""
        self.commits_left = None
        peers = FewPeers()
        stopping = threading.Event()
        context = Context(
            settings=self.settings,
            bus=self.bus,
            cache=open_cache(""),
            faults=self.faults,
            stopping=stopping,
            peers=peers,
        )
        services = [build(context) for build in (inventory.build, order.build, payment.build)]
        self.runtime = Runtime(services, self.bus, stopping)
        for service in services:
            assert service.database is not None
            self._make_mortal(service.database)
        app = application(context, self.runtime, title="Meridian")
        peers.app = app
        self.shop = Shop(SimpleNamespace(app=app, runtime=self.runtime, faults=self.faults))  # type: ignore[arg-type]

    def kill(self) -> None:
        """Let go of everything but the files and the bus."""
        self.shop.http.close()
        for service in self.runtime.services:
            assert service.database is not None
            service.database.close()

    def steps(self) -> list[Any]:
        """Every piece of background work, to be done in any order."""
        found: list[Any] = [self.shipping.run_once]
        for service in self.runtime.services:
            found += [step.run_once for step in (service.relay, service.consumer) if step is not None]
            found += [chore.run for chore in service.chores]
        return found

    def settle(self, *, rounds: int = 200) -> None:
        """Do all background work and let every clock strike, until nobody waits for anybody but customers."""
        for _ in range(rounds):
            self.runtime.settle()
            self.shipping.run_once()
            self.shop.expire()
            self.runtime.settle()
            busy = self.shipping.takes_part and self.bus.lag("shipping")
            if not busy and not self.waiting():
                return
            time.sleep(0.005)
        raise AssertionError(f"still waiting: {self.waiting()}")

    def waiting(self) -> list[Any]:
        """What is still under way: sagas, payments, webhooks."""
        with self._database("order").read() as session:
            under_way = Saga.deadline.is_not(None) & (Saga.step != "another_card")
            found: list[Any] = [(saga.order_id, saga.step) for saga in session.query(Saga).filter(under_way)]
            moving = Order.status.in_(("pending", "payment_pending", "cancelling"))
            found += [(row.id, row.status) for row in session.query(Order).filter(moving)]
        with self._database("payment").read() as session:
            asked = session.query(Payment).filter(Payment.ask_again_at.is_not(None))
            found += [(row.key, row.status) for row in asked]
            found += [notice.id for notice in session.query(GatewayNotice)]
        return found

    def charges(self) -> Counter[str]:
        """Order → how often the gateway has really taken money for it."""
        found: Counter[str] = Counter()
        with self._database("payment").read() as session:
            for charge in session.query(GatewayCharge):
                found[charge.key.partition(":")[0]] += charge.captures
        return found

    def _database(self, name: str) -> Database:
        found = next(service.database for service in self.runtime.services if service.name == name)
        assert found is not None
        return found

    def _make_mortal(self, database: Database) -> None:
        write = database.write

        @contextmanager
        def mortal() -> Iterator[Any]:
            with write() as session:
                yield session
                dying = self._dies()
                if dying and not self.killed_after_commit:
                    raise Killed
            if dying:
                raise Killed

        database.write = mortal  # type: ignore[method-assign]

    def _dies(self) -> bool:
        if self.commits_left is None:
            return False
        self.commits_left -= 1
        return self.commits_left <= 0


@contextmanager
def platform(
    directory: Path, variant: Variant, bus: EventBus, *, sections: dict[str, str] | None = None, **settings: Any
) -> Iterator[Platform]:
    """A platform whose clocks don't have to be waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payment_service, "PATIENCE", timedelta(0))
        patch.setattr(building, "QUIET", timedelta(0))
        own = {"payment_ask_again": "0.001"} | (sections or {})
        terms = {"shipping": False} | settings
        built = Platform(Settings(data=directory, saga=variant, sections=own, **terms), bus)
        try:
            yield built
        finally:
            built.kill()
