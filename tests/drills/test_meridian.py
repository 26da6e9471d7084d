"""A service of Meridian is killed while customers order: it comes back, no order that was taken is lost, and the books are clean.

Three short rounds here; `make drills` plays twenty, each service at least once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from reference_impl import seeding
from reference_impl import verify as verifying
from reference_impl.client import Place, connect, reach
from reference_impl.loadtest import outcome
from reference_impl.loadtest.generator import Generator, Plan
from reference_impl.loadtest.record import Record
from reference_impl.loadtest.run import sign_in
from reference_impl.loadtest.shoppers import BUYING, Customer, Shoppers
from reference_impl.seeding import catalogue
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry
from reference_impl.verify_databases import Databases
from tests.fixtures.meridian import Platform, eventually
from tests.integration.reference_impl.conftest import START_SECONDS, patient_platform

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.timeout(1500),
    pytest.mark.xdist_group("meridian drills"),
]

ROUNDS = int(os.environ.get("MERIDIAN_DRILL_ROUNDS", "3"))
DICE = random.Random(int(os.environ.get("MERIDIAN_DRILL_SEED", "7")))
CUSTOMERS = 6
RATE = 25.0
LOAD_SECONDS = 4.0
CLEAN_SECONDS = 120.0
SIZE = seeding.Size(products=60, vendors=1, customers=CUSTOMERS)


def victims() -> list[str]:
    """Who is killed in which round. The first three are those that a checkout needs most; then everybody in turn, shuffled."""
    chosen = ["order", "inventory", "payment"]
    everybody = [entry.name for entry in registry.entries()]
    others = [name for name in everybody if name not in chosen]
    chosen += DICE.sample(others, len(others))
    while len(chosen) < ROUNDS:
        chosen += DICE.sample(everybody, len(everybody))
    return chosen[:ROUNDS]


@dataclass
class Ground:
    """A platform with customers who are signed in."""

    platform: Platform
    place: Place
    client: httpx.Client
    customers: list[Customer]
    skus: list[str]

    def stay_signed_in(self) -> None:
        """Have tokens that last for a round."""
        if self.customers[0].expires - time.monotonic() < 120:
            self.customers[:] = sign_in(self.client, CUSTOMERS, lambda _line: None)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with patient_platform() as platform:
        settings = Settings(data=platform.data)
        with connect(settings) as client:
            seeding.seed(client, SIZE)
            # Many of each, or a few rounds would sell out what is popular, and there would be nothing to confirm.
            skus = [item.sku for item in catalogue.items(SIZE.products, 1)]
            lines = [{"sku": sku, "quantity": 10_000} for sku in skus]
            client.post("/inventory/receipts", json={"lines": lines}).raise_for_status()
            customers = sign_in(client, CUSTOMERS, lambda _line: None)
            yield Ground(platform, reach(settings), client, customers, skus)


class Load(threading.Thread):
    """Customers who order, beside a test."""

    def __init__(self, ground: Ground, seconds: float, number: int) -> None:
        super().__init__(daemon=True)
        self.record = Record()
        shoppers = Shoppers(ground.skus, BUYING, random.Random(number))
        address = ground.place.processes["gateway"]
        self._generator = Generator(address, None, ground.customers, shoppers, self.record)
        self._plan = Plan(seconds, RATE)

    def run(self) -> None:
        async def not_needed(_customer: Customer) -> None:
            """They have been signed in just before."""

        asyncio.run(self._generator.run(self._plan, not_needed, lambda _line: None))


@pytest.mark.parametrize(("number", "victim"), list(enumerate(victims())))
def test_a_service_killed_under_load_leaves_clean_books(
    ground: Ground, number: int, victim: str, record_property: Any
) -> None:
    platform, client = ground.platform, ground.client
    before = platform.status()[victim]
    newest = outcome.newest(client)
    ground.stay_signed_in()
    load = Load(ground, LOAD_SECONDS, number)
    load.start()
    time.sleep(1 + DICE.random())
    os.kill(before["pid"], signal.SIGKILL)
    killed = time.monotonic()

    def back() -> bool:
        now = platform.status()[victim]
        return bool(now["state"] == "ready" and now["pid"] != before["pid"])

    eventually(back, f"{victim} is back")
    returned = time.monotonic() - killed
    load.join(120)
    assert not load.is_alive()
    began = time.monotonic()
    verdict = verifying.verify(
        client,
        settle_seconds=CLEAN_SECONDS,
        processes=ground.place.bases(),
        databases=Databases.of(Settings(data=platform.data)),
    )
    clean = time.monotonic() - began
    placed = load.record.placed
    # The books are clean while a payment is asked for again; every order comes to its end in the same time all the same.
    found = outcome.follow(client, placed, newest, patience=CLEAN_SECONDS)
    errors = sum(load.record.errors.values())
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    print(
        f"\n{victim}: back after {returned:.1f} s, clean {clean:.1f} s after the load; {load.record.count} requests, "
        f"{errors} errors, {len(placed)} orders placed: {states or 'none'}"
    )
    record_property("clean_seconds", round(clean, 1))
    assert verdict.violations == []
    assert (found.missing, found.unfinished) == (0, 0)
    troubles: list[str] = []
    deadline = time.monotonic() + START_SECONDS
    while not undisturbed(ground, number, troubles):
        assert time.monotonic() < deadline, f"requests are still not answered as before: {troubles}"


def undisturbed(ground: Ground, number: int, troubles: list[str]) -> bool:
    """Whether all goes well for who comes now; the gateway's breakers take their time to believe it."""
    ground.stay_signed_in()
    load = Load(ground, 1.0, number)
    load.start()
    load.join(120)
    troubles[:] = [f"{count} × {action}: {kind}" for (action, kind), count in load.record.errors.items()]
    return bool(load.record.placed) and not load.record.errors
