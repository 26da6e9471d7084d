"""One checkout, two variants: the same API, the same end states, the same invariants. One suite for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.settings import Saga
from reference_impl.verify import verify
from tests.unit.reference_impl.saga_platform import Platform, platform

Start = Callable[..., Platform]


@pytest.fixture(params=list(Saga), ids=str)
def variant(request: pytest.FixtureRequest) -> Saga:
    found: Saga = request.param
    return found


@pytest.fixture
def start(variant: Saga, tmp_path: Path) -> Iterator[Start]:
    """Starts a platform with a product TEA, ten units of it."""
    with ExitStack() as stack:

        def begin(sections: dict[str, str] | None = None, **settings: Any) -> Platform:
            bus = InProcessBus(tmp_path)
            made: AbstractContextManager[Platform] = platform(
                tmp_path, variant, bus, sections=sections, **settings
            )
            built = stack.enter_context(made)
            built.shop.http.post("/inventory/TEA/receipts", json={"quantity": 10}).raise_for_status()
            return built

        yield begin


def statuses(built: Platform, order: str) -> list[str]:
    payments = built.shop.http.get("/payments", params={"order_id": order}).raise_for_status().json()
    return [payment["status"] for payment in payments["payments"]]


def cancel(built: Platform, order: str, *, refund: bool = False) -> Any:
    body = {"reason": "changed my mind", "refund": refund}
    return built.shop.http.post(f"/orders/{order}/cancellation", json=body)


def balances(built: Platform) -> dict[str, int]:
    ledger = built.shop.http.get("/payments/ledger/balance").raise_for_status().json()
    assert ledger["balanced"]
    return {item["account"]: item["cents"] for item in ledger["accounts"]}


def assert_clean(built: Platform) -> None:
    verdict = verify(built.shop.http, settle_seconds=0)
    assert verdict.clean, verdict.violations


def test_a_paid_order_is_confirmed_sold_and_booked(start: Start) -> None:
    built = start()
    order = built.shop.place({"TEA": 3})
    built.settle()
    assert (built.shop.status(order), built.shop.counters("TEA")) == ("confirmed", (7, 0, 3))
    assert statuses(built, order) == ["captured"]
    assert balances(built) == {"customer_receivable": 0, "gateway_clearing": 300, "revenue": -300}
    assert_clean(built)


def test_too_few_units_cancel_without_asking_for_money(start: Start) -> None:
    built = start()
    order = built.shop.place({"TEA": 11})
    built.settle()
    found = built.shop.order(order)
    assert (found["status"], found["reason"]) == ("cancelled", "out_of_stock")
    assert (statuses(built, order), built.shop.counters("TEA")) == ([], (10, 0, 0))
    assert_clean(built)


def test_an_order_cancelled_before_it_is_known_to_be_short_comes_to_its_end(start: Start) -> None:
    built = start()
    order = built.shop.place({"TEA": 11})
    assert cancel(built, order).status_code == 200  # and inventory hears of both afterwards
    built.settle()
    assert built.shop.order(order)["stock_returned"]
    assert_clean(built)


def test_another_card_pays_a_declined_order(start: Start) -> None:
    built = start()
    order = built.shop.place({"TEA": 3}, card="tok_insufficient_funds")
    built.settle()
    assert built.shop.status(order) == "payment_declined"
    built.shop.http.post(f"/orders/{order}/payment", json={"card": "tok_visa"}).raise_for_status()
    built.settle()
    assert (built.shop.status(order), statuses(built, order)) == ("confirmed", ["declined", "captured"])
    assert_clean(built)


def test_a_card_that_was_declined_for_good_is_not_tried_again(start: Start) -> None:
    built = start()
    order = built.shop.place({"TEA": 3}, card="tok_stolen")
    built.settle()
    answer = built.shop.http.post(f"/orders/{order}/payment", json={"card": "tok_stolen"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:meridian:problem:card-refused")
    assert built.shop.http.post(f"/orders/{order}/payment", json={"card": "tok_declined"}).status_code == 202
    built.settle()
    assert built.shop.http.post(f"/orders/{order}/payment", json={"card": "tok_declined"}).status_code == 202


def test_when_nobody_pays_in_time_the_units_come_back(start: Start) -> None:
    built = start(payment_window=0.001)
    order = built.shop.place({"TEA": 3}, card="tok_declined")
    built.settle()
    built.settle()
    found = built.shop.order(order)
    assert (found["status"], found["reason"]) == ("cancelled", "card_declined")
    assert (built.shop.counters("TEA"), found["stock_returned"]) == ((10, 0, 0), True)
    assert_clean(built)


def test_a_consumer_outside_keeps_what_it_has_to_undo(start: Start) -> None:
    built = start(compensation="external", payment_window=0)
    order = built.shop.place({"TEA": 3}, card="tok_declined")
    built.settle()
    assert built.shop.status(order) == "payment_declined"
    assert cancel(built, order).json()["status"] == "cancelled"
    built.settle()
    assert built.shop.lines(order)[0]["outstanding"] == 3
    assert {item.invariant for item in verify(built.shop.http, settle_seconds=0).violations} == {
        "dead-order-holds-nothing",
        "reserved-explained",
    }
    body = {"delta_available": 3, "delta_reserved": -3, "reason": "payment declined", "order_id": order}
    built.shop.http.post("/inventory/TEA/adjustments", json=body).raise_for_status()
    built.settle()
    assert_clean(built)


def test_a_paid_order_is_refunded_and_restocked_only_when_asked_for(start: Start) -> None:
    built = start()
    order = built.shop.place({"TEA": 3})
    built.settle()
    assert cancel(built, order).status_code == 409
    assert cancel(built, order, refund=True).json()["status"] == "cancelled"
    assert cancel(built, order, refund=True).status_code == 200
    built.settle()
    found = built.shop.order(order)
    assert (found["money_returned"], found["stock_returned"]) == (True, True)
    assert (statuses(built, order), built.shop.counters("TEA")) == (["refunded"], (10, 0, 0))
    assert balances(built) == {
        "customer_receivable": 0, "gateway_clearing": 0, "refunds": 300, "revenue": -300,
    }  # fmt: skip
    assert_clean(built)


def test_inventory_that_never_answers_ends_the_order(start: Start) -> None:
    built = start(pending_timeout=0.001)
    order = built.shop.place({"TEA": 3})
    built.settle()
    assert built.shop.order(order)["status"] in ("cancelled", "confirmed")
    late = built.shop.place({"TEA": 1})
    built.shop.expire()
    built.settle()
    assert built.shop.order(late)["reason"] == "timed_out"
    assert_clean(built)


def test_a_payment_that_nobody_answers_is_given_up_and_undone(start: Start) -> None:
    built = start({"order_step_timeout": "0.001", "order_step_tries": "2"})
    order = built.shop.place({"TEA": 3})
    others = [service for service in built.runtime.services if service.name != "payment"]
    for _ in range(12):  # payment is away
        for service in others:
            service.relay.run_once()
            service.consumer.run_once()
            for chore in service.chores:
                chore.run()
    found = built.shop.order(order)
    assert (found["status"], found["reason"]) == ("cancelled", "payment_timeout")
    built.settle()  # payment is back, and hears of the request and of its end
    assert set(statuses(built, order)) <= {"voided", "refunded"}
    assert built.shop.counters("TEA") == (10, 0, 0)
    assert_clean(built)


@pytest.mark.parametrize("share", [0.5, 1])
def test_answers_that_get_lost_change_nothing(start: Start, share: float) -> None:
    built = start()
    built.faults.set("payment.lost-answers", share)
    good = [built.shop.place({"TEA": 1}) for _ in range(4)]
    bad = built.shop.place({"TEA": 1}, card="tok_declined")
    built.settle(rounds=400)
    assert {built.shop.status(order) for order in good} == {"confirmed"}
    assert built.shop.status(bad) == "payment_declined"
    cancel(built, good[0], refund=True)
    built.settle(rounds=400)
    assert statuses(built, good[0]) == ["refunded"]
    assert built.charges() == dict.fromkeys(good, 1) | {bad: 0}
    assert_clean(built)


def test_shipping_ends_the_checkout(start: Start) -> None:
    built = start(shipping=True)
    order = built.shop.place({"TEA": 3})
    built.settle()
    assert (built.shop.status(order), built.shipping.shipments[order]) == ("confirmed", "created")
    built.shipping.dispatch(deliver=True)
    built.settle()
    assert built.shop.status(order) == "delivered"
    assert cancel(built, order, refund=True).status_code == 409
    assert_clean(built)


def test_a_parcel_in_the_house_is_held_back_and_refunded(start: Start) -> None:
    built = start(shipping=True)
    order = built.shop.place({"TEA": 3})
    built.settle()
    assert cancel(built, order, refund=True).json()["status"] == "cancelling"
    built.settle()
    assert (built.shop.status(order), built.shipping.shipments[order]) == ("cancelled", "cancelled")
    assert (statuses(built, order), built.shop.counters("TEA")) == (["refunded"], (10, 0, 0))
    assert_clean(built)


def test_a_parcel_that_has_left_is_not_refunded(start: Start) -> None:
    built = start(shipping=True)
    order = built.shop.place({"TEA": 3})
    built.settle()
    built.shipping.dispatch()  # and the order service has not heard of it yet
    assert cancel(built, order, refund=True).json()["status"] == "cancelling"
    built.settle()
    assert (built.shop.status(order), statuses(built, order)) == ("shipped", ["captured"])
    assert_clean(built)
