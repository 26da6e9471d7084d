"""What a check sees of the learner's Kafka: a real door in front of the mock cluster, and doors that are busy or full."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import httpx
import pytest

from labs import kafka_under_test
from labs.kafka_under_test import KafkaUnderTest, Position, Sent
from labs.under_test import LabUnderTest
from sandboxes.interface import Endpoint, Sandbox, TooLarge
from sandboxes.services.base import free_port

ROOT = Path(__file__).parents[3]


def started(socket: Path) -> subprocess.Popen[bytes]:
    """A broker and its door, on a port that is free now."""
    command = [
        sys.executable, "-m", "sandboxes.services.kafka.server",
        "--socket", str(socket), "--port", str(free_port()), "--data", str(socket.parent),
        "--brokers", "1", "--topics", "orders:3", "--home", "",
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def lab() -> Iterator[LabUnderTest]:
    with tempfile.TemporaryDirectory(prefix="pgk-") as folder:
        socket = Path(folder) / "kafka.sock"
        process = started(socket)
        try:
            deadline = time.monotonic() + 120
            while not socket.exists():
                if process.poll() is not None:  # somebody else may have taken its port meanwhile
                    process = started(socket)
                assert time.monotonic() < deadline
                time.sleep(0.05)
            sandbox = create_autospec(Sandbox)
            sandbox.endpoint.return_value = Endpoint("kafka", socket, {"base_url": "http://kafka"})
            yield LabUnderTest(sandbox, task="read", seed=1, deadline=time.monotonic() + 600)
        finally:
            process.kill()
            process.wait()


def test_what_is_sent_is_read_as_it_was(lab: LabUnderTest) -> None:
    headers = (("why", "test"), ("why", b"\xff"), ("none", None))
    with lab.kafka() as kafka:
        kafka.make("letters", 2)
        assert kafka.topics()["letters"] == 2
        went = kafka.send(
            "letters",
            [Sent("text", "key", headers, 1), Sent(b"\xff\x00", None, (), 0), Sent(None, "key", (), 1)],
        )
        assert went == [(1, 0), (0, 0), (1, 1)]
        first, second, third = kafka.records("letters")
    assert (first.partition, first.key, first.value) == (0, None, b"\xff\x00")
    assert (second.offset, second.key, second.value, second.headers) == (0, "key", "text", headers)
    assert (third.offset, third.value) == (1, None)
    assert second.header("why") == b"\xff"
    assert second.header("none") is None
    assert second.header("absent") is None


def test_one_key_keeps_its_order_also_in_many_records(
    lab: LabUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_under_test, "RECORDS_AT_ONCE", 4)
    with lab.kafka() as kafka:
        kafka.make("many", 3)
        went = kafka.send("many", [Sent(str(number), "same") for number in range(10)])
        assert [offset for _, offset in went] == list(range(10))
        assert [record.value for record in kafka.records("many")] == [str(number) for number in range(10)]


def test_where_a_group_is_that_never_committed_and_a_topic_that_is_not_there(lab: LabUnderTest) -> None:
    with lab.kafka() as kafka:
        assert kafka.facts()["engine"] == "mock"
        assert kafka.positions("nobody", "orders") == {}
        with pytest.raises(httpx.HTTPStatusError):
            kafka.records("absent")
        with pytest.raises(httpx.HTTPStatusError):
            kafka.make("orders", 3)


def answering(*answers: httpx.Response) -> KafkaUnderTest:
    left = list(answers)
    transport = httpx.MockTransport(lambda request: left.pop(0))
    return KafkaUnderTest(httpx.Client(transport=transport, base_url="http://kafka"))


def test_a_busy_door_is_asked_again_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_under_test, "BUSY_PAUSE_SECONDS", 0)
    committed = {"offsets": {"orders": {"2": {"committed": 3, "end": 5, "lag": 2}}}}
    kafka = answering(httpx.Response(503), httpx.Response(503), httpx.Response(200, json=committed))
    assert kafka.positions("readers", "orders") == {2: Position(3, 5, 2)}
    monkeypatch.setattr(kafka_under_test, "BUSY_SECONDS", -1)
    with pytest.raises(httpx.HTTPStatusError):
        answering(httpx.Response(503)).facts()


def test_a_topic_that_does_not_fit_is_refused_and_not_judged_by_its_beginning() -> None:
    kafka = answering(httpx.Response(200, json={"records": [], "complete": False}))
    with pytest.raises(TooLarge, match="orders"):
        kafka.records("orders")
