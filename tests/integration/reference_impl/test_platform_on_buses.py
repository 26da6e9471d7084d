"""The whole platform on each bus: orders are confirmed or cancelled, and its books are clean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reference_impl.verify import verify
from tests.contract.reference_impl.buses import SOURCES, Ground, Kafka, SnsSqs
from tests.unit.reference_impl.conftest import open_shop

SERVICES = ("user", "product", "inventory", "order", "payment", "shipping", "notification", "gateway")
PATIENCE_SECONDS = 60
END_SECONDS = 180.0
"""More than once what a broker waits for who has a message: one that got lost comes again after that."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(params=["kafka", pytest.param("sns-sqs", marks=pytest.mark.cloud)])
def ground(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A broker for a platform."""
    monkeypatch.setattr("tests.contract.reference_impl.buses.SOURCES", (*SOURCES, *SERVICES))
    monkeypatch.setattr("tests.contract.reference_impl.buses.GROUPS", SERVICES)
    made: Ground = Kafka() if request.param == "kafka" else SnsSqs(monkeypatch)
    made.timeout_seconds, made.visibility_seconds = (
        PATIENCE_SECONDS / 2,
        PATIENCE_SECONDS,
    )  # however busy the machine
    yield made
    made.close()


def test_checkouts_end_with_clean_books(ground: Ground, tmp_path: Path) -> None:
    bus = ground.open()
    faults = "events.duplicate=0.3,events.reorder=0.3"
    # However long it takes: no order is cancelled because inventory has not answered yet, none that is confirmed is sent.
    clocks = {"payment_window": 0, "pending_timeout": 3600, "sections": {"shipping_pack_seconds": "3600"}}
    shop = open_shop(bus, data=tmp_path / "data", faults=faults, **clocks)
    runtime = shop.built.runtime
    try:
        shop.stock("A", 4)
        runtime.start()
        orders = [shop.place({"A": 1}, card) for card in ("tok_visa", "tok_declined") * 3]
        orders.append(shop.place({"A": 99}))
        until(
            lambda: {shop.status(order) for order in orders} <= {"confirmed", "cancelled"},
            lambda: [shop.status(order) for order in orders],
        )
        verdict = verify(shop.http, settle_seconds=END_SECONDS)
        assert verdict.clean, verdict.violations
        assert shop.counters("A")[2] >= 1
        lags = [service.name for service in runtime.services if service.consumer]
        until(lambda: not any(map(bus.lag, lags)), lambda: {name: bus.lag(name) for name in lags})
    finally:
        shop.close()


def until(done: Callable[[], bool], state: Callable[[], object]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not done():
        assert time.monotonic() < deadline, state()
        time.sleep(0.1)
