"""The load generator against a server that does as a test says: what it sends, what it measures, what it calls an error."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from aiohttp import web

from reference_impl.loadtest import generator, outcome
from reference_impl.loadtest.generator import Generator, Plan
from reference_impl.loadtest.record import Record, percentile, spread
from reference_impl.loadtest.shoppers import BUYING, CHECKOUT, SHOPPING, Customer, Shoppers
from tests.unit.reference_impl.conftest import Shop

PATIENCE = 60.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def nobody_gives_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still makes answers slow, and no errors of them."""
    monkeypatch.setattr(generator, "TIMEOUT_SECONDS", PATIENCE)


def customers(count: int, seconds: float = 1_000) -> list[Customer]:
    return [Customer(f"token-{number}", "refresh", time.monotonic() + seconds) for number in range(count)]


def run(
    handler: Handler,
    plan: Plan,
    people: list[Customer],
    mix: Any = SHOPPING,
    renewed: list[Customer] | None = None,
) -> Record:
    """One run against a server of its own."""
    record = Record()
    shoppers = Shoppers([f"SKU-{number}" for number in range(50)], mix, random.Random(1))

    async def renew(customer: Customer) -> None:
        customer.expires += 1_000
        if renewed is not None:
            renewed.append(customer)

    async def everything() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        try:
            made = Generator(f"http://127.0.0.1:{port}", None, people, shoppers, record)
            await made.run(plan, renew, lambda _line: None)
        finally:
            await runner.cleanup()

    asyncio.run(everything())
    return record


async def fine(request: web.Request) -> web.Response:
    return web.json_response({"id": request.headers.get("Idempotency-Key", "x")})


def test_while_the_server_stands_still_the_requests_that_were_due_count_as_slow() -> None:
    """A generator that waits for answers would see one slow request here, and a fine median."""
    opened = 0.0

    async def frozen_at_first(_request: web.Request) -> web.Response:
        nonlocal opened
        opened = opened or time.monotonic() + 1.0
        await asyncio.sleep(max(0.0, opened - time.monotonic()))
        return web.json_response({"id": "x"})

    record = run(frozen_at_first, Plan(1.5, rate=100), customers(3))
    latencies = sorted(value for values in record.latencies.values() for value in values)
    # A hundred were due in the frozen second: by and large half of them waited for more than half of it.
    assert sum(latency > 0.5 for latency in latencies) > 20
    assert len(latencies) > 80


def test_arrivals_are_as_many_as_asked_for_and_come_at_random() -> None:
    dues: list[float] = []

    async def noting(request: web.Request) -> web.Response:
        dues.append(time.monotonic())
        return await fine(request)

    record = run(noting, Plan(2.0, rate=150), customers(5))
    assert 220 < record.count < 390
    assert record.errors == {}
    assert record.count == len(dues) == len(record.lateness)


def test_in_a_closed_loop_each_customer_has_one_request_at_a_time() -> None:
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def slow(request: web.Request) -> web.Response:
        who = request.headers["Authorization"]
        under_way[who] += 1
        most[who] = max(most[who], under_way[who])
        await asyncio.sleep(0.05)
        under_way[who] -= 1
        return await fine(request)

    record = run(slow, Plan(1.0, think=0.02), customers(4))
    assert set(most.values()) == {1}
    assert len(most) == 4
    assert 4 <= record.count <= 4 * 21


def test_errors_are_told_apart_and_are_no_latencies() -> None:
    turns: dict[str, int] = {}

    async def failing(request: web.Request) -> web.StreamResponse:
        # By what is asked for: aiohttp sends a read once more whose connection was closed, and it has to fail again.
        match turns.setdefault(request.path_qs, len(turns)) % 4:
            case 0:
                problem = {"type": "https://meridian.example/problems/rate-limited"}
                return web.json_response(problem, status=429)
            case 1:
                return web.Response(status=502, text="no document")
            case 2:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
        return await fine(request)

    record = run(failing, Plan(1.0, rate=80), customers(2))
    kinds = Counter[str]()
    for (_, kind), count in record.errors.items():
        kinds[kind] += count
    assert set(kinds) == {"429 rate-limited", "502", "ServerDisconnectedError"}
    document = record.document(1.0)
    assert document["errors"] == sum(kinds.values())
    assert document["requests"] == record.count
    assert (
        sum(action["answered"] for action in document["actions"].values()) == record.count - document["errors"]
    )


def test_a_server_that_is_away_is_an_error_each_time() -> None:
    record = Record()
    shoppers = Shoppers(["A"], SHOPPING, random.Random(1))

    async def nothing(_customer: Customer) -> None:
        raise AssertionError

    made = Generator("http://127.0.0.1:9", None, customers(1), shoppers, record)
    asyncio.run(made.run(Plan(0.5, rate=50), nothing, lambda _line: None))
    assert record.count == sum(record.errors.values()) > 5
    assert {kind for _, kind in record.errors} == {"ClientConnectorError"}


def test_orders_have_a_key_and_are_remembered() -> None:
    bodies: list[dict[str, Any]] = []

    async def noting(request: web.Request) -> web.Response:
        if request.method == "POST":
            bodies.append(await request.json())
        return await fine(request)

    people = customers(2)
    record = run(noting, Plan(1.0, rate=100), people, BUYING)
    assert len(record.placed) == len(bodies) == len(record.latencies[CHECKOUT]) > 10
    assert {customer.last_order for customer in people} <= record.placed
    for body in bodies:
        skus = [item["sku"] for item in body["items"]]
        assert 1 <= len(skus) == len(set(skus)) <= 3


def test_who_is_signed_in_stays_so() -> None:
    people = [*customers(1, seconds=5), *customers(1)]
    renewed: list[Customer] = []
    run(fine, Plan(1.6, rate=10), people, renewed=renewed)
    assert renewed == people[:1]


def test_the_same_dice_in_another_run_make_orders_of_their_own() -> None:
    """Not answers to those of the first run, which the platform still knows by their keys."""

    def keys() -> set[str]:
        shoppers = Shoppers(["A", "B"], BUYING, random.Random(1))
        found = [shoppers.next(customers(1)[0]) for _ in range(100)]
        return {wanted.headers["Idempotency-Key"] for wanted in found if wanted.action == CHECKOUT}

    first, second = keys(), keys()
    assert first
    assert not first & second


def test_the_same_dice_make_the_same_requests() -> None:
    def requests(number: int) -> list[tuple[str, str, bytes | None]]:
        shoppers = Shoppers([f"S{index}" for index in range(99)], SHOPPING, random.Random(number))
        found = [shoppers.next(customers(1)[0]) for _ in range(300)]
        return [(wanted.action, wanted.path, wanted.body) for wanted in found]

    assert requests(1) == requests(1) != requests(2)
    actions = Counter(action for action, _, _ in requests(1))
    assert set(actions) == set(SHOPPING)
    assert actions[CHECKOUT] < actions["browse"]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 3), (0.95, 5), (0.0, 1), (1.0, 5), (0.2, 1), (0.21, 2)])
def test_percentiles_are_values_that_were_measured(share: float, expected: float) -> None:
    assert percentile([1, 2, 3, 4, 5], share) == expected
    assert percentile([], share) == 0


def test_a_spread_is_in_milliseconds() -> None:
    assert spread([0.004, 0.001, 0.002, 0.003]) == {"p50": 2.0, "p95": 4.0, "p99": 4.0, "max": 4.0}


def test_the_newest_order_is_found_and_what_became_of_those_behind_it(shop: Shop) -> None:
    shop.stock("TEA", 100)
    assert outcome.newest(shop.http) == 0
    before = [shop.place({"TEA": 1}) for _ in range(11)]
    after = outcome.newest(shop.http)
    page = httpx.QueryParams({"after": after})
    assert shop.http.get("/orders", params=page).json()["orders"] == []
    assert len(shop.http.get("/orders", params={"after": after - 1}).json()["orders"]) == 1
    placed = {shop.place({"TEA": 1}), shop.place({"TEA": 1}, card="tok_declined"), "never-taken"}
    shop.settle()
    waiting = shop.place({"TEA": 1})
    others = shop.place({"TEA": 1})
    found = outcome.follow(shop.http, placed | {waiting}, after, patience=0)
    assert found.states == {"confirmed": 1, "payment_declined": 1, "pending": 1}
    assert (found.confirmed, found.unfinished, found.missing) == (1, 1, 1)
    assert len(found.seconds) == 1
    assert others not in placed
    assert len(before) == 11
