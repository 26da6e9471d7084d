"""What the HTTP interfaces refuse, repeat and bound."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/orders", None, 405),
        ("GET", "/orders/not-an-id", None, 422),
        ("GET", f"/orders/{'0' * 32}", None, 404),
        ("GET", "/inventory/NOTHING", None, 404),
        ("GET", "/products/NOTHING", None, 404),
        ("GET", "/orders?limit=1000", None, 422),
        ("POST", "/orders", {}, 422),
        ("POST", "/orders", {"items": []}, 422),
        ("POST", "/orders", {"items": [{"sku": "TEA", "quantity": 0}]}, 422),
        ("POST", "/orders", {"items": [{"sku": "TEA", "quantity": 1}] * 2}, 422),
        ("POST", "/orders", {"items": [{"sku": "NOTHING", "quantity": 1}]}, 422),
        ("POST", "/orders", {"items": [{"sku": "TEA", "quantity": 1}], "discount": 5}, 422),
        ("POST", "/products", {"sku": "TEA", "name": "again", "unit_price_cents": 1}, 409),
        ("POST", "/inventory/NOTHING/adjustments", {"delta_available": 1, "reason": "found"}, 404),
        (
            "POST",
            "/inventory/TEA/adjustments",
            {"delta_available": 1, "delta_reserved": -1, "reason": "whose?"},
            422,
        ),
        ("POST", "/inventory/TEA/adjustments", {"delta_available": -11, "reason": "lost"}, 409),
        ("POST", "/inventory/TEA/receipts", {"quantity": -11}, 409),
        ("PUT", "/faults/no.such", {"value": 1}, 404),
        ("PUT", "/faults/payment.decline", {"value": 1.5}, 422),
        ("GET", "/events?wait=11", None, 422),
    ],
)
def test_errors_are_problem_documents(shop: Any, method: str, path: str, body: Any, status: int) -> None:
    shop.stock("TEA", 10)
    answer = shop.http.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["type"] == "about:blank" or problem["type"].startswith("urn:meridian:problem:")
    assert problem["instance"] == path.partition("?")[0]


def test_an_unknown_reservation_can_not_be_adjusted(shop: Any) -> None:
    shop.stock("TEA", 10)
    body = {"delta_available": 1, "delta_reserved": -1, "reason": "whose?", "order_id": "0" * 32}
    answer = shop.http.post("/inventory/TEA/adjustments", json=body)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:meridian:problem:unknown-reservation")


def test_a_body_over_the_limit_is_refused_whether_announced_or_not(shop: Any) -> None:
    large = json.dumps({"items": [], "customer_id": "x" * 70_000}).encode()
    assert shop.http.post("/orders", content=large).status_code == 413
    answer = shop.http.post("/orders", content=iter([large[:40_000], large[40_000:]]))
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:meridian:problem:body-too-large"


def test_a_bug_is_a_500_without_details(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(shop.built.faults, "all", broken)
    answer = shop.http.get("/faults")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_order_placed_twice_under_one_key_is_one_order(shop: Any) -> None:
    shop.stock("TEA", 10)
    body = {"items": [{"sku": "TEA", "quantity": 1}]}
    first = shop.http.post("/orders", json=body, headers={"Idempotency-Key": "cart 7"})
    shop.settle()
    second = shop.http.post("/orders", json=body, headers={"Idempotency-Key": "cart 7"})
    assert second.status_code == first.status_code == 201
    assert second.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(shop.http.get("/orders").json()["orders"]) == 1


def test_a_key_used_for_another_request_is_refused(shop: Any) -> None:
    shop.stock("TEA", 10)
    body = {"items": [{"sku": "TEA", "quantity": 1}]}
    shop.http.post("/orders", json=body, headers={"Idempotency-Key": "cart 7"})
    answer = shop.http.post("/orders", json={**body, "customer_id": "x"}, headers={"Idempotency-Key": "cart 7"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:meridian:problem:idempotency-key-reused")


def test_a_request_that_failed_may_be_sent_again_under_its_key(shop: Any) -> None:
    shop.stock("TEA", 1)
    body = {"delta_available": -2, "reason": "broken"}
    key = {"Idempotency-Key": "stocktake"}
    assert shop.http.post("/inventory/TEA/adjustments", json=body, headers=key).status_code == 409
    shop.http.post("/inventory/TEA/receipts", json={"quantity": 5})
    assert shop.http.post("/inventory/TEA/adjustments", json=body, headers=key).status_code == 200
    assert shop.counters("TEA")[0] == 4


def test_adjustments_repeat_unless_a_key_says_that_they_are_the_same(make_shop: Any) -> None:
    shop = make_shop(compensation="external")
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 2}, card="tok_declined")
    shop.place({"TEA": 6}, card="tok_declined")
    shop.settle()
    body = {"delta_available": 2, "delta_reserved": -2, "reason": "payment declined", "order_id": order}
    for _ in range(2):
        shop.http.post(
            "/inventory/TEA/adjustments", json=body, headers={"Idempotency-Key": "once"}
        ).raise_for_status()
    assert shop.counters("TEA") == (4, 6, 0)
    shop.http.post("/inventory/TEA/adjustments", json=body).raise_for_status()
    assert shop.counters("TEA") == (6, 4, 0)
    assert shop.lines(order)[0]["outstanding"] == -2


def test_a_lost_answer_is_an_adjustment_made(make_shop: Any) -> None:
    shop = make_shop(faults="inventory.lost-answers=1")
    shop.stock("TEA", 10)
    body = {"delta_available": -1, "reason": "broken"}
    assert shop.http.post("/inventory/TEA/adjustments", json=body).status_code == 504
    assert shop.counters("TEA") == (9, 0, 0)


def test_an_unavailable_inventory_adjusts_nothing(make_shop: Any) -> None:
    shop = make_shop(faults="inventory.unavailable=1")
    shop.stock("TEA", 10)
    body = {"delta_available": -1, "reason": "broken"}
    assert shop.http.post("/inventory/TEA/adjustments", json=body).status_code == 503
    assert shop.counters("TEA") == (10, 0, 0)


def test_every_change_of_the_counters_leaves_a_movement(shop: Any) -> None:
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3})
    shop.settle()
    movements = shop.http.get("/inventory/TEA/movements").json()["movements"]
    assert [(item["reason"], item["order_id"]) for item in movements] == [
        ("received", None), ("reserved", order), ("sold", order),
    ]  # fmt: skip
    stock = shop.http.get("/inventory/TEA").json()
    for counter in ("stocked", "available", "reserved", "sold"):
        assert sum(item[f"delta_{counter}"] for item in movements) == stock[counter]


def test_pages_follow_one_another_without_gap_or_overlap(shop: Any) -> None:
    shop.stock("TEA", 100)
    placed = [shop.place({"TEA": 1}) for _ in range(7)]
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = shop.http.get("/orders", params={"after": after, "limit": 3}).json()
        found += [order["id"] for order in page["orders"]]
        after = page["next"]
    assert found == placed


def test_orders_can_be_listed_by_status(shop: Any) -> None:
    shop.stock("TEA", 10)
    good, bad = shop.place({"TEA": 1}), shop.place({"TEA": 1}, card="tok_declined")
    shop.settle()
    for status, expected in (("confirmed", [good]), ("payment_declined", [bad]), ("cancelled", [])):
        orders = shop.http.get("/orders", params={"status": status}).json()["orders"]
        assert [order["id"] for order in orders] == expected


def test_a_correlation_id_goes_from_the_request_to_the_last_event(shop: Any) -> None:
    shop.stock("TEA", 10)
    body = {"items": [{"sku": "TEA", "quantity": 1}]}
    answer = shop.http.post("/orders", json=body, headers={"X-Correlation-ID": "checkout-42"})
    assert answer.headers["x-correlation-id"] == "checkout-42"
    shop.settle()
    events = shop.events()
    assert {event["correlation_id"] for event in events} == {"checkout-42"}
    causes = {event["id"]: event["causation_id"] for event in events}
    begun = [event["type"] for event in events if event["causation_id"] is None]
    assert begun == ["OrderCreated", "ReserveInventory"]  # what the request itself has said
    assert set(filter(None, causes.values())) <= set(causes)


def test_a_correlation_id_that_could_do_harm_is_replaced(shop: Any) -> None:
    answer = shop.http.get("/products", headers={"X-Correlation-ID": 'x"}{' * 40})
    assert len(answer.headers["x-correlation-id"]) == 32


def test_readiness_tells_when_the_background_work_does_not_run(shop: Any) -> None:
    assert shop.http.get("/health/liveness").json() == {"state": "up", "parts": []}
    answer = shop.http.get("/health/readiness")
    assert answer.status_code == 503
    assert {part["detail"] for part in answer.json()["parts"]} == {"not started"}
