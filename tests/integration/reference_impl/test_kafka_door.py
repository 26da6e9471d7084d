"""The mock cluster behind its door: clients are told the name that it was given, and what they write comes through."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from bench.ports import free_ports
from reference_impl.containers import healthy
from tests.fixtures.meridian import ROOT, eventually

NAME = "localhost"


@pytest.fixture
def door() -> Iterator[int]:
    """The port of a broker that says it is at `localhost`."""
    port = free_ports(1)
    command = [sys.executable, "-m", "reference_impl.topologies.parts.kafka_door", NAME, str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: healthy.main("kafka", port) == 0, "the broker answers")
        yield port
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)


def test_clients_come_back_to_the_door_and_their_records_come_through(door: int) -> None:
    servers = {"bootstrap.servers": f"127.0.0.1:{door}"}
    admin = AdminClient(servers)
    brokers = admin.list_topics(timeout=60).brokers.values()
    assert [(broker.host, broker.port) for broker in brokers] == [(NAME, door)]

    large = b"x" * 300_000  # more than goes through at once
    producer = Producer(servers)
    producer.produce("door", key=b"k", value=large)
    assert producer.flush(60) == 0
    consumer = Consumer({**servers, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["door"])
    try:
        record = consumer.poll(60)
        assert record is not None
        assert record.error() is None
        assert (record.key(), record.value()) == (b"k", large)
    finally:
        consumer.close()
