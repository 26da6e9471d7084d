"""An order's way through the services, on its good day and on its bad ones."""

from __future__ import annotations

from typing import Any

import pytest

from reference_impl.verify import verify

CHOREOGRAPHED = [
    "OrderCreated", "InventoryReserved", "PaymentRequested", "PaymentCaptured", "OrderConfirmed", "InventorySold",
    "ShipmentCreated",
]  # fmt: skip
ORCHESTRATED = [
    "OrderCreated", "ReserveInventory", "InventoryReserved", "PaymentRequested", "AuthorisePayment",
    "PaymentAuthorised", "CapturePayment", "PaymentCaptured", "OrderConfirmed", "InventorySold",
]  # fmt: skip


@pytest.mark.parametrize(
    ("saga", "told"),
    [("choreographed", CHOREOGRAPHED), ("orchestrated", ORCHESTRATED)],
    ids=["facts", "commands"],
)
def test_a_paid_order_is_confirmed_and_its_units_are_sold(make_shop: Any, saga: str, told: list[str]) -> None:
    shop = make_shop(saga=saga)
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3})
    assert shop.status(order) == "pending"
    shop.settle()
    assert shop.status(order) == "confirmed"
    assert shop.counters("TEA") == (7, 0, 3)
    assert shop.event_types() == told


def test_an_order_that_can_not_be_served_in_full_reserves_nothing(shop: Any) -> None:
    shop.stock("TEA", 10)
    shop.stock("MUG", 1)
    order = shop.place({"TEA": 3, "MUG": 2})
    shop.settle()
    assert shop.order(order)["status"] == "cancelled"
    assert shop.order(order)["reason"] == "out_of_stock"
    assert shop.counters("TEA") == (10, 0, 0)
    assert shop.lines(order) == []


def test_a_declined_order_waits_for_another_card_and_keeps_its_stock(shop: Any) -> None:
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3}, card="tok_insufficient_funds")
    shop.settle()
    found = shop.order(order)
    assert (found["status"], found["reason"], found["attempt"]) == ("payment_declined", "insufficient_funds", 1)
    assert found["pay_by"] is not None
    assert shop.counters("TEA") == (7, 3, 0)

    assert shop.http.post(f"/orders/{order}/payment", json={"card": "tok_visa"}).status_code == 202
    shop.settle()
    found = shop.order(order)
    assert (found["status"], found["reason"], found["attempt"]) == ("confirmed", None, 2)
    assert shop.counters("TEA") == (7, 0, 3)


def test_a_declined_order_is_cancelled_and_its_stock_released_when_the_window_has_passed(
    make_shop: Any,
) -> None:
    shop = make_shop(payment_window=0.01)
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3}, card="tok_declined")
    shop.settle()
    threadless_pause(0.02)
    shop.expire()
    shop.settle()
    assert shop.order(order)["status"] == "cancelled"
    assert shop.counters("TEA") == (10, 0, 0)
    assert shop.http.post(f"/orders/{order}/payment", json={"card": "tok_visa"}).status_code == 409


def test_without_a_window_a_decline_cancels_at_once(make_shop: Any) -> None:
    shop = make_shop(payment_window=0)
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3}, card="tok_declined")
    shop.settle()
    assert shop.status(order) == "cancelled"
    assert shop.counters("TEA") == (10, 0, 0)


def test_with_external_compensation_nobody_here_touches_a_declined_order(make_shop: Any) -> None:
    shop = make_shop(compensation="external", payment_window=0)
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3}, card="tok_declined")
    shop.settle()
    shop.expire()
    assert shop.status(order) == "payment_declined"
    shop.http.post(f"/orders/{order}/cancellation", json={"reason": "given up"}).raise_for_status()
    shop.settle()
    assert shop.counters("TEA") == (7, 3, 0)
    assert shop.lines(order)[0]["outstanding"] == 3


def test_with_external_compensation_other_cancellations_still_release(make_shop: Any) -> None:
    shop = make_shop(compensation="external", pending_timeout=0.01)
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3})
    threadless_pause(0.02)
    shop.expire()  # cancelled before inventory has heard of the order
    shop.settle()
    assert shop.order(order)["reason"] == "timed_out"
    assert shop.counters("TEA") == (10, 0, 0)


def test_a_pending_order_can_be_cancelled_and_what_was_reserved_comes_back(shop: Any) -> None:
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3})
    for _ in range(2):  # asked twice, it answers twice
        answer = shop.http.post(f"/orders/{order}/cancellation", json={"reason": "changed my mind"})
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    shop.settle()
    assert shop.status(order) == "cancelled"
    assert shop.counters("TEA") == (10, 0, 0)
    assert shop.event_types().count("OrderCancelled") == 1


@pytest.mark.parametrize("card", ["tok_visa", "tok_declined"])
def test_while_a_payment_is_under_way_an_order_can_not_be_cancelled(shop: Any, card: str) -> None:
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3}, card=card)
    order_service, inventory = (
        next(service for service in shop.built.runtime.services if service.name == name)
        for name in ("order", "inventory")
    )
    for step in (order_service.relay, inventory.consumer, inventory.relay, order_service.consumer):
        step.run_once()
    assert shop.status(order) == "payment_pending"
    answer = shop.http.post(f"/orders/{order}/cancellation", json={"reason": "too late"})
    assert answer.status_code == 409
    assert (answer.json()["order_status"], answer.json()["attempt"]) == ("payment_pending", 1)
    shop.settle()
    assert shop.status(order) in ("confirmed", "payment_declined")


def test_a_paid_order_can_neither_be_cancelled_nor_paid_again(shop: Any) -> None:
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 1})
    shop.settle()
    assert shop.http.post(f"/orders/{order}/cancellation", json={"reason": "no"}).status_code == 409
    assert shop.http.post(f"/orders/{order}/payment", json={"card": "tok_visa"}).status_code == 409
    payments = shop.http.get("/payments", params={"order_id": order}).json()["payments"]
    assert [(item["attempt"], item["status"], item["amount_cents"]) for item in payments] == [
        (1, "captured", 100)
    ]


def test_the_last_unit_is_sold_once(shop: Any) -> None:
    shop.stock("PRINT", 1)
    orders = [shop.place({"PRINT": 1}) for _ in range(5)]
    shop.settle()
    assert sorted(shop.status(order) for order in orders) == ["cancelled"] * 4 + ["confirmed"]
    assert verify(shop.http, settle_seconds=0).clean


def test_an_order_costs_what_the_catalogue_says(shop: Any) -> None:
    shop.stock("TEA", 10, cents=890)
    shop.stock("MUG", 10, cents=1250)
    order = shop.order(shop.place({"TEA": 2, "MUG": 1}))
    assert order["total_cents"] == 2 * 890 + 1250
    assert {line["sku"]: line["unit_price_cents"] for line in order["lines"]} == {"TEA": 890, "MUG": 1250}


def test_a_restart_resumes_where_the_process_died(make_shop: Any, tmp_path: Any) -> None:
    before = make_shop(data=tmp_path / "kept")
    before.stock("TEA", 10)
    order = before.place({"TEA": 3})
    before.built.runtime.services[2].relay.run_once()  # the event is on the bus, nobody has handled it
    before.close()
    after = make_shop(data=tmp_path / "kept")
    after.settle()
    assert after.status(order) == "confirmed"
    assert verify(after.http, settle_seconds=0).clean


def threadless_pause(seconds: float) -> None:
    """Let the clock go on; nothing runs in the meantime."""
    import time

    time.sleep(seconds)
