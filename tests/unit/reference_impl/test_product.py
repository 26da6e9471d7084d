"""The product service: versions, entity tags, owners, cache and events, on SQLite."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.unit.reference_impl.conftest import MakeShop, Shop

V2 = "application/vnd.meridian.v2+json"
NEW = {"sku": "KETTLE", "title": "Steel kettle", "price": {"amount": "49.00", "currency": "EUR"}}


@pytest.fixture
def kettle(shop: Shop) -> Shop:
    shop.http.post("/v2/categories", json={"slug": "kitchen", "name": "Kitchen"}).raise_for_status()
    drawer = {"slug": "kettles", "name": "Kettles", "parent": "kitchen"}
    shop.http.post("/v2/categories", json=drawer).raise_for_status()
    shop.http.post("/v2/products", json=NEW | {"categories": ["kettles"]}).raise_for_status()
    shop.settle()
    return shop


def change(shop: Shop, tag: str | None, **fields: Any) -> Any:
    return shop.http.patch("/v2/products/KETTLE", json=fields, headers={"If-Match": tag} if tag else {})


def cache_reads(result: str) -> float:
    return REGISTRY.get_sample_value("meridian_product_cache_reads_total", {"result": result}) or 0.0


def test_both_versions_show_one_product(kettle: Shop) -> None:
    first = kettle.http.get("/v1/products/KETTLE")
    assert first.json() == {
        "sku": "KETTLE",
        "name": "Steel kettle",
        "description": "",
        "unit_price_cents": 4900,
        "currency": "EUR",
    }
    second = kettle.http.get("/v2/products/KETTLE")
    body = second.json()
    assert (body["title"], body["price"]) == ("Steel kettle", {"amount": "49.00", "currency": "EUR"})
    assert body["categories"] == [{"slug": "kettles", "name": "Kettles", "path": "/kitchen/kettles/"}]
    assert first.headers["etag"] != second.headers["etag"]
    assert kettle.http.get("/products/KETTLE").json() == first.json()


def test_v1_says_that_it_ends_and_v2_does_not(kettle: Shop) -> None:
    for path in ("/products/KETTLE", "/v1/products/KETTLE"):
        headers = kettle.http.get(path).headers
        assert headers["deprecation"] == "@1767225600"
        assert headers["sunset"] == "Thu, 01 Jul 2027 00:00:00 GMT"
        assert headers["link"] == '</v2/products/KETTLE>; rel="successor-version"'
    assert "deprecation" not in kettle.http.get("/v2/products/KETTLE").headers


def test_the_version_can_be_asked_for_by_media_type(kettle: Shop) -> None:
    for accept in (V2, f"text/html, {V2};q=0.9"):
        answer = kettle.http.get("/products/KETTLE", headers={"Accept": accept})
        assert answer.headers["content-type"] == V2
        assert answer.headers["vary"] == "Accept"
        assert answer.json()["title"] == "Steel kettle"
    assert "items" in kettle.http.get("/products", headers={"Accept": V2}).json()
    plain = kettle.http.get("/products/KETTLE", headers={"Accept": "application/json"})
    assert plain.json()["name"] == "Steel kettle"
    assert plain.headers["vary"] == "Accept"


@pytest.mark.parametrize("path", ["/v1/products/KETTLE", "/v2/products/KETTLE"])
def test_who_has_it_already_gets_no_body(kettle: Shop, path: str) -> None:
    tag = kettle.http.get(path).headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        answer = kettle.http.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert kettle.http.get(path, headers={"If-None-Match": '"1.other"'}).status_code == 200
    change(kettle, "*", title="Copper kettle").raise_for_status()
    assert kettle.http.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_change_compares_with_what_was_read(kettle: Shop) -> None:
    tag = kettle.http.get("/v2/products/KETTLE").headers["etag"]
    first = change(kettle, tag, title="Copper kettle")
    assert (first.status_code, first.json()["version"]) == (200, 2)
    second = change(kettle, tag, price={"amount": "1.00", "currency": "EUR"})
    assert (second.status_code, second.json()["type"]) == (412, "urn:meridian:problem:changed-meanwhile")
    body = kettle.http.get("/v2/products/KETTLE").json()
    assert (body["title"], body["price"]["amount"]) == ("Copper kettle", "49.00")
    assert change(kettle, first.headers["etag"], title="Iron kettle").status_code == 200


@pytest.mark.parametrize(
    ("tag", "status"),
    [(None, 428), ('W/"1.v2"', 412), ('"1.v1"', 412), ('"9.v2"', 412), ("nonsense", 412), ('"x", "1.v2"', 200)],
)
def test_only_a_tag_of_this_representation_matches(kettle: Shop, tag: str | None, status: int) -> None:
    assert change(kettle, tag, title="Copper kettle").status_code == status


def test_vendors_change_their_own_and_nobody_elses(kettle: Shop) -> None:
    kettle.sign_in("v1", "vendor")
    mine = kettle.http.post("/v2/products", json=NEW | {"sku": "MINE"})
    assert (mine.status_code, mine.json()["vendor_id"]) == (201, "v1")
    assert kettle.http.post("/v2/products", json=NEW | {"sku": "X", "vendor_id": "v2"}).status_code == 403
    assert change(kettle, "*", title="Stolen").status_code == 403
    assert kettle.http.delete("/v2/products/KETTLE", headers={"If-Match": "*"}).status_code == 403
    kettle.sign_in("v2", "vendor")
    patch = {"json": {"title": "Stolen"}, "headers": {"If-Match": "*"}}
    assert kettle.http.patch("/v2/products/MINE", **patch).status_code == 403
    kettle.sign_in("c1", "customer")
    assert (
        kettle.http.post("/products", json={"sku": "Y", "name": "Y", "unit_price_cents": 1}).status_code == 403
    )
    kettle.sign_in("")
    assert kettle.http.patch("/v2/products/MINE", **patch).status_code == 401
    assert kettle.http.get("/v2/products/MINE").status_code == 200
    kettle.sign_in("a1", "admin")
    assert kettle.http.patch("/v2/products/MINE", **patch).status_code == 200


def test_only_admins_add_categories(kettle: Shop) -> None:
    kettle.sign_in("v1", "vendor")
    assert kettle.http.post("/v2/categories", json={"slug": "toys", "name": "Toys"}).status_code == 403


def test_categories_are_a_tree(kettle: Shop) -> None:
    assert kettle.http.get("/v2/categories").json() == [
        {
            "slug": "kitchen",
            "name": "Kitchen",
            "children": [{"slug": "kettles", "name": "Kettles", "children": []}],
        }
    ]
    taken = kettle.http.post("/v2/categories", json={"slug": "kettles", "name": "Again"})
    unknown = kettle.http.post("/v2/categories", json={"slug": "a", "name": "A", "parent": "nowhere"})
    assert (taken.status_code, unknown.status_code) == (409, 422)
    parent = "kettles"
    for level in ("l3", "l4", "l5", "l6"):
        answer = kettle.http.post("/v2/categories", json={"slug": level, "name": level, "parent": parent})
        assert answer.status_code == (422 if level == "l6" else 201)
        parent = level


def test_changes_are_told_by_events(kettle: Shop) -> None:
    change(kettle, "*", description="Boils.").raise_for_status()
    change(kettle, "*", price={"amount": "59.00", "currency": "EUR"}, categories=["kitchen"]).raise_for_status()
    kettle.http.delete("/v2/products/KETTLE", headers={"If-Match": "*"}).raise_for_status()
    kettle.settle()
    events = kettle.http.get("/events").json()["events"]
    said = [(event["type"], event["key"], event["payload"].get("changed")) for event in events]
    assert said == [
        ("ProductCreated", "KETTLE", None),
        ("ProductUpdated", "KETTLE", ["description"]),
        ("ProductUpdated", "KETTLE", ["unit_price_cents", "categories"]),
        ("ProductPriceChanged", "KETTLE", None),
        ("ProductUpdated", "KETTLE", ["retired"]),
    ]
    price = events[3]["payload"]
    assert (price["old_unit_price_cents"], price["unit_price_cents"]) == (4900, 5900)
    assert [event["payload"]["product_version"] for event in events] == [1, 2, 3, 3, 4]


def test_a_retired_product_is_gone_everywhere_and_its_sku_stays_taken(kettle: Shop) -> None:
    kettle.http.get("/products/KETTLE").raise_for_status()
    tag = kettle.http.get("/v2/products/KETTLE").headers["etag"]
    kettle.http.delete("/v2/products/KETTLE", headers={"If-Match": tag}).raise_for_status()
    assert kettle.http.get("/products/KETTLE").status_code == 404
    assert kettle.http.get("/products", params={"skus": "KETTLE"}).json()["products"] == []
    assert kettle.http.get("/v2/products", params={"q": "kettle"}).json()["items"] == []
    assert kettle.http.post("/v2/products", json=NEW).status_code == 409
    assert kettle.http.delete("/v2/products/KETTLE", headers={"If-Match": "*"}).status_code == 404


def test_a_product_is_read_once_and_then_from_the_cache(kettle: Shop) -> None:
    misses, hits = cache_reads("miss"), cache_reads("hit")
    for _ in range(5):
        kettle.http.get("/v2/products/KETTLE").raise_for_status()
    assert cache_reads("miss") - misses == 1
    assert cache_reads("hit") - hits >= 3  # the rest refreshed early


def test_the_event_makes_good_what_the_writer_did_not_live_to_do(
    kettle: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that wrote died between its commit and its cache: the event invalidates."""
    from reference_impl.services.product.catalogue import Catalogue

    kettle.http.get("/products/KETTLE").raise_for_status()
    with monkeypatch.context() as dying:
        dying.setattr(Catalogue, "forget", lambda self, sku: None)
        change(kettle, "*", title="Copper kettle").raise_for_status()
    assert kettle.http.get("/products/KETTLE").json()["name"] == "Steel kettle"
    kettle.settle()
    assert kettle.http.get("/products/KETTLE").json()["name"] == "Copper kettle"


def test_a_stampede_goes_past_single_flight(make_shop: MakeShop) -> None:
    shop = make_shop(faults="product.stampede=1")
    shop.stock("TEA", 1)
    before = cache_reads("unprotected")
    shop.http.get("/products/TEA").raise_for_status()
    assert cache_reads("unprotected") == before + 1


def test_a_slow_query_is_a_scan_that_finds_the_same(make_shop: MakeShop) -> None:
    def scans() -> float:
        return REGISTRY.get_sample_value("meridian_product_search_seconds_count", {"plan": "scan"}) or 0.0

    shop = make_shop(faults="product.slow-query=1")
    shop.stock("TEA", 1)
    before = scans()
    assert [item["sku"] for item in shop.http.get("/v2/products?q=tea").json()["items"]] == ["TEA"]
    assert scans() == before + 1


@pytest.mark.parametrize(
    "change",
    [
        {"price": {"amount": "1", "currency": "EUR"}},
        {"price": {"amount": "-1.00", "currency": "EUR"}},
        {"price": {"amount": "01.00", "currency": "EUR"}},
        {"price": {"amount": "1.00", "currency": "eur"}},
        {"price": {"amount": "99999999999.00", "currency": "EUR"}},
        {"title": "a\0b"},
        {"title": ""},
        {"categories": ["nowhere"]},
        {"categories": ["a"] * 11},
        {"vat": 19},
    ],
)
def test_what_is_no_product_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    assert shop.http.post("/v2/products", json=NEW | change).status_code == 422


def test_a_product_added_twice_under_one_key_is_one(shop: Shop) -> None:
    key = {"Idempotency-Key": "import 1"}
    first, second = (shop.http.post("/v2/products", json=NEW, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    shop.sign_in("v1", "vendor")
    assert shop.http.post("/v2/products", json=NEW, headers=key).status_code == 409, "the key is another's"
