"""The whole of Meridian through its public door: what a customer, a vendor and a program do."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.reference_impl.conftest import MakeShop, Shop

QUICK = {"user_hash_memory_kib": "64", "user_hash_rounds": "1"}
PASSWORD = "correct horse battery"


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop(sections=QUICK)


def account(shop: Shop, name: str, *roles: str) -> dict[str, str]:
    """Registers and signs in through the gateway; roles are given from inside."""
    body = {"email": f"{name}@example.org", "name": name, "password": PASSWORD}
    made = shop.http.post("/api/v1/users", json=body).raise_for_status()
    if roles:
        shop.http.put(f"/users/{made.json()['id']}/roles", json={"roles": list(roles)}).raise_for_status()
    grant = {"grant_type": "password", "email": body["email"], "password": PASSWORD}
    answer = shop.http.post("/api/v1/auth/token", json=grant).raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def order(shop: Shop, headers: dict[str, str], **body: Any) -> httpx.Response:
    body = {"items": [{"sku": "TEA", "quantity": 2}], "card": "tok_visa"} | body
    return shop.http.post("/api/v1/orders", json=body, headers=headers)


def test_a_customer_buys_and_looks_at_the_order(shop: Shop) -> None:
    shop.stock("TEA", 5)
    ada = account(shop, "ada")
    product = shop.http.get("/api/v1/pages/product/TEA").raise_for_status().json()
    assert product["stock"]["available"] == 5
    made = order(shop, ada).raise_for_status().json()
    shop.settle()
    page = shop.http.get(f"/api/v1/pages/order/{made['id']}", headers=ada).raise_for_status().json()
    assert page["order"]["status"] == "confirmed"
    assert page["degraded"] == []
    assert [product["sku"] for product in page["products"]] == ["TEA"]


def test_the_first_app_buys_too(shop: Shop) -> None:
    shop.stock("TEA", 5)
    headers = account(shop, "ada") | {"User-Agent": "MeridianApp/1.2"}
    body = {"basket": [{"article": "TEA", "count": 1}], "payment_token": "tok_visa"}
    made = shop.http.post("/api/v1/orders", json=body, headers=headers)
    assert made.status_code in (201, 202), made.text
    assert "order_number" in made.json()


def test_nobody_sees_the_order_of_somebody_else(shop: Shop) -> None:
    shop.stock("TEA", 5)
    ada, eve = account(shop, "ada"), account(shop, "eve")
    made = order(shop, ada).raise_for_status().json()["id"]
    shop.settle()
    for path in (f"/api/v1/orders/{made}", f"/api/v1/pages/order/{made}"):
        assert shop.http.get(path, headers=eve).status_code in (403, 404), path
        assert shop.http.get(path).status_code == 401, path
    listed = shop.http.get("/api/v1/orders", headers=eve).raise_for_status().json()
    assert made not in str(listed)
    assert shop.http.get("/api/v1/payments", params={"order_id": made}, headers=eve).status_code == 403


def test_a_vendor_fills_the_catalogue_and_a_customer_does_not(shop: Shop) -> None:
    body = {"sku": "CUP", "name": "Cup", "unit_price_cents": 500}
    assert shop.http.post("/api/v1/products", json=body).status_code == 401
    assert shop.http.post("/api/v1/products", json=body, headers=account(shop, "ada")).status_code == 403
    made = shop.http.post("/api/v1/products", json=body, headers=account(shop, "vic", "vendor"))
    assert made.status_code == 201, made.text
    listed = shop.http.get("/api/v1/products/CUP")
    assert listed.json()["sku"] == "CUP"
    link = listed.headers["link"]
    assert link.startswith("</api/v2/products/CUP>")
    assert shop.http.get("/api/v2/products/CUP").json()["title"] == "Cup"


def test_a_program_with_an_api_key_reads_orders_and_writes_none(shop: Shop) -> None:
    shop.stock("TEA", 5)
    ada = account(shop, "ada")
    made = order(shop, ada).raise_for_status().json()["id"]
    wanted = {"name": "bookkeeping", "scopes": ["orders:read"]}
    key = shop.http.post("/api/v1/api-keys", json=wanted, headers=ada).raise_for_status().json()["key"]
    headers = {"X-API-Key": key}
    assert shop.http.get(f"/api/v1/orders/{made}", headers=headers).json()["id"] == made
    assert order(shop, headers).status_code == 403
    assert shop.http.get("/api/v1/orders", headers={"X-API-Key": key[:-2] + "zz"}).status_code == 401


def test_the_correlation_id_goes_all_the_way(shop: Shop) -> None:
    shop.stock("TEA", 5)
    headers = account(shop, "ada") | {"X-Correlation-ID": "my-order-1"}
    answer = order(shop, headers).raise_for_status()
    assert answer.headers.get_list("x-correlation-id") == ["my-order-1"]
    shop.settle()
    events = shop.http.get("/events?limit=500").json()["events"]
    assert {event["correlation_id"] for event in events if event["type"].startswith("Order")} == {"my-order-1"}


def test_a_large_body_is_refused_at_the_door(shop: Shop) -> None:
    answer = order(shop, account(shop, "ada"), card="x" * 70_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_expired_signing_key_keeps_everybody_out(make_shop: MakeShop) -> None:
    shop = make_shop(sections=QUICK, faults="user.expired-key=1")
    headers = account(shop, "ada")
    answer = shop.http.get("/api/v1/users/me", headers=headers)
    assert answer.status_code == 401
    assert shop.http.get("/api/v1/products").status_code == 200
