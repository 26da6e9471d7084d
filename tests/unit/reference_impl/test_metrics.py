"""What a process counts, as somebody who scrapes it sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import MetaData

from reference_impl.shared import correlation
from reference_impl.shared.breaker import CircuitBreaker
from reference_impl.shared.bus import BusAway, EventBus
from reference_impl.shared.caches.memory import MemoryCache
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id
from reference_impl.shared.problems import Problem
from reference_impl.shared.scrape import ServicesCollector

from .conftest import Shop

Change = Callable[[], float]


def watch(name: str, **labels: str) -> Change:
    """How much a sample has grown since now: the registry is the process's, and other tests count too."""
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    return lambda: (REGISTRY.get_sample_value(name, labels) or 0.0) - before


def scraped(shop: Shop) -> dict[str, float]:
    answer = shop.http.get("/metrics").raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in answer.text.splitlines()
        if not line.startswith("#")
    }


def test_a_request_is_counted_by_its_route_and_not_by_its_path(shop: Shop) -> None:
    requests = watch(
        "meridian_http_request_seconds_count",
        service="order",
        method="GET",
        route="/orders/{order_id}",
        status="4xx",
    )
    for _ in range(3):
        assert shop.http.get(f"/orders/{new_id()}").status_code == 404
    assert requests() == 3


def test_the_route_of_a_nested_router_is_whole(shop: Shop) -> None:
    paths = set(shop.built.app.openapi()["paths"])
    for path in (
        "/v1/products/NONE",
        "/v2/products/NONE",
        f"/users/{new_id()}",
        "/payments",
        "/health/liveness",
    ):
        shop.http.get(path)
    routes = set(
        re.findall(r'http_request_seconds_count\{[^}]*route="([^"]+)"', shop.http.get("/metrics").text)
    )
    assert {"/v1/products/{sku}", "/v2/products/{sku}", "/users/{id}", "/payments"} <= routes
    assert routes - paths <= {"unmatched"} | {route for route in routes if route.startswith("/api/")}


def test_whoever_tries_out_paths_and_methods_makes_no_new_series(shop: Shop) -> None:
    labels = {"service": correlation.process(), "route": "unmatched", "status": "4xx"}
    gets = watch("meridian_http_request_seconds_count", method="GET", **labels)
    others = watch("meridian_http_request_seconds_count", method="other", **labels)
    for number in range(5):
        shop.http.get(f"/nothing/{number}")
        shop.http.request(f"BREW{number}", f"/nothing/{number}")
    assert (gets(), others()) == (5, 5)
    assert "BREW" not in shop.http.get("/metrics").text


def test_backlogs_and_connections_are_looked_at(shop: Shop) -> None:
    shop.stock("TEA", 1)
    shop.place({"TEA": 1})
    before = scraped(shop)
    assert before['meridian_outbox_backlog{service="order"}'] > 0
    shop.settle()
    after = scraped(shop)
    assert after['meridian_outbox_backlog{service="order"}'] == 0
    assert after['meridian_consumer_lag{service="inventory"}'] == 0
    assert after['meridian_database_connections_limit{service="order"}'] > 0


def test_a_scrape_does_not_wait_for_connections_that_are_not_free(shop: Shop) -> None:
    order = next(service for service in shop.built.runtime.services if service.name == "order")
    assert order.database is not None
    order.database.occupy(1.0)
    waited = watch("meridian_scrape_failures_total", service="order", metric="meridian_outbox_backlog")
    found = scraped(shop)
    assert 'meridian_outbox_backlog{service="order"}' not in found
    assert waited() == 0, "it asked all the same, and waited in vain"
    in_use = found['meridian_database_connections{service="order",state="in_use"}']
    assert in_use == found['meridian_database_connections_limit{service="order"}']
    order.database.occupy(0.0)


def test_what_can_not_be_told_is_left_out_and_counted(shop: Shop) -> None:
    bus = create_autospec(EventBus, instance=True)
    bus.lag.side_effect = BusAway("no")
    failures = watch("meridian_scrape_failures_total", service="order", metric="meridian_consumer_lag")
    families = {family.name: family for family in ServicesCollector(shop.built.runtime.services, bus).collect()}
    assert families["meridian_consumer_lag"].samples == []
    assert families["meridian_outbox_backlog"].samples != []
    assert failures() == 1


def test_deliveries_are_counted_by_what_became_of_them(shop: Shop) -> None:
    handled = watch(
        "meridian_consumer_deliveries_total", service="inventory", type="ReserveInventory", outcome="handled"
    )
    dead = watch(
        "meridian_consumer_deliveries_total",
        service="inventory",
        type="ReserveInventory",
        outcome="dead_lettered",
    )
    relayed = watch("meridian_outbox_relayed_total", service="order")
    shop.stock("TEA", 2)
    shop.place({"TEA": 1})
    shop.settle()
    assert (handled(), dead()) == (1, 0)
    assert relayed() >= 2
    shop.faults.set("events.poison", 1)
    shop.place({"TEA": 1})
    shop.settle()
    assert (handled(), dead()) == (2, 1)


def test_reads_of_the_cache_are_hits_or_misses() -> None:
    hits, misses = (watch("meridian_cache_reads_total", result=result) for result in ("hit", "miss"))
    cache = MemoryCache()
    cache.get("k")
    cache.set("k", b"v", 10)
    cache.get("k")
    cache.get("k")
    assert (hits(), misses()) == (2, 1)


def test_the_state_of_a_breaker_is_a_number() -> None:
    name = new_id()
    breaker = CircuitBreaker(name, least_calls=1)
    assert REGISTRY.get_sample_value("meridian_breaker_state", {"breaker": name}) == 0

    def fail() -> None:
        with breaker.guard():
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert REGISTRY.get_sample_value("meridian_breaker_state", {"breaker": name}) == 2
    assert REGISTRY.get_sample_value("meridian_breaker_changes_total", {"breaker": name, "state": "open"}) == 1


def test_a_transaction_without_a_connection_is_counted(tmp_path: Path) -> None:
    database = Database(
        f"sqlite:///{tmp_path / 'one.sqlite3'}", MetaData(), pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    busy = watch("meridian_database_busy_total", reason="pool")
    database.occupy(1.0)
    assert database.connections().exhausted
    with pytest.raises(Problem, match="connections"), database.write() as session:
        session.connection()
    assert busy() == 1
    database.occupy(0.0)
    assert not database.connections().exhausted
    database.close()
