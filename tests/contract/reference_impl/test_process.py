"""Meridian as a process: started, used and stopped the way people and process managers do it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.meridian import PATIENCE_SECONDS, UNHURRIED, clean_environment, eventually

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 180
LONG_WAITS = """
from reference_impl.shared import database, feed
database.LOCK_SECONDS = 60.0
feed.LONGEST_WAIT_SECONDS = 600.0
"""
"""Run first: nobody is refused because the process stood still, and a reader's wait can't be over before it is answered."""


def meridian(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "reference_impl", *arguments]


@dataclass
class Running:
    """A Meridian in a process of its own."""

    process: subprocess.Popen[str]
    socket: Path
    ready: dict[str, Any]

    def client(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.socket))
        return httpx.Client(transport=transport, base_url="http://meridian", timeout=120)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            meridian(*arguments, "--uds", str(self.socket)),
            cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(120)


def start(directory: Path, before: str = "", **environment: str) -> Running:
    """Start one. `before` is Python that its process runs first."""
    socket = directory / "m.sock"
    command = meridian("serve", "--uds", str(socket), "--data", str(directory / "data"), "--json")
    if before:
        command[1:3] = ["-c", f"{before}\nfrom reference_impl.cli import run\nrun()"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(**environment), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    killer = threading.Timer(START_SECONDS, process.kill)
    killer.start()
    line = process.stdout.readline()
    killer.cancel()
    assert line, "it ended before it was ready"
    return Running(process, socket, json.loads(line))


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="m") as path:
        yield Path(path)


@pytest.fixture
def running(directory: Path) -> Iterator[Running]:
    started = start(directory, **UNHURRIED, MERIDIAN_PAYMENT_WINDOW="0")
    yield started
    started.process.kill()
    started.process.wait()


@pytest.fixture
def running_with_long_waits(directory: Path) -> Iterator[Running]:
    started = start(
        directory, LONG_WAITS, **UNHURRIED, MERIDIAN_PAYMENT_WINDOW="0", MERIDIAN_GRACE_SECONDS="60"
    )
    yield started
    started.process.kill()
    started.process.wait()


def test_it_says_when_it_is_ready_and_ends_cleanly_on_sigterm(running: Running) -> None:
    assert running.ready["state"] == "ready"
    assert 0 < running.ready["seconds"] < START_SECONDS
    with running.client() as client:
        assert client.get("/health/readiness").json()["state"] == "up"
    assert running.stop() == 0
    assert not running.socket.exists()


def test_requests_in_flight_are_finished_and_new_ones_taken_until_the_balancer_has_looked(
    directory: Path,
) -> None:
    running = start(
        directory,
        MERIDIAN_FAULTS="inventory.latency=5",
        MERIDIAN_DRAIN_SECONDS="15",
        MERIDIAN_GRACE_SECONDS="60",
        **UNHURRIED,
    )
    try:
        with running.client() as client, ThreadPoolExecutor(1) as pool:
            asked: list[Future[int]] = []

            def in_flight() -> bool:
                if not asked or asked[-1].done():  # the first, or one that ended before it was seen
                    asked.append(pool.submit(lambda: client.get("/inventory/NONE").status_code))
                return 'requests_in_flight{service="inventory"} 1.0' in client.get("/metrics").text

            eventually(in_flight, "a request is in flight")
            running.process.send_signal(signal.SIGTERM)
            while (readiness := client.get("/health/readiness")).status_code == 200:
                time.sleep(0.02)
            assert "stopping" in {part["detail"] for part in readiness.json()["parts"]}
            assert client.get("/products").status_code == 200
            assert asked[-1].result(60) == 404
        assert running.process.wait(120) == 0
    finally:
        running.process.kill()
        running.process.wait()


def test_a_reader_that_waits_for_events_does_not_hold_up_the_end(running_with_long_waits: Running) -> None:
    running = running_with_long_waits
    with running.client() as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: client.get("/events", params={"wait": 600}).json())
        # The reader, and whoever asks for the metrics.
        both = 'requests_in_flight{service="monolith"} 2.0'
        eventually(lambda: both in client.get("/metrics").text, "the reader waits")
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 50
        assert waiting.result()["events"] == []


def test_a_reader_that_waits_gets_news_at_once(running_with_long_waits: Running) -> None:
    running = running_with_long_waits
    with running.client() as client, ThreadPoolExecutor(1) as pool:
        product = {"sku": "MUG-BLUE", "name": "Mug", "unit_price_cents": 100}
        client.post("/products", json=product).raise_for_status()
        told = client.get("/events", params={"wait": 600}).json()
        assert [event["type"] for event in told["events"]] == ["ProductCreated"]
        after = {"after": told["next"], "wait": 600}
        waiting = pool.submit(lambda: client.get("/events", params=after).json())
        client.post("/orders", json={"items": [{"sku": "MUG-BLUE", "quantity": 1}]}).raise_for_status()
        assert waiting.result()["events"][0]["type"] == "OrderCreated"


def test_many_customers_at_once_leave_clean_books(running_with_long_waits: Running) -> None:
    running = running_with_long_waits
    assert running.command("seed").returncode == 0
    assert running.command("faults", "set", "events.duplicate", "0.3").returncode == 0
    assert running.command("faults", "set", "payment.decline", "0.3").returncode == 0
    skus = ["LAST-ONE", "LAMP-DESK", "GRINDER"]
    with running.client() as client:

        def buy(number: int) -> int:
            items = [{"sku": skus[number % 3], "quantity": 1 + number % 2}]
            return client.post("/orders", json={"items": items}).status_code

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(buy, range(60))) == {201}
    answer = running.command("verify", "--json", "--settle", "120")
    document = json.loads(answer.stdout)
    assert answer.returncode == 0, document["violations"]
    assert (document["clean"], document["orders"]) == (True, 60)


def test_a_killed_process_comes_back_with_clean_books(directory: Path) -> None:
    first = start(directory, LONG_WAITS, **UNHURRIED, MERIDIAN_PAYMENT_WINDOW="0")
    assert first.command("seed").returncode == 0
    with first.client() as client:
        for number in range(30):
            items = [{"sku": "BEANS-1KG", "quantity": 1}]
            card = "tok_declined" if number % 3 == 0 else "tok_visa"
            client.post("/orders", json={"items": items, "card": card}).raise_for_status()
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    second = start(directory, LONG_WAITS, **UNHURRIED, MERIDIAN_PAYMENT_WINDOW="0")
    try:
        with second.client() as client:

            def counters() -> tuple[int, int, int]:
                counts = client.get("/inventory/BEANS-1KG").json()
                return counts["available"], counts["reserved"], counts["sold"]

            # A payment whose answer died with the process is asked for again after a while.
            eventually(lambda: counters() == (100, 0, 20), "every order has come to its end")
            answer = second.command("verify", "--json", "--settle", "120")
            assert answer.returncode == 0, answer.stdout
    finally:
        second.stop()


def test_verify_names_what_is_broken_and_exits_with_1(directory: Path) -> None:
    running = start(directory, **UNHURRIED, MERIDIAN_COMPENSATION="external")
    try:
        assert running.command("seed").returncode == 0
        with running.client() as client:
            body = {"items": [{"sku": "SCALE", "quantity": 2}], "card": "tok_declined"}
            order = client.post("/orders", json=body).json()["id"]
        expected, broken = {"reserved-explained", "dead-order-holds-nothing"}, set[str]()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while broken != expected:  # others are broken until the order has come to its end
            assert time.monotonic() < deadline, broken
            answer = running.command("verify", "--json", "--settle", "1")
            broken = {item["name"] for item in json.loads(answer.stdout)["invariants"] if not item["holds"]}
        assert answer.returncode == 1
        table = running.command("verify", "--settle", "0").stdout
        assert order in table
        assert "still holds 2 SCALE" in table
    finally:
        running.stop()


def test_faults_are_listed_set_and_cleared_from_the_command_line(running: Running) -> None:
    assert running.command("faults", "set", "payment.decline", "all").returncode == 0
    listed = json.loads(running.command("faults", "list", "--json").stdout)["faults"]
    assert {flag["name"]: flag["value"] for flag in listed if flag["value"]} == {"payment.decline": 1.0}
    assert running.command("faults", "clear").returncode == 0
    listed = json.loads(running.command("faults", "list", "--json").stdout)["faults"]
    assert not any(flag["value"] for flag in listed)
    refused = running.command("faults", "set", "payment.declin", "1")
    assert refused.returncode == 1
    assert "payment.decline" in refused.stderr


def test_a_taken_socket_gets_a_clear_message(running: Running) -> None:
    answer = running.command("serve")
    assert answer.returncode == 1
    assert "serves at" in answer.stderr


def test_without_a_meridian_the_command_line_says_what_to_do(directory: Path) -> None:
    answer = subprocess.run(
        meridian("verify", "--uds", str(directory / "none.sock")),
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "python -m reference_impl up" in answer.stderr
    assert answer.stdout == ""
