"""A catalogue for everybody: believable, the same each time, put in over HTTP, and no harm in doing it twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from reference_impl import seeding
from reference_impl.client import pages
from reference_impl.seeding import Size, catalogue, people
from reference_impl.seeding.filling import Refused, accepted
from reference_impl.verify import read, violations
from tests.unit.reference_impl.conftest import MakeShop, Shop

TINY = Size(products=40, vendors=2, customers=3)
CHEAP = {"user_hash_memory_kib": "64", "user_hash_rounds": "1"}


@pytest.fixture
def shop(make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(people, "AT_ONCE", 1)  # the client of these tests is for one thread
    return make_shop(sections=CHEAP)


def everything(client: httpx.Client) -> dict[str, Any]:
    cursor, products = None, []
    while True:
        page = client.get("/v2/products", params={"limit": 20} | ({"cursor": cursor} if cursor else {})).json()
        products += [
            {name: product[name] for name in ("sku", "title", "price", "categories")}
            for product in page["items"]
        ]
        cursor = page["next"]
        if cursor is None:
            break
    stock = {row["sku"]: (row["stocked"], row["version"]) for row in pages(client, "/inventory", "stock")}
    users = {user["email"]: sorted(user["roles"]) for user in pages(client, "/users", "users")}
    return {
        "products": products,
        "stock": stock,
        "users": users,
        "categories": client.get("/v2/categories").json(),
    }


def test_it_puts_in_what_it_says(shop: Shop) -> None:
    seeded = seeding.seed(shop.http, TINY)
    there = everything(shop.http)
    assert (seeded.products, seeded.vendors, seeded.customers) == (50, 2, 3)
    assert len(there["products"]) == 50
    assert len(there["stock"]) == seeded.skus_in_stock <= 50
    assert Counter(tuple(roles) for roles in there["users"].values()) == {
        ("admin", "customer"): 1,
        ("customer", "vendor"): 2,
        ("customer",): 3,
    }
    assert there["stock"]["LAST-ONE"] == (1, 1)
    assert shop.http.get("/products/KETTLE-1L").json()["unit_price_cents"] == 4_900
    assert {product["categories"][0]["slug"] for product in there["products"]} <= {
        slug for slug, _, _ in catalogue.CATEGORIES
    }
    shop.settle()
    books = read(shop.http)
    assert violations(books, 30) == []
    created = [event for event in all_events(shop) if event["type"] == "ProductCreated"]
    assert len(created) == len({event["key"] for event in created}) == 50


def all_events(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.http.get("/events", params={"limit": 500}).json()["events"]
    return found


def test_twice_is_the_same_as_once_and_a_larger_size_begins_with_the_smaller(shop: Shop) -> None:
    seeding.seed(shop.http, TINY)
    once = everything(shop.http)
    shop.http.post("/inventory/KETTLE-1L/receipts", json={"quantity": 5}).raise_for_status()
    seeding.seed(shop.http, TINY)
    twice = everything(shop.http)
    assert twice["stock"].pop("KETTLE-1L") == (45, 2)
    assert once["stock"].pop("KETTLE-1L") == (40, 1)
    assert twice == once
    seeding.seed(shop.http, Size(products=60, vendors=2, customers=4))
    more = everything(shop.http)
    assert more["products"][:50] == once["products"]
    assert len(more["products"]) == 70
    assert len(more["users"]) == 7


def test_a_seed_that_was_cut_off_goes_on_where_it_was(shop: Shop) -> None:
    """Some products are there, some of them without stock, some people without their roles."""
    people.ensure(shop.http, [people.Person(person.email, person.name) for person in people.vendors(2)])
    shop.stock("KTL-00000", 7)
    shop.http.post(
        "/products", json={"sku": "MUG-BLUE", "name": "Blue stoneware mug", "unit_price_cents": 1250}
    )
    seeding.seed(shop.http, TINY)
    there = everything(shop.http)
    assert there["stock"]["KTL-00000"][0] == 7
    assert there["stock"]["MUG-BLUE"][0] == 200
    assert len(there["products"]) == 50
    assert there["users"][people.vendors(1)[0].email] == ["customer", "vendor"]


def test_the_catalogue_follows_from_its_number_and_looks_like_one() -> None:
    items = list(catalogue.items(3_000, 1))
    assert items == list(catalogue.items(3_000, 1))
    assert items[:50] == list(catalogue.items(50, 1))
    assert items[:50] != list(catalogue.items(50, 2))
    assert len({item.sku for item in items}) == 3_000
    assert len({item.title for item in items}) > 2_500
    assert {item.category for item in items} <= {slug for slug, _, _ in catalogue.CATEGORIES}
    assert all(0 < item.cents < 30_000 and 0 <= item.units <= catalogue.MOST_UNITS for item in items)
    assert 0 < sum(item.units == 0 for item in items) < 150


def test_what_is_seeded_can_be_signed_in_to(shop: Shop) -> None:
    seeding.seed(shop.http, Size(products=1, vendors=1, customers=1))
    token = people.sign_in(shop.http, people.customers(1)[0]).token
    mine = shop.http.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    assert mine.json()["email"] == people.customers(1)[0].email
    denied = shop.http.post(
        "/api/v1/inventory/KETTLE-1L/receipts",
        json={"quantity": 1},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert denied.status_code == 403


def test_where_the_network_is_not_trusted_it_says_so(make_shop: MakeShop) -> None:
    shop = make_shop(trust_network=False, sections=CHEAP)
    with pytest.raises(Refused, match="MERIDIAN_TRUST_NETWORK"):
        accepted(shop.http.put(f"/users/{'0' * 32}/roles", json={"roles": []}))


def test_a_batch_is_all_or_nothing_and_bounded(shop: Shop) -> None:
    good = {"sku": "A-1", "title": "A", "price": {"amount": "1.00", "currency": "USD"}}
    bad = {**good, "sku": "A-2", "categories": ["nowhere"]}
    assert shop.http.post("/v2/products/batch", json={"products": [good, bad]}).status_code == 422
    assert shop.http.get("/products/A-1").status_code == 404
    twin = {**good, "title": "Another"}
    answer = shop.http.post("/v2/products/batch", json={"products": [good, twin]})
    assert answer.status_code == 422
    assert shop.http.post("/v2/products/batch", json={"products": []}).status_code == 422
    anybody = shop.http.post(
        "/v2/products/batch", json={"products": [good]}, headers={"X-Meridian-Anonymous": "1"}
    )
    assert anybody.status_code == 401
    assert shop.http.post("/api/v2/products/batch", json={"products": [good]}).status_code in (404, 405)


def test_a_delivery_adds_up_with_what_is_there(shop: Shop) -> None:
    shop.stock("OLD", 3)
    lines = [{"sku": "OLD", "quantity": 2}, {"sku": "NEW", "quantity": 4}]
    headers = {"Idempotency-Key": "one delivery"}
    first = shop.http.post("/inventory/receipts", json={"lines": lines}, headers=headers)
    again = shop.http.post("/inventory/receipts", json={"lines": lines}, headers=headers)
    assert first.json() == again.json() == {"skus": 2, "units": 6}
    assert (shop.counters("OLD"), shop.counters("NEW")) == ((5, 0, 0), (4, 0, 0))
    assert shop.http.post("/inventory/receipts", json={"lines": [lines[0]] * 2}).status_code == 422
    shop.settle()
    told = [event for event in all_events(shop) if event["type"] == "InventoryAdjusted"]
    assert sorted(
        (event["payload"]["sku"], event["payload"]["available"], event["sequence"]) for event in told
    ) == [("NEW", 4, 1), ("OLD", 3, 1), ("OLD", 5, 2)]
