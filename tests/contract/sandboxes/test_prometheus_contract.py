"""Prometheus on every driver, scraping a server of the learner's and asked over HTTP from both sides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandboxes.interface import Driver, Limits, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute

pytestmark = pytest.mark.prometheus

LEARNER = """
import json, os, pathlib, time
import httpx
from prometheus_client import CollectorRegistry, Counter, start_http_server
registry = CollectorRegistry()
orders = Counter("orders", "Orders taken", ["shop"], registry=registry)
server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)

def take(shop, count):
    orders.labels(shop).inc(count)

def announce():
    target = {"targets": [f"127.0.0.1:{server.server_port}"], "labels": {"team": "checkout"}}
    pathlib.Path(os.environ["PROMETHEUS_TARGETS_DIR"], "mine.json").write_text(json.dumps([target]))

def query(expression):
    with httpx.Client(base_url=os.environ["PROMETHEUS_URL"], trust_env=False, timeout=60) as client:
        answer = client.get("/api/v1/query", params={"query": expression}).raise_for_status().json()
    return [[sample["metric"], sample["value"][1]] for sample in answer["data"]["result"]]

def rule(text):
    pathlib.Path(os.environ["PROMETHEUS_RULES_DIR"], "mine.yml").write_text(text)
    answer = httpx.post(os.environ["PROMETHEUS_URL"] + "/-/reload", trust_env=False, timeout=60)
    return [answer.status_code, answer.text]
"""
RULE = """
groups:
  - name: shop
    rules:
      - record: shop:orders:total
        expr: sum(orders_total)
      - alert: ManyOrders
        expr: sum(orders_total) > 0
"""


@pytest.fixture(scope="module")
def shared(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    driver.prepare("observability", quiet)
    sandbox = driver.start(
        SandboxSpec(
            workspace=tmp_path_factory.mktemp("prometheus"),
            services={"prometheus": {"targets": "nobody=127.0.0.1:9", "scrape_interval": "1s"}},
            image="observability",
            limits=Limits(memory_mb=768, pids=200),
            jupyter=False,
        ),
        quiet,
    )
    execute(sandbox, LEARNER)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def grader(shared: Sandbox) -> Iterator[httpx.Client]:
    endpoint = shared.endpoint("prometheus")
    transport = httpx.HTTPTransport(uds=str(endpoint.socket))
    with httpx.Client(transport=transport, base_url=endpoint.facts["base_url"], timeout=60) as client:
        yield client


def _wait_for(client: httpx.Client, expression: str) -> list[dict[str, Any]]:
    """What a query gives, as soon as it gives something."""
    deadline = time.monotonic() + 90
    while True:
        answer = client.get("/api/v1/query", params={"query": expression}).raise_for_status().json()
        found: list[dict[str, Any]] = answer["data"]["result"]
        if found:
            return found
        assert time.monotonic() < deadline, f"nothing for {expression}"
        time.sleep(0.2)


def test_a_server_that_the_learner_announced_is_scraped(shared: Sandbox, grader: httpx.Client) -> None:
    shared.call("take", "north", 7)
    shared.call("announce")
    [sample] = _wait_for(grader, 'orders_total{shop="north",team="checkout",job="files"} >= 7')
    assert float(sample["value"][1]) == 7
    shared.call("take", "north", 3)
    _wait_for(grader, 'orders_total{shop="north"} == 10')
    # A scrape that was too slow takes the sample away until the next one.
    found = until(lambda: shared.call("query", 'orders_total{shop="north"}'), 90)
    assert [value for _, value in found] == ["10"]  # type: ignore[union-attr,misc]


def test_the_labs_targets_are_jobs_by_name(shared: Sandbox, grader: httpx.Client) -> None:
    assert _wait_for(grader, 'up{job="nobody"} == 0')
    assert _wait_for(grader, 'up{job="prometheus"} == 1')


def test_rules_are_read_on_demand_and_faulty_ones_are_refused(shared: Sandbox, grader: httpx.Client) -> None:
    shared.call("take", "south", 1)
    shared.call("announce")
    assert shared.call("rule", RULE, timeout=90.0) == [200, ""]
    assert _wait_for(grader, "shop:orders:total > 0")
    assert _wait_for(grader, 'ALERTS{alertname="ManyOrders",alertstate="firing"}')
    status, _ = shared.call("rule", "groups: [{name: x, rules: [{record: y, expr: 'sum('}]}]", timeout=90.0)  # type: ignore[misc]
    assert status == 500
    kept = grader.get("/api/v1/rules").json()["data"]["groups"]
    assert [rule["name"] for group in kept for rule in group["rules"]] == ["shop:orders:total", "ManyOrders"]


def test_its_limits_are_those_of_a_small_sandbox(shared: Sandbox, grader: httpx.Client) -> None:
    flags = grader.get("/api/v1/status/flags").json()["data"]
    assert flags["web.listen-address"].startswith("127.0.0.1:")
    assert flags["storage.tsdb.retention.size"] == "32MiB"
    assert flags["web.enable-admin-api"] == "false"
    config = grader.get("/api/v1/status/config").json()["data"]["yaml"]
    assert config.count("sample_limit: 20000") == 3
