"""Input that looks right to a parser and is not: it is refused with an answer that the documents name, wherever it comes in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.reference_impl.conftest import Shop
from tests.unit.reference_impl.test_front_door import account

ORDER = {"items": [{"sku": "TEA", "quantity": 1}]}
ACCOUNT = {"email": "a@example.org", "name": "Ada", "password": "correct horse battery"}
SOMEBODY = "0" * 32


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/users?email=a%00b", None),
        ("POST", "/users", ACCOUNT | {"name": "A\0da"}),
        ("GET", "/v2/products?q=a%00b", None),
        ("GET", "/v2/products?vendor=a%00b", None),
        ("GET", "/v2/products?cursor=a%00b", None),
        ("POST", "/orders", ORDER | {"customer_id": "a\0b"}),
        ("GET", "/orders?customer_id=a%00b", None),
        ("GET", "/orders/history?customer_id=a%00b", None),
        ("POST", f"/orders/{SOMEBODY}/cancellation", {"reason": "a\0b"}),
        ("GET", "/payments?order_id=a%00b", None),
        ("GET", "/shipments?order_id=a%00b", None),
        ("GET", "/notifications?fact=a%00b", None),
        ("GET", "/notifications/sink?recipient=a%00b", None),
        ("GET", "/preferences/a%00b", None),
        ("DELETE", "/faults/a%00b", None),
    ],
)
def test_no_nul_comes_as_far_as_a_database(shop: Shop, method: str, path: str, body: Any) -> None:
    answer = shop.http.request(method, path, json=body)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:meridian:problem:invalid-request"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/products", {"sku": "CUP", "name": "Cup", "unit_price_cents": True}),
        ("/products", {"sku": "CUP", "name": "Cup", "unit_price_cents": "100"}),
        ("/orders", {"items": [{"sku": "TEA", "quantity": True}]}),
        ("/inventory/receipts", {"lines": [{"sku": "TEA", "quantity": "3"}]}),
        ("/inventory/TEA/receipts", {"quantity": True}),
        ("/inventory/TEA/adjustments", {"delta_available": "1", "reason": "found"}),
        (f"/orders/{SOMEBODY}/cancellation", {"reason": "dear", "refund": "yes"}),
    ],
)
def test_true_is_no_number_and_a_text_is_neither(shop: Shop, path: str, body: Any) -> None:
    shop.stock("TEA", 10)
    answer = shop.http.post(path, json=body)
    assert (answer.status_code, answer.json()["title"]) == (422, "The request is not valid")
    assert shop.counters("TEA") == (10, 0, 0)


def test_a_fault_is_as_strong_as_a_number_says(shop: Shop) -> None:
    assert shop.http.put("/faults/payment.decline", json={"value": True}).status_code == 422
    assert shop.http.put("/faults/payment.decline", json={"value": 1}).status_code == 200


@pytest.mark.parametrize("sku", ["%F0%9F%AB%96", "%C2%BA", "A%0d%0aSet-Cookie:%20x=1"])
@pytest.mark.parametrize("prefix", ["/products/", "/v1/products/"])
def test_an_address_is_put_into_a_header_only_encoded(shop: Shop, prefix: str, sku: str) -> None:
    answer = shop.http.get(prefix + sku)
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


def test_the_successor_of_a_product_is_named(shop: Shop) -> None:
    shop.stock("TEA", 1)
    assert shop.http.get("/v1/products/TEA").headers["link"] == '</v2/products/TEA>; rel="successor-version"'


def test_an_order_can_not_come_to_more_than_a_database_can_count(shop: Shop) -> None:
    shop.stock("YACHT", 1, cents=10**12)
    shop.stock("TEA", 1, cents=1)
    items = [{"sku": "YACHT", "quantity": 1_000_000}]
    answer = shop.http.post("/orders", json={"items": items})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:meridian:problem:order-too-large")
    assert shop.http.post("/orders", json={"items": [{"sku": "YACHT", "quantity": 1}]}).status_code == 201


def test_a_body_that_is_no_text_is_a_bad_request(shop: Shop) -> None:
    answer = shop.http.post("/orders", content=b"\xff\xfe", headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/api/v1/products", "/api/v1/products/TEA", "/api/v2/products", "/api/v2/categories"]
)
def test_the_head_of_what_may_be_read_is_that_of_its_get(shop: Shop, path: str) -> None:
    shop.stock("TEA", 1)
    for _ in range(2):  # from the service, then from the gateway's memory
        head, get = shop.http.head(path), shop.http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
        assert head.headers.get("etag") == get.headers.get("etag")
        assert head.headers["content-length"] == get.headers["content-length"]


def test_a_customer_chooses_through_the_door_and_only_for_himself(shop: Shop) -> None:
    ada, eve = account(shop, "ada"), account(shop, "eve")
    me = shop.http.get("/api/v1/users/me", headers=ada).raise_for_status().json()["id"]
    path = f"/api/v1/preferences/{me}"
    chosen = {"email": {"marketing": False}}
    assert shop.http.put(path, json=chosen, headers=ada).status_code == 200
    assert shop.http.get(path, headers=ada).json()["email"] == {"marketing": False}
    assert shop.http.get(path, headers=eve).status_code == 403
