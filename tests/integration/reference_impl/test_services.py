"""The topology `services` for real: a process a service, with PostgreSQL, Redis and Kafka's protocol."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reference_impl.topologies import registry
from tests.fixtures.meridian import Platform, eventually
from tests.integration.reference_impl.conftest import patient_platform

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.timeout(1500),  # each command starts an interpreter, and the first test a platform
]
SETTLE = "120"
"""Seconds in which the books have to be clean; usually they are at once."""


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    # While a service is started again its orders wait, and those that are paid are not sent yet, however long that takes.
    clocks = {"MERIDIAN_PENDING_TIMEOUT": "3600", "MERIDIAN_SHIPPING_PACK_SECONDS": "3600"}
    with patient_platform(**clocks) as made:
        assert made.run("seed").returncode == 0
        yield made
    assert made.run("status").returncode == 1


def ready(platform: Platform, *names: str) -> dict[str, dict[str, Any]]:
    """The status once these are ready, or all that there are: one who takes too long to say so is asked again."""
    found: dict[str, dict[str, Any]] = {}

    def look() -> bool:
        found.update(platform.status())
        return {found[name]["state"] for name in names or found} == {"ready"}

    eventually(look, f"{', '.join(names) or 'everything'} is ready")
    return found


def test_everything_is_ready_and_says_so(platform: Platform) -> None:
    processes = ready(platform)
    services = {entry.name for entry in registry.entries()}
    assert set(processes) == services | {"postgres", "redis", "kafka"}
    assert {processes[name]["port"] for name in services} == {
        platform.port + registry.entry(name).offset for name in services
    }


def test_the_status_can_be_asked_for_by_the_gateways_address(platform: Platform) -> None:
    stranger = Platform(platform.data.with_name("nothing-runs-here"), platform.port)
    found: dict[str, str] = {}

    def all_answer() -> bool:
        asked = stranger.run("status", "--url", f"http://127.0.0.1:{platform.port}", "--json")
        if asked.returncode == 0:
            found.update({each["name"]: each["state"] for each in json.loads(asked.stdout)["processes"]})
        return bool(found)

    eventually(all_answer, "all answer in time")
    assert found == {entry.name: "ready" for entry in registry.entries()}
    silent = stranger.run("status", "--url", "http://127.0.0.1:9", "--json")
    assert silent.returncode == 1
    assert "does not answer" in silent.stdout


def test_an_order_is_confirmed_across_processes_and_the_books_are_clean(platform: Platform) -> None:
    order = platform.buy("MUG-BLUE", 2)
    eventually(lambda: platform.order(order) == "confirmed", "the order is confirmed")
    verified = platform.run("verify", "--json", "--settle", SETTLE)
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["orders"] >= 1


def test_a_killed_service_comes_back_and_finishes_what_it_had(platform: Platform) -> None:
    before = platform.status()["inventory"]
    orders = [platform.buy("TEA-ASSAM") for _ in range(3)]
    os.kill(before["pid"], signal.SIGKILL)
    orders += [platform.buy("TEA-ASSAM") for _ in range(3)]
    eventually(lambda: {platform.order(order) for order in orders} == {"confirmed"}, "all are confirmed")
    after = ready(platform, "inventory")["inventory"]  # the supervisor may hear of it last
    assert after["pid"] != before["pid"]
    assert after["restarts"] == before["restarts"] + 1
    assert platform.run("verify", "--settle", SETTLE).returncode == 0


def test_load_goes_through_the_gateway_and_leaves_clean_books(platform: Platform) -> None:
    by_port = Platform(platform.data.with_name("nothing-runs-here"), platform.port)
    # By the gateway's address alone, as one does with containers.
    loaded = by_port.run(
        *("load", "--url", f"http://127.0.0.1:{platform.port}", "--json"),
        *("--rate", "15", "--seconds", "4", "--users", "3", "--mix", "buying"),
    )
    assert loaded.returncode == 0, loaded.stderr
    report = json.loads(loaded.stdout)
    assert report["errors"] == 0, report["error_kinds"]
    assert {"product", "checkout", "history"} == set(report["actions"])
    checkouts = report["checkouts"]
    assert checkouts["placed"] == sum(checkouts["states"].values()) > 0
    assert checkouts["confirmed"] > 0
    assert (checkouts["missing"], checkouts["unfinished"]) == (0, 0)
    assert platform.run("verify", "--settle", SETTLE).returncode == 0


def test_a_service_is_restarted_on_request(platform: Platform) -> None:
    before = platform.status()["product"]["pid"]
    assert platform.run("restart", "product").returncode == 0
    assert platform.status()["product"]["pid"] != before
    refused = platform.run("restart", "prodct")
    assert refused.returncode == 2
    assert "product" in refused.stderr


def test_a_fault_goes_to_the_process_that_plays_it(platform: Platform) -> None:
    def strength(service: str, flag: str) -> float:
        flags = httpx.get(f"{platform.url(service)}/faults", timeout=60).raise_for_status().json()
        return float(next(item["value"] for item in flags if item["name"] == flag))

    assert platform.run("faults", "set", "payment.decline", "all").returncode == 0
    assert platform.run("faults", "set", "events.duplicate", "0.5").returncode == 0
    assert [strength(name, "payment.decline") for name in ("payment", "order")] == [1.0, 0.0]
    assert [strength(name, "events.duplicate") for name in ("payment", "order")] == [0.5, 0.5]
    listed = json.loads(platform.run("faults", "list", "--json").stdout)["faults"]
    assert {flag["name"]: flag["value"] for flag in listed if flag["value"]} == {
        "payment.decline": 1.0,
        "events.duplicate": 0.5,
    }
    assert platform.run("faults", "clear", "payment.decline").returncode == 0
    assert strength("payment", "payment.decline") == 0
    assert platform.run("faults", "clear").returncode == 0
    assert strength("order", "events.duplicate") == 0
    assert platform.run("faults", "set", "payment.declin", "1").returncode == 1


def test_the_logs_can_be_read(platform: Platform) -> None:
    assert "order is ready at" in platform.run("logs", "order", "-n", "100000").stdout
    everything = platform.run("logs", "-n", "100000").stdout
    # As wide as the longest name.
    assert f"{'product':<12} | " in everything
    assert f"{'supervisor':<12} | Meridian is ready" in everything
    missing = platform.run("logs", "nobody")
    assert missing.returncode == 1
    assert "order" in missing.stderr


def test_a_second_one_on_the_same_directory_or_ports_is_refused(platform: Platform, tmp_path: Path) -> None:
    again = platform.up()
    assert again.returncode == 1
    assert "runs on" in again.stderr
    elsewhere = Platform(tmp_path, platform.port)
    taken = elsewhere.run("up", "--topology", "services", "--port", str(platform.port))
    assert taken.returncode == 1
    assert f"{platform.port + 4} (order)" in taken.stderr
    assert elsewhere.run("status").returncode == 1
