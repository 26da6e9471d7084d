"""The whole platform on each bus: orders are confirmed or cancelled, and its books are clean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference_impl.verify import verify
from tests.contract.reference_impl.buses import SOURCES, Ground, Kafka, SnsSqs
from tests.unit.reference_impl.conftest import open_shop

SERVICES = ("user", "product", "inventory", "order", "payment", "shipping", "notification", "gateway")
PATIENCE_SECONDS = 60


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
    shop = open_shop(bus, data=tmp_path / "data", payment_window=0, faults=faults)
    runtime = shop.built.runtime
    try:
        shop.stock("A", 4)
        runtime.start()
        orders = [shop.place({"A": 1}, card) for card in ("tok_visa", "tok_declined") * 3]
        orders.append(shop.place({"A": 99}))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while {shop.status(order) for order in orders} - {"confirmed", "cancelled"}:
            assert time.monotonic() < deadline, [shop.status(order) for order in orders]
            time.sleep(0.1)
        verdict = verify(shop.http, settle_seconds=PATIENCE_SECONDS)
        assert verdict.clean, verdict.violations
        assert shop.counters("A")[2] >= 1
        while lag := sum(bus.lag(service.name) for service in runtime.services if service.consumer):
            assert time.monotonic() < deadline, f"{lag} deliveries are left"
            time.sleep(0.1)
    finally:
        shop.close()
