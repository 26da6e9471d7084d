"""What passes the gateway, in both directions, and what does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from reference_impl.services.gateway.routing import TABLE, Table
from tests.unit.reference_impl.gateways import Door
from tests.unit.reference_impl.tokens import SUBJECT

ORDER = "/api/v1/orders/" + "a" * 32


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door()
    yield opened
    opened.close()


def sent(door: Door) -> httpx.Request:
    return door.peers.requests[-1]


# --- routes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/faults",
        "/api/v1/events",
        "/api/v1/health/readiness",
        "/api/v1/dead-letters",
        "/api/v1/inventory/reservations",
        "/api/v1/inventory",
        "/api/v1/products/../faults",
        "/api/v1/products/%2e%2e",
        "/api/v1/orders/aaa/../../faults",
        "/api/v1//products",
        "/api/v1/products/",
        "/api/v3/products",
        "/api/v1",
        "/api/",
        "/api/v1/payments/webhooks/gateway",
    ],
)
def test_what_is_not_in_the_table_does_not_exist(door: Door, path: str) -> None:
    token = door.signer.token(roles=["admin"])
    assert door.ask("GET", path, token=token).status_code == 404
    assert door.peers.requests == []


def test_a_wrong_method_is_told_which_are_right(door: Door) -> None:
    answer = door.ask("DELETE", "/api/v1/products")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == "/api/v1/products"


def test_every_version_leads_to_its_own(door: Door) -> None:
    for version in ("v1", "v2"):
        door.ask("GET", f"/api/{version}/products?q=tea%20pot")
        assert str(sent(door).url) == f"http://product/{version}/products?q=tea%20pot"


def test_every_route_that_changes_something_asks_who_it_is_or_is_strict() -> None:
    for route in TABLE:
        if set(route.methods.split()) - {"GET", "HEAD"}:
            assert route.access != "public" or route.strict, route.name
        if route.cache_seconds is not None:
            assert route.access == "public", route.name
    assert Table().find("GET", "/api/v1/pages/order/" + "a" * 32).route is not None


# --- who calls --------------------------------------------------------------------------------------------------------


def test_identity_comes_from_the_token_and_nowhere_else(door: Door) -> None:
    token = door.signer.token()
    forged = {
        "X-Meridian-Anonymous": "0",
        "X-Meridian-Subject": "admin",
        "X-Forwarded-For": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "X-Real-IP": "10.0.0.1",
        "X-Keep": "kept",
        "Connection": "close, X-Drop",
        "X-Drop": "dropped",
        "Transfer-Encoding": "chunked",
    }
    door.ask("GET", ORDER, token=token, headers=forged)
    got = sent(door).headers
    assert got["authorization"] == f"Bearer {token}"
    assert got["x-forwarded-for"] == "203.0.113.1"
    assert got["x-keep"] == "kept"
    assert got["host"] == "order"
    absent = {"x-meridian-anonymous", "x-meridian-subject", "forwarded", "x-real-ip", "x-drop", "connection"}
    assert not absent & set(got)


def test_somebody_without_a_token_is_marked_as_such(door: Door) -> None:
    door.ask("POST", "/api/v1/users", json={"email": "a@b"}, headers={"x-meridian-anonymous": ""})
    assert sent(door).headers.get_list("x-meridian-anonymous") == ["1"]
    assert "authorization" not in sent(door).headers


def test_a_route_that_is_not_public_needs_a_token(door: Door) -> None:
    answer = door.ask("GET", ORDER)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert door.ask("GET", ORDER, token="nonsense").status_code == 401
    assert door.ask("GET", "/api/v1/products", token="nonsense").status_code == 401
    assert door.ask("GET", ORDER, headers={"Authorization": "Basic YTpi"}).status_code == 401
    assert door.peers.requests == []


def test_a_role_is_asked_for_where_the_table_says(door: Door) -> None:
    assert door.ask("POST", "/api/v1/products", token=door.signer.token()).status_code == 403
    assert door.ask("POST", "/api/v1/products", token=door.signer.token(roles=["vendor"])).status_code == 200
    assert door.ask("POST", "/api/v1/products", token=door.signer.token(roles=["admin"])).status_code == 200


KEY = "mk_" + "0" * 12 + "_" + "x" * 43


def exchanged(door: Door, scope: str = "orders:read", plan: str = "free") -> httpx.Response:
    token = door.signer.token(kind="api-key", scope=scope)
    body = {"access_token": token, "expires_in": 300, "key_id": "1" * 32, "plan": plan}
    return httpx.Response(200, json=body)


def test_an_api_key_is_exchanged_once_and_never_passed_on(door: Door) -> None:
    door.peers.answers["user"] = [exchanged(door)]
    for _ in range(3):
        assert door.ask("GET", ORDER, headers={"X-API-Key": KEY}).status_code == 200
    assert [request.url.host for request in door.peers.requests] == ["user", "order", "order", "order"]
    assert "x-api-key" not in sent(door).headers
    assert sent(door).headers["authorization"].startswith("Bearer ey")


def test_many_with_the_same_key_at_once_ask_once(door: Door) -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        return exchanged(door)

    door.peers.answers["user"] = [slow]
    answers = door.ask_all([("GET", ORDER, None, {"headers": {"X-API-Key": KEY}}) for _ in range(8)])
    assert {answer.status_code for answer in answers} == {200}
    assert [request.url.host for request in door.peers.requests].count("user") == 1


def test_a_revoked_key_stops_working_within_a_minute(door: Door) -> None:
    door.peers.answers["user"] = [exchanged(door), httpx.Response(401)]
    assert door.ask("GET", ORDER, headers={"X-API-Key": KEY}).status_code == 200
    door.clock.at += 60
    for _ in range(3):
        assert door.ask("GET", ORDER, headers={"X-API-Key": KEY}).status_code == 401
    assert [request.url.host for request in door.peers.requests].count("user") == 2, (
        "a refusal is remembered too"
    )


def test_a_key_is_held_to_its_scopes(door: Door) -> None:
    door.peers.answers["user"] = [exchanged(door, scope="orders:read")]
    headers = {"X-API-Key": KEY}
    assert door.ask("GET", ORDER, headers=headers).status_code == 200
    refused = door.ask("POST", "/api/v1/orders", headers=headers)
    assert (refused.status_code, "orders:write" in refused.json()["detail"]) == (403, True)
    assert door.ask("GET", "/api/v1/api-keys", headers=headers).status_code == 403
    assert door.ask("GET", "/api/v1/products", headers=headers).status_code == 200


def test_two_identities_in_one_request_are_refused(door: Door) -> None:
    answer = door.ask("GET", ORDER, token=door.signer.token(), headers={"X-API-Key": KEY})
    assert answer.status_code == 400


def test_keys_that_look_like_none_ask_nobody(door: Door) -> None:
    assert door.ask("GET", ORDER, headers={"X-API-Key": "guess"}).status_code == 401
    assert door.peers.requests == []


# --- limits -----------------------------------------------------------------------------------------------------------


def test_too_many_requests_are_told_when_to_come_back() -> None:
    door = Door(limit_per_user=3, limit_window_seconds=10)
    token = door.signer.token()
    answers = [door.ask("GET", ORDER, token=token) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    last = answers[-1]
    assert (last.headers["retry-after"], last.headers["ratelimit-reset"]) == ("10", "10")
    assert (last.headers["ratelimit-limit"], last.headers["ratelimit-policy"]) == ("3", "3;w=10")
    assert last.json()["type"] == "urn:meridian:problem:rate-limited"
    assert door.ask("GET", ORDER, token=door.signer.token(sub="6" * 32)).status_code == 200
    door.clock.at += 10
    assert door.ask("GET", ORDER, token=token).status_code == 200
    door.close()


def test_a_plan_has_a_burst_a_rate_and_a_quota() -> None:
    door = Door()
    door.peers.answers["user"] = [exchanged(door), exchanged(door)]
    ask = lambda: door.ask("GET", ORDER, headers={"X-API-Key": KEY})  # noqa: E731
    assert [ask().status_code for _ in range(11)] == [200] * 10 + [429]
    door.clock.at += 1
    assert [ask().status_code for _ in range(3)] == [200, 200, 429]
    assert ask().headers["ratelimit-policy"] == "10;w=5, 5000;w=86400"
    door.close()


def test_signing_in_has_a_low_limit_of_its_own_per_address() -> None:
    door = Door(limit_of_strict_routes=2)
    ask = lambda: door.ask("POST", "/api/v1/auth/token", json={})  # noqa: E731
    assert [ask().status_code for _ in range(3)] == [200, 200, 429]
    door.client = ("203.0.113.2", 1)
    assert ask().status_code == 200
    door.close()


def test_guessed_tokens_and_keys_are_limited_per_address() -> None:
    door = Door(limit_per_address=3)
    door.peers.default = httpx.Response(401)
    guesses = [f"mk_{number:012x}_" + "x" * 43 for number in range(6)]
    statuses = [door.ask("GET", ORDER, headers={"X-API-Key": guess}).status_code for guess in guesses]
    assert statuses == [401] * 3 + [429] * 3
    assert len(door.peers.requests) == 3
    door.close()
    door = Door(limit_per_address=3)
    assert [door.ask("GET", ORDER, token="x.y.z").status_code for _ in range(5)] == [401] * 3 + [429] * 2
    door.close()


def test_only_our_own_proxies_say_where_somebody_comes_from() -> None:
    door = Door(trusted_proxies=1)
    door.ask("GET", "/api/v1/inventory/TEA", headers={"X-Forwarded-For": "10.9.9.9, 198.51.100.4"})
    assert sent(door).headers["x-forwarded-for"] == "198.51.100.4"
    door.close()


def test_load_beyond_the_limit_is_shed_and_the_rest_is_served() -> None:
    door = Door(most_in_flight=3)

    async def slow(request: httpx.Request) -> httpx.Response:
        for _ in range(1_000):  # by turns of the loop, not by the clock: the others come before this one goes
            await asyncio.sleep(0)
        return httpx.Response(200, json={})

    door.peers.default = slow
    answers = door.ask_all([("GET", "/api/v1/inventory/TEA", None, {}) for _ in range(5)])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503, 503]
    shed = next(answer for answer in answers if answer.status_code == 503)
    assert shed.headers["retry-after"] == "1"
    door.peers.default = httpx.Response(200, json={})
    assert door.ask("GET", "/api/v1/inventory/TEA").status_code == 200, "the places are free again"
    door.close()


def test_headers_are_bounded(door: Door) -> None:
    answer = door.ask("GET", "/api/v1/products", headers={"X-Long": "x" * 17_000})
    assert answer.status_code == 431
    assert door.peers.requests == []


# --- transformations --------------------------------------------------------------------------------------------------


def test_the_first_app_is_understood_and_answered_in_its_words(door: Door) -> None:
    door.peers.answers["order"] = [httpx.Response(201, json={"id": "a" * 32, "total_cents": 300})]
    body = {"basket": [{"article": "TEA", "count": 2}], "payment_token": "tok_visa"}
    answer = door.ask(
        "POST",
        "/api/v1/orders",
        token=door.signer.token(),
        json=body,
        headers={"User-Agent": "MeridianApp/1.4 (iOS)"},
    )
    assert json.loads(sent(door).content) == {"items": [{"sku": "TEA", "quantity": 2}], "card": "tok_visa"}
    assert answer.status_code == 201
    assert answer.json() == {"order_number": "a" * 32, "amount_cents": 300}


def test_other_clients_are_left_alone(door: Door) -> None:
    body = {"basket": 1}
    door.ask(
        "POST",
        "/api/v1/orders",
        token=door.signer.token(),
        json=body,
        headers={"User-Agent": "MeridianApp/2.0"},
    )
    assert json.loads(sent(door).content) == body


def test_what_is_no_json_is_for_the_service_to_refuse(door: Door) -> None:
    headers = {"User-Agent": "MeridianApp/1.0"}
    for content in (b"{broken", b"[" * 60_000):
        door.ask("POST", "/api/v1/orders", token=door.signer.token(), content=content, headers=headers)
        assert sent(door).content == content


def test_links_lead_through_the_gateway_and_the_inside_stays_inside(door: Door) -> None:
    door.peers.default = httpx.Response(
        201,
        headers={
            "Location": "/v1/products/TEA",
            "Link": '</v2/products>; rel="successor-version"',
            "Server": "uvicorn",
            "X-Meridian-Shard": "7",
            "Connection": "close",
            "Deprecation": "@1",
        },
    )
    answer = door.ask("POST", "/api/v1/products", token=door.signer.token(roles=["vendor"]), json={})
    assert answer.headers["location"] == "/api/v1/products/TEA"
    assert answer.headers["link"] == '</api/v2/products>; rel="successor-version"'
    assert answer.headers["deprecation"] == "@1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not {"server", "x-meridian-shard", "connection"} & set(answer.headers)


# --- pages ------------------------------------------------------------------------------------------------------------

PRODUCT: dict[str, Any] = {"sku": "TEA", "categories": [{"slug": "drinks"}]}


def test_a_product_page_has_all_its_parts_in_one_answer(door: Door) -> None:
    others = {"items": [PRODUCT, {"sku": "CUP"}]}
    door.peers.answers["product"] = [httpx.Response(200, json=PRODUCT), httpx.Response(200, json=others)]
    door.peers.answers["inventory"] = [httpx.Response(200, json={"available": 4})]
    page = door.ask("GET", "/api/v1/pages/product/TEA").json()
    assert page == {"product": PRODUCT, "stock": {"available": 4}, "related": [{"sku": "CUP"}], "degraded": []}


def test_a_page_without_one_part_is_still_a_page(door: Door) -> None:
    door.peers.answers["product"] = [httpx.Response(200, json=PRODUCT), httpx.Response(500)]
    door.peers.answers["inventory"] = [httpx.ConnectError("down")] * 3
    answer = door.ask("GET", "/api/v1/pages/product/TEA")
    assert answer.status_code == 200
    assert answer.json() == {"product": PRODUCT, "stock": None, "related": [], "degraded": ["related", "stock"]}


@pytest.mark.parametrize(
    ("broken", "status"), [(httpx.Response(404, json={}), 404), (httpx.ReadTimeout("slow"), 504)]
)
def test_a_page_about_nothing_is_an_error(door: Door, broken: Any, status: int) -> None:
    door.peers.answers["product"] = [broken] * 3
    assert door.ask("GET", "/api/v1/pages/product/TEA").status_code == status


ORDERED: dict[str, Any] = {"id": "a" * 32, "lines": [{"sku": "TEA"}, {"sku": "CUP"}]}


def test_an_order_page_asks_in_the_name_of_its_caller(door: Door) -> None:
    door.peers.answers["order"] = [httpx.Response(200, json=ORDERED)]
    door.peers.answers["product"] = [httpx.Response(200, json={"products": [{"sku": "CUP"}]})]
    door.peers.answers["shipping"] = [httpx.Response(404)]
    token = door.signer.token(sub=SUBJECT)
    page = door.ask("GET", f"/api/v1/pages/order/{'a' * 32}", token=token).json()
    assert page == {"order": ORDERED, "products": [{"sku": "CUP"}], "shipments": [], "degraded": []}
    assert {request.headers["authorization"] for request in door.peers.requests} == {f"Bearer {token}"}
    asked = {str(request.url) for request in door.peers.requests}
    assert "http://product/v1/products?limit=2&skus=CUP,TEA" in asked


def test_of_somebody_elses_order_nothing_is_told(door: Door) -> None:
    door.peers.answers["order"] = [httpx.Response(404, json={"detail": "unknown"})]
    door.peers.answers["shipping"] = [httpx.Response(200, json={"shipments": [{"secret": 1}]})]
    answer = door.ask("GET", f"/api/v1/pages/order/{'a' * 32}", token=door.signer.token())
    assert (answer.status_code, answer.json()) == (404, {"detail": "unknown"})
