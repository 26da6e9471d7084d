"""How the gateway bears with services that fail: deadlines, retries, budgets, breakers, cached answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.services.gateway import proxy, retries
from reference_impl.services.gateway.retries import RESERVE, RetryBudget
from tests.unit.reference_impl.gateways import Clock, Door

STOCK = "/api/v1/inventory/TEA"
ORDERS = "/api/v1/orders"


@pytest.fixture
def door() -> Iterator[Door]:
    opened = Door()
    yield opened
    opened.close()


def stopped_clock(door: Door, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What deadlines and breakers go by from now on: it stands until the test moves it."""
    clock = Clock()
    monkeypatch.setattr(proxy, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(door.proxy._upstreams, "_clock", clock)
    return clock


def tries(door: Door) -> int:
    count = len(door.peers.requests)
    door.peers.requests.clear()
    return count


@pytest.mark.parametrize(
    "failure", [httpx.Response(503), httpx.ReadError("broken"), httpx.ConnectError("refused")]
)
def test_a_read_is_tried_again(door: Door, failure: object) -> None:
    door.peers.answers["inventory"] = [failure, failure]
    assert door.ask("GET", STOCK).status_code == 200
    assert tries(door) == 3
    assert len(door.pauses) == 2
    assert 0 <= door.pauses[0] <= 0.05
    assert 0 <= door.pauses[1] <= 0.1


def test_what_keeps_failing_is_answered_as_it_is(door: Door) -> None:
    door.peers.default = httpx.Response(503, json={"detail": "from the service"})
    answer = door.ask("GET", STOCK)
    assert (answer.status_code, answer.json()) == (503, {"detail": "from the service"})
    assert tries(door) == 3


def test_a_write_is_tried_again_only_with_a_key_or_when_it_never_got_there(door: Door) -> None:
    token = door.signer.token()
    for failure, headers, expected in (
        (httpx.ReadError("broken"), {}, (502, 1)),
        (httpx.Response(503), {}, (503, 1)),
        (httpx.ReadError("broken"), {"Idempotency-Key": "1"}, (200, 2)),
        (httpx.ConnectError("refused"), {}, (200, 2)),
    ):
        door.peers.answers["order"] = [failure]
        answer = door.ask("POST", ORDERS, token=token, json={"a": 1}, headers=headers)
        assert (answer.status_code, tries(door)) == expected, (failure, headers)


def test_a_bug_is_not_tried_again(door: Door) -> None:
    door.peers.answers["inventory"] = [httpx.Response(500)]
    assert door.ask("GET", STOCK).status_code == 500
    assert tries(door) == 1


def test_a_retry_has_the_same_body(door: Door) -> None:
    door.peers.answers["order"] = [httpx.ReadError("broken")]
    headers = {"Idempotency-Key": "1"}
    door.ask("POST", ORDERS, token=door.signer.token(), json={"a": 1}, headers=headers)
    bodies = {request.content for request in door.peers.requests}
    assert len(door.peers.requests) == 2
    assert bodies == {b'{"a":1}'}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), max_size=300), st.floats(0.0, 1.0))
def test_retries_are_never_more_than_their_share(kinds: list[bool], share: float) -> None:
    budget = RetryBudget(share)
    earned = spent = 0
    for retry in kinds:
        if retry:
            spent += budget.spend()
        else:
            budget.earn()
            earned += 1
        assert spent <= RESERVE + share * earned + 1e-9
    if share == 0:
        assert spent == 0


def test_when_everything_fails_the_upstream_sees_few_requests_more() -> None:
    door = Door(limit_per_address=10_000)
    door.peers.default = httpx.ReadError("broken")
    asked = 200
    for _ in range(asked):
        door.ask("GET", STOCK)
    assert tries(door) <= asked * 1.1 + RESERVE
    door.close()


def test_the_retry_storm_sends_six_times_as_many() -> None:
    door = Door(limit_per_address=10_000)
    door.faults.set("gateway.retry-storm", 1)
    door.peers.default = httpx.ReadError("broken")
    for _ in range(20):
        assert door.ask("GET", STOCK).status_code == 502
    assert tries(door) == 120
    assert door.pauses == []
    assert door.ask("POST", ORDERS, token=door.signer.token()).status_code == 502
    assert tries(door) == 1, "even then nothing takes effect twice"
    door.close()


def test_pauses_grow_and_are_different_for_everybody() -> None:
    assert [retries.pause(number, lambda: 1.0) for number in (1, 2, 3, 9)] == [0.05, 0.1, 0.2, 1.0]
    assert len({retries.pause(3) for _ in range(20)}) > 10


def test_the_breaker_leaves_an_upstream_alone_and_tries_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(attempts=1)
    clock = stopped_clock(door, monkeypatch)
    door.peers.default = httpx.ReadError("broken")
    statuses = [door.ask("GET", STOCK).status_code for _ in range(15)]
    assert statuses == [502] * 10 + [503] * 5
    assert tries(door) == 10
    answer = door.ask("GET", STOCK)
    assert answer.json()["type"].endswith("circuit-open")
    assert int(answer.headers["retry-after"]) >= 1
    assert door.ask("GET", "/api/v1/products").status_code == 502, "the breaker of another service is its own"
    clock.at += 10
    door.peers.default = httpx.Response(200, json={})
    assert [door.ask("GET", STOCK).status_code for _ in range(3)] == [200] * 3
    door.close()


def test_what_the_caller_did_wrong_opens_no_circuit() -> None:
    door = Door()
    door.peers.default = httpx.Response(404)
    assert {door.ask("GET", STOCK).status_code for _ in range(30)} == {404}
    assert tries(door) == 30
    door.close()


def test_a_service_is_told_how_long_the_caller_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(patience=1)
    stopped_clock(door, monkeypatch)
    door.ask("GET", STOCK)
    assert float(door.peers.requests[-1].headers["x-request-timeout"]) == 2.0
    door.ask("GET", STOCK, headers={"X-Request-Timeout": "0.5"})
    assert float(door.peers.requests[-1].headers["x-request-timeout"]) == 0.5
    for nonsense in ("60", "-1", "soon", "nan"):
        door.ask("GET", STOCK, headers={"X-Request-Timeout": nonsense})
        assert float(door.peers.requests[-1].headers["x-request-timeout"]) == 2.0, nonsense
    door.close()


def test_nobody_waits_longer_than_the_deadline(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stopped_clock(door, monkeypatch)

    async def never(request: httpx.Request) -> httpx.Response:
        clock.at += 1  # it has come, and the time is over while it is at work
        await asyncio.sleep(30)
        return httpx.Response(200)

    door.peers.default = never
    answer = door.ask("GET", STOCK, headers={"X-Request-Timeout": "0.05"})
    assert answer.status_code == 504
    assert answer.json()["type"].endswith("upstream-timeout")
    assert tries(door) == 1, "there was no time for a second try"


# --- cached answers ---------------------------------------------------------------------------------------------------

LIST = "/api/v1/products?limit=2"


def answers(door: Door, *given: httpx.Response) -> None:
    door.peers.answers["product"] = list(given)


def test_a_read_is_kept_for_as_long_as_the_service_says(door: Door) -> None:
    answers(door, httpx.Response(200, json=[1], headers={"Cache-Control": "public, max-age=30"}))
    door.ask("GET", LIST)
    door.clock.at += 29
    kept = door.ask("GET", LIST)
    assert (kept.json(), kept.headers["age"], tries(door)) == ([1], "29", 1)
    door.clock.at += 1
    assert door.ask("GET", LIST).json() == {"fine": True}


def test_other_words_are_another_question(door: Door) -> None:
    door.ask("GET", LIST)
    door.ask("GET", "/api/v1/products?limit=3")
    door.ask("GET", "/api/v2/products?limit=2")
    assert tries(door) == 3


def test_what_must_not_be_kept_is_not(door: Door) -> None:
    for headers in (
        {"Cache-Control": "no-store"},
        {"Cache-Control": "private, max-age=60"},
        {"Set-Cookie": "a=b"},
        {"Vary": "*"},
        {"Cache-Control": "max-age=0"},
    ):
        answers(door, *(httpx.Response(200, json=[1], headers=headers) for _ in range(2)))
        door.ask("GET", LIST)
        door.ask("GET", LIST)
        assert tries(door) == 2, headers
    answers(door, httpx.Response(404), httpx.Response(404))
    assert [door.ask("GET", LIST).status_code for _ in range(2)] == [404, 404]
    assert tries(door) == 2


def test_an_answer_that_varies_is_kept_for_each(door: Door) -> None:
    vary = {"Vary": "Accept", "Cache-Control": "max-age=60"}
    answers(door, httpx.Response(200, json=[1], headers=vary), httpx.Response(200, json=[2], headers=vary))
    for _ in range(2):
        assert door.ask("GET", LIST, headers={"Accept": "application/json"}).json() == [1]
        assert door.ask("GET", LIST, headers={"Accept": "text/html"}).json() == [2]
    assert tries(door) == 2


def test_a_shared_answer_is_asked_for_in_nobodys_name(door: Door) -> None:
    door.ask("GET", LIST, token=door.signer.token(roles=["admin"]))
    assert "authorization" not in door.peers.requests[-1].headers
    assert door.peers.requests[-1].headers["x-meridian-anonymous"] == "1"
    door.ask("GET", LIST)
    assert tries(door) == 1


def test_a_stale_answer_is_renewed_by_its_etag(door: Door) -> None:
    tagged = {"ETag": '"7"', "Cache-Control": "max-age=5"}
    answers(door, httpx.Response(200, json=[1], headers=tagged), httpx.Response(304, headers=tagged))
    door.ask("GET", LIST)
    door.clock.at += 6
    assert door.ask("GET", LIST, headers={"If-None-Match": '"caller"'}).json() == [1]
    assert door.peers.requests[-1].headers["if-none-match"] == '"7"'
    assert tries(door) == 2
    assert door.ask("GET", LIST).json() == [1]
    assert tries(door) == 0


def test_a_caller_who_has_it_gets_no_body(door: Door) -> None:
    answers(door, httpx.Response(200, json=[1], headers={"ETag": 'W/"7"', "Cache-Control": "max-age=5"}))
    for _ in range(2):
        answer = door.ask("GET", LIST, headers={"If-None-Match": '"6", "7"'})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"7"')
    assert tries(door) == 1
    assert door.ask("GET", LIST, headers={"If-None-Match": '"6"'}).status_code == 200


def test_a_caller_can_ask_for_the_latest(door: Door) -> None:
    door.ask("GET", LIST)
    door.ask("GET", LIST, headers={"Cache-Control": "no-cache"})
    assert tries(door) == 2


def test_what_is_kept_serves_while_the_service_is_down(door: Door) -> None:
    answers(door, httpx.Response(200, json=[1], headers={"Cache-Control": "max-age=5"}))
    door.ask("GET", LIST)
    door.peers.default = httpx.ConnectError("down")
    door.clock.at += 60
    assert door.ask("GET", LIST).json() == [1]
    door.clock.at += 6
    assert door.ask("GET", LIST).status_code in (502, 503)


def test_memory_is_bounded_and_what_was_used_last_stays() -> None:
    door = Door(cache_bytes=3 * 2048)
    door.peers.default = httpx.Response(200, content=b"x" * 1000, headers={"Cache-Control": "max-age=60"})
    for number in (1, 2, 3, 1, 4):
        door.ask("GET", f"/api/v1/products?limit={number}")
    tries(door)
    for number in (1, 4):
        door.ask("GET", f"/api/v1/products?limit={number}")
    assert tries(door) == 0
    door.ask("GET", "/api/v1/products?limit=2")
    assert tries(door) == 1
    assert door.proxy._cache._bytes <= 3 * 2048
    door.close()
