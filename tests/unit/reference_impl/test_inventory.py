"""The inventory service: reservations that expire, come back, or are asked for twice; corrections; who may do what."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from reference_impl.services.inventory.api import OUTBOX
from reference_impl.services.inventory.building import expire_due
from reference_impl.services.inventory.counters import Change, Counters
from reference_impl.services.inventory.reservations import Reservations
from reference_impl.services.inventory.service import InventoryService
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id, now
from reference_impl.shared.inbox import Poison
from reference_impl.shared.problems import Problem
from reference_impl.shared.types import Line
from tests.unit.reference_impl.conftest import MakeShop, Shop


class Stockroom:
    """The service without the events of others: what its handlers would do, one transaction each."""

    def __init__(self, shop: Shop, database: Database) -> None:
        self.shop = shop
        self.database = database

    def reserve(self, order: str, units: int, sku: str = "TEA", expires_at: datetime | None = None) -> None:
        with self.database.write() as session:
            Reservations(session, OUTBOX).reserve(order, [Line(sku=sku, quantity=units)], expires_at)

    def sell(self, order: str) -> None:
        with self.database.write() as session:
            Reservations(session, OUTBOX).sell(order)

    def release(self, order: str, *, keep_held: bool = False) -> None:
        with self.database.write() as session:
            Reservations(session, OUTBOX).release(order, keep_held=keep_held)

    def said(self) -> list[str]:
        self.shop.settle()
        return [event for event in self.shop.event_types() if not event.startswith("Order")]

    def state(self, order: str) -> str:
        return str(self.shop.lines(order)[0]["state"])

    def balanced(self) -> bool:
        stock = self.shop.http.get("/inventory/TEA").json()
        held = sum(
            line["outstanding"] for line in self.shop.http.get("/inventory/reservations").json()["reservations"]
        )
        counted = stock["available"] + stock["reserved"] + stock["sold"]
        return bool(counted == stock["stocked"] and held == stock["reserved"])


@pytest.fixture
def room(shop: Shop) -> Stockroom:
    shop.stock("TEA", 10)
    database = next(part.database for part in shop.built.runtime.services if part.name == "inventory")
    assert database is not None
    return Stockroom(shop, database)


SOON = timedelta(seconds=60)


def test_what_nobody_confirms_comes_back(room: Stockroom) -> None:
    late, early, confirmed, forever = (new_id() for _ in range(4))
    room.reserve(late, 2, expires_at=now() + SOON)
    room.reserve(early, 1, expires_at=now() + 3 * SOON)
    room.reserve(confirmed, 3, expires_at=now() + SOON)
    room.reserve(forever, 1)
    room.sell(confirmed)
    assert expire_due(room.database) == 0
    with freeze_time(now() + 2 * SOON):
        assert expire_due(room.database) == 1
        assert expire_due(room.database) == 0
    assert room.shop.counters("TEA") == (5, 2, 3)
    assert [room.state(order) for order in (late, early, confirmed, forever)] == [
        "expired",
        "held",
        "sold",
        "held",
    ]
    assert room.said().count("ReservationExpired") == 1
    assert room.balanced()


def test_an_expired_order_that_is_paid_after_all_gets_what_is_still_there(room: Stockroom) -> None:
    lucky, unlucky = new_id(), new_id()
    for order in (lucky, unlucky):
        room.reserve(order, 4, expires_at=now() - SOON)
    assert expire_due(room.database) == 2
    room.sell(lucky)
    room.reserve(new_id(), 6)
    with pytest.raises(Poison, match="given away"):
        room.sell(unlucky)
    assert room.shop.counters("TEA") == (0, 6, 4)
    assert (room.state(lucky), room.state(unlucky)) == ("sold", "expired")
    assert room.balanced()


def test_sold_units_come_back_when_the_order_is_cancelled_before_it_leaves(room: Stockroom) -> None:
    order = new_id()
    room.reserve(order, 4)
    room.sell(order)
    assert room.shop.counters("TEA") == (6, 0, 4)
    room.release(order, keep_held=True)  # an outside consumer gives back what is reserved, never what was sold
    assert room.shop.counters("TEA") == (10, 0, 0)
    movements = room.shop.http.get("/inventory/TEA/movements").json()["movements"]
    assert [item["reason"] for item in movements] == ["received", "reserved", "sold", "restocked"]
    assert room.balanced()


def test_whatever_is_asked_twice_happens_once_and_is_answered_twice(room: Stockroom) -> None:
    order = new_id()
    for step in (lambda: room.reserve(order, 2), lambda: room.sell(order), lambda: room.release(order)):
        step()
        step()
    assert room.shop.counters("TEA") == (10, 0, 0)
    answers = ("InventoryReserved", "InventorySold", "InventoryReleased")
    assert room.said() == [answer for answer in answers for _ in range(2)]


def test_a_cancellation_that_comes_first_leaves_nothing_to_reserve(room: Stockroom) -> None:
    order = new_id()
    room.release(order)
    room.reserve(order, 2)
    assert room.shop.counters("TEA") == (10, 0, 0)
    assert room.said() == ["InventoryReleased", "InventoryReleased"]


def test_an_order_reserves_all_or_nothing(room: Stockroom) -> None:
    room.shop.stock("MUG", 1)
    order = new_id()
    lines = [Line(sku="TEA", quantity=1), Line(sku="MUG", quantity=2)]
    with room.database.write() as session:
        Reservations(session, OUTBOX).reserve(order, lines, None)
    assert (room.shop.counters("TEA"), room.shop.counters("MUG")) == ((10, 0, 0), (1, 0, 0))
    assert room.said() == ["InventoryRejected"]
    with pytest.raises(Poison, match="rejected"):
        room.sell(order)


@pytest.mark.parametrize("counter", ["available", "reserved", "sold"])
def test_the_table_itself_refuses_to_go_below_zero(room: Stockroom, counter: str) -> None:
    with pytest.raises(IntegrityError), room.database.write() as session:
        session.execute(text(f"UPDATE stock SET {counter} = -1"))


def test_a_correction_begins_again_when_somebody_was_faster(
    room: Stockroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = Counters.replace, iter([True, True, False])

    def meddled(self: Counters, read: Any, reason: str, **values: Any) -> bool:
        if next(others, False):
            self.change([Change(read.sku, available=-1, stocked=-1)], "meanwhile")
        return real(self, read, reason, **values)

    monkeypatch.setattr(Counters, "replace", meddled)
    with room.database.write() as session:
        adjusted = InventoryService(session, OUTBOX).adjust(
            "TEA", available=5, reserved=0, reason="found", order_id=None
        )
        assert adjusted.available == 10 - 2 + 5


def test_a_correction_does_not_try_for_ever(room: Stockroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counters, "replace", lambda *_arguments, **_values: False)
    answer = room.shop.http.post("/inventory/TEA/adjustments", json={"delta_available": 1, "reason": "found"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:meridian:problem:contended")
    assert room.shop.counters("TEA") == (10, 0, 0)


def test_receipts_and_corrections_are_told(room: Stockroom) -> None:
    body = {"delta_available": -2, "reason": "broken"}
    room.shop.http.post("/inventory/TEA/adjustments", json=body).raise_for_status()
    room.shop.settle()
    events = room.shop.http.get("/events").json()["events"]
    said = [event["payload"] for event in events if event["type"] == "InventoryAdjusted"]
    assert [(item["reason"], item["delta_available"], item["available"]) for item in said] == [
        ("received", 10, 10),
        ("broken", -2, 8),
    ]


def test_only_admins_and_the_inside_change_stock(room: Stockroom) -> None:
    body = {"delta_available": 1, "reason": "found"}
    for subject, roles, status in (
        ("", (), 401),
        ("c", ("customer",), 403),
        ("v", ("vendor",), 403),
        ("a", ("admin",), 200),
    ):
        room.shop.sign_in(subject, *roles)
        assert room.shop.http.post("/inventory/TEA/adjustments", json=body).status_code == status
        assert room.shop.http.post("/inventory/TEA/receipts", json={"quantity": 1}).status_code == status
        assert room.shop.http.get("/inventory/reservations").status_code == status
        assert room.shop.http.get("/inventory/TEA").status_code == 200


def test_low_stock_is_counted(make_shop: MakeShop) -> None:
    shop = make_shop(sections={"inventory_low_stock_units": "3"})
    for sku, units in (("A", 4), ("B", 3), ("C", 1)):
        shop.stock(sku, units)
    shop.http.post("/inventory/C/adjustments", json={"delta_available": -1, "reason": "lost"})
    shop.expire()
    assert REGISTRY.get_sample_value("meridian_inventory_low_stock_products") == 2
    assert REGISTRY.get_sample_value("meridian_inventory_out_of_stock_products") == 1


@pytest.mark.parametrize("saga", ["orchestrated", "choreographed"])
def test_reservations_of_unpaid_orders_expire_in_both_sagas(make_shop: MakeShop, saga: str) -> None:
    shop = make_shop(saga=saga, payment_window=3600, sections={"inventory_reservation_seconds": "60"})
    shop.stock("TEA", 10)
    before = now()
    order = shop.place({"TEA": 2}, card="tok_declined")
    shop.settle()
    assert shop.counters("TEA") == (8, 2, 0)
    database = next(part.database for part in shop.built.runtime.services if part.name == "inventory")
    with freeze_time(before + timedelta(seconds=3650)):
        assert expire_due(database) == 0, "within the payment window and the time after it"
    with freeze_time(now() + timedelta(seconds=3670)):
        assert expire_due(database) == 1
    assert shop.counters("TEA") == (10, 0, 0)
    assert shop.lines(order)[0]["state"] == "expired"


def test_a_hot_row_sleeps_inside_the_reservation(make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(faults="inventory.hot-row=0.01")
    shop.stock("TEA", 10)
    seen: list[tuple[int, int, int]] = []

    def look(name: str, _stop: Any = None) -> None:
        if name == "inventory.hot-row":
            seen.append(shop.counters("TEA"))  # from outside: the reservation is not committed

    monkeypatch.setattr(shop.faults, "delay", look)
    shop.place({"TEA": 2})
    shop.settle()
    assert seen == [(10, 0, 0)]
    assert shop.counters("TEA") == (8, 0, 2)


def test_nothing_expires_while_somebody_outside_compensates(make_shop: MakeShop) -> None:
    shop = make_shop(compensation="external", sections={"inventory_reservation_seconds": "1"})
    shop.stock("TEA", 10)
    shop.place({"TEA": 2}, card="tok_declined")
    shop.settle()
    with freeze_time(now() + timedelta(days=2)):
        shop.expire()
    assert shop.counters("TEA") == (8, 2, 0)


def test_unknown_reservations_are_a_problem_and_change_nothing(room: Stockroom) -> None:
    with pytest.raises(Problem) as caught, room.database.write() as session:
        InventoryService(session, OUTBOX).adjust(
            "TEA", available=1, reserved=-1, reason="whose?", order_id=new_id()
        )
    assert caught.value.name == "unknown-reservation"
    assert room.shop.counters("TEA") == (10, 0, 0)


def test_a_reservation_that_is_rolled_back_is_not_counted(room: Stockroom) -> None:
    def counted() -> float:
        labels = {"outcome": "reserved"}
        return REGISTRY.get_sample_value("meridian_inventory_reservations_total", labels) or 0

    def undone() -> None:
        with room.database.write() as session:
            Reservations(session, OUTBOX).reserve(new_id(), [Line(sku="TEA", quantity=1)], None)
            raise RuntimeError("another event of the same transaction failed")

    before = counted()
    with pytest.raises(RuntimeError):
        undone()
    assert counted() == before
    room.reserve(new_id(), 1)
    assert counted() == before + 1
