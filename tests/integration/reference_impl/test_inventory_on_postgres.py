"""The inventory service on PostgreSQL, where transactions really run side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from reference_impl.services.inventory.api import OUTBOX
from reference_impl.services.inventory.counters import Counters
from reference_impl.services.inventory.models import Stock
from reference_impl.services.inventory.reservations import Reservations
from reference_impl.services.inventory.service import InventoryService
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id
from reference_impl.shared.types import Line
from tests.unit.reference_impl.conftest import AppTransport, Shop

pytestmark = pytest.mark.postgres


@pytest.fixture
def shop(make_server_shop: Any) -> Shop:
    made: Shop = make_server_shop()
    made.stock("TEA", 10)
    made.stock("MUG", 1000)
    return made


@pytest.fixture
def database(shop: Shop) -> Database:
    found = next(part.database for part in shop.built.runtime.services if part.name == "inventory")
    assert found is not None
    return found


def test_a_crowd_never_buys_more_than_there_is(shop: Shop, database: Database) -> None:
    gate = threading.Barrier(8)

    def buy(number: int) -> None:
        gate.wait(60)
        # Half of them name the products the other way round: they must not wait for each other in a circle.
        lines = [Line(sku="TEA", quantity=1), Line(sku="MUG", quantity=1)][:: 1 if number % 2 else -1]
        for _ in range(5):
            with database.write() as session:
                Reservations(session, OUTBOX).reserve(new_id(), lines, None)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(buy, range(8)))
    assert (shop.counters("TEA"), shop.counters("MUG")) == ((0, 10, 0), (990, 10, 0))


def test_corrections_side_by_side_all_count(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either writes, once: the second has to begin again."""
    real, together = Counters.get, threading.Barrier(2)
    looks = threading.local()

    def look(self: Counters, sku: str) -> Stock:
        found = real(self, sku)
        looks.count = getattr(looks, "count", 0) + 1
        if looks.count == 2:  # the first look is whether there is such a stock at all
            together.wait(60)
        return found

    monkeypatch.setattr(Counters, "get", look)

    def find_some(units: int) -> None:
        with database.write() as session:
            InventoryService(session, OUTBOX).adjust(
                "TEA", available=units, reserved=0, reason="found", order_id=None
            )

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(find_some, (3, 4)))
    monkeypatch.undo()
    assert shop.counters("TEA") == (17, 0, 0)
    assert shop.http.get("/inventory/TEA").json()["version"] == 3


def test_a_release_and_a_correction_of_one_reservation_take_turns(shop: Shop, database: Database) -> None:
    """The correction has given back two of three while the release waits for the reservation: it gives back the third."""
    order = new_id()
    with database.write() as session:
        Reservations(session, OUTBOX).reserve(order, [Line(sku="TEA", quantity=3)], None)
        Reservations(session, OUTBOX).reserve(new_id(), [Line(sku="TEA", quantity=5)], None)

    def release() -> None:
        with database.write() as session:
            Reservations(session, OUTBOX).release(order)

    with ThreadPoolExecutor(1) as threads:
        with database.write() as session:
            InventoryService(session, OUTBOX).adjust(
                "TEA", available=2, reserved=-2, reason="payment declined", order_id=order
            )
            released = threads.submit(release)
            with pytest.raises(TimeoutError):
                released.result(0.3)
        released.result(60)
    assert shop.counters("TEA") == (5, 5, 0)
    assert shop.lines(order)[0]["outstanding"] == 0


def test_first_receipts_of_one_product_at_once_add_up(shop: Shop, database: Database) -> None:
    gate = threading.Barrier(4)

    def receive(_number: int) -> None:
        with database.write() as session:
            gate.wait(60)
            InventoryService(session, OUTBOX).receive("NEW", 5)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(receive, range(4)))
    assert shop.counters("NEW") == (20, 0, 0)


def test_one_key_sent_twice_at_once_takes_effect_once(shop: Shop) -> None:
    gate = threading.Barrier(4)

    def adjust(_number: int) -> int:
        with httpx.Client(transport=AppTransport(shop.built.app), base_url="http://meridian") as client:
            gate.wait(60)
            body = {"delta_available": 5, "reason": "found"}
            key = {"Idempotency-Key": "stocktake"}
            return client.post("/inventory/TEA/adjustments", json=body, headers=key).status_code

    with ThreadPoolExecutor(4) as threads:
        statuses = set(threads.map(adjust, range(4)))
    assert shop.counters("TEA") == (15, 0, 0)
    assert statuses <= {200, 409}
    assert 200 in statuses


def test_a_hot_row_makes_others_wait_for_their_turn(shop: Shop, database: Database) -> None:
    """What the fault `inventory.hot-row` does: who has the row sleeps, and who wants it waits that long."""
    held, done = threading.Event(), threading.Event()

    def reserve(while_locked: Callable[[], object] = lambda: None) -> None:
        with database.write() as session:
            reservations = Reservations(session, OUTBOX, while_locked=while_locked)
            reservations.reserve(new_id(), [Line(sku="TEA", quantity=1)], None)

    def sleep() -> None:
        held.set()
        done.wait(60)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(reserve, sleep)
        assert held.wait(60)
        second = threads.submit(reserve)
        with pytest.raises(TimeoutError):
            second.result(0.3)
        done.set()
        first.result(60)
        second.result(60)
    assert shop.counters("TEA") == (8, 2, 0)
