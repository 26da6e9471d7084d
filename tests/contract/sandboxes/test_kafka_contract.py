"""Kafka on every driver: ordinary clients in the learner's code, the grader through its door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandboxes.interface import Driver, Limits, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute

LEARNER = """
import os, time
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
SERVERS = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]}

def brokers():
    return len(AdminClient(SERVERS).list_topics(timeout=60).brokers)

def produce(topic, pairs, **settings):
    producer = Producer({**SERVERS, "enable.idempotence": True, **settings})
    for key, value in pairs:
        producer.produce(topic, key=key, value=value, headers={"source": "learner"})
    return producer.flush(60)

def consumer(group, **settings):
    # The mock rebalances for as long as the session timeout: keep it short.
    usual = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 300, "enable.auto.commit": False}
    return Consumer({**SERVERS, "group.id": group, "auto.offset.reset": "earliest", **usual, **settings})

def until(condition, *consumers, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError
        for each in consumers:
            each.poll(0.05)
    return found

def consume(topic, group, count):
    # Long enough that no pause of a busy machine puts it out of its group; who is alone in a new one does not wait for it.
    mine, found = consumer(group, **{"session.timeout.ms": 45_000}), []
    mine.subscribe([topic])
    def enough():
        message = mine.poll(0.1)
        if message is not None and message.error() is None:
            source = dict(message.headers())["source"].decode()
            found.append([message.key().decode(), message.value().decode(), message.partition(), source])
        return len(found) == count
    until(enough)
    mine.commit(asynchronous=False)
    mine.close()
    return sorted(found)

def by_the_helpers(topic):
    import contextlib, io
    from labkit import lab
    with contextlib.redirect_stdout(io.StringIO()) as said:
        lab.start("a-lab")
    producer = Producer(lab.kafka())
    producer.produce(topic, key="k", value="by the helpers")
    left = producer.flush(60)
    mine, found = Consumer({**lab.kafka(group="helpers"), "session.timeout.ms": 45_000}), []
    mine.subscribe([topic])
    def enough():
        message = mine.poll(0.1)
        if message is not None and message.error() is None:
            found.append(message.value().decode())
        return bool(found)
    until(enough)
    mine.commit(asynchronous=False)
    mine.close()
    return [said.getvalue(), left, found]

def owned(each):
    return sorted(place.partition for place in each.assignment())

def rebalance(topic, group, strategy):
    first, second = (consumer(group, **{"partition.assignment.strategy": strategy}) for _ in range(2))
    told = []
    # Told as it was seen: a pause as long as the session puts a member out of its group, and it comes back.
    def shared(*counts):
        now = [owned(each) for each in (first, second)[: len(counts)]]
        whole = sorted(sum(now, [])) == [0, 1, 2, 3, 4, 5]
        return now if whole and [len(each) for each in now] == list(counts) else None
    first.subscribe([topic])
    told.append(until(lambda: shared(6), first))
    second.subscribe([topic])
    told.append(until(lambda: shared(3, 3), first, second))
    second.close()
    told.append(until(lambda: shared(6), first))
    first.close()
    return told

def transactions(topic):
    producer = Producer({**SERVERS, "transactional.id": "the-writer"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic, key="k", value="committed")
    producer.commit_transaction(60)
    producer.begin_transaction()
    producer.produce(topic, key="k", value="aborted")
    producer.flush(60)
    producer.abort_transaction(60)

"""


@pytest.fixture(scope="module")
def shared(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    options = {"engine": "mock", "brokers": "3", "topics": "orders:6, groups:6, ledger:1, many:2"}
    sandbox = driver.start(
        SandboxSpec(
            workspace=tmp_path_factory.mktemp("kafka"),
            services={"kafka": options},
            limits=Limits(memory_mb=768, pids=256),
            jupyter=False,
        ),
        quiet,
    )
    execute(sandbox, LEARNER)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def door(shared: Sandbox) -> Iterator[httpx.Client]:
    endpoint = shared.endpoint("kafka")
    transport = httpx.HTTPTransport(uds=str(endpoint.socket))
    with httpx.Client(transport=transport, base_url=endpoint.facts["base_url"], timeout=90) as client:
        yield client


def _records(door: httpx.Client, topic: str, **query: Any) -> list[dict[str, Any]]:
    """All of a topic; a read that took too long is not complete, and made again."""
    answer: dict[str, Any] = {}

    def complete() -> bool:
        answer.update(door.get(f"/topics/{topic}/records", params=query).json())
        return bool(answer["complete"])

    assert until(complete)
    records: list[dict[str, Any]] = answer["records"]
    return records


def _values(door: httpx.Client, topic: str, **query: Any) -> list[str]:
    return [record["value"] for record in _records(door, topic, **query)]


def test_the_helpers_find_it(shared: Sandbox) -> None:
    said, left, found = shared.call("by_the_helpers", "helpers", timeout=120.0)
    assert said.startswith("Lab a-lab, in your sandbox. Ready: Kafka, 3 brokers, topics: ")
    assert (left, found) == (0, ["by the helpers"])


def test_the_topics_and_brokers_are_those_that_the_lab_asked_for(shared: Sandbox, door: httpx.Client) -> None:
    topics = door.get("/topics").json()["topics"]
    wanted = {"orders": 6, "groups": 6, "ledger": 1, "many": 2}
    assert {name: len(topics[name]["partitions"]) for name in wanted} == wanted
    assert shared.call("brokers", timeout=90.0) == 3


def test_what_the_learner_produced_is_read_outside_and_the_other_way_round(
    shared: Sandbox, door: httpx.Client
) -> None:
    assert shared.call("produce", "orders", [[f"k{n}", f"v{n}"] for n in range(20)], timeout=90.0) == 0
    went = door.post(
        "/topics/orders/records",
        json={
            "records": [
                {"key": "outside", "value": "here", "headers": [["source", "grader"]], "partition": 5},
            ]
        },
    ).json()["records"]
    assert [place["partition"] for place in went] == [5]

    records = _records(door, "orders")
    assert {(record["key"], record["value"]) for record in records} == {
        ("outside", "here"),
        *((f"k{n}", f"v{n}") for n in range(20)),
    }
    for partition in range(6):
        offsets = [record["offset"] for record in records if record["partition"] == partition]
        assert offsets == list(range(len(offsets)))

    consumed = shared.call("consume", "orders", "readers", 21, timeout=120.0)
    assert consumed == sorted(
        [record["key"], record["value"], record["partition"], dict(record["headers"])["source"]]
        for record in records
    )
    committed = door.get("/groups/readers/offsets").json()["offsets"]["orders"]
    assert sum(place["committed"] for place in committed.values()) == 21
    assert {place["lag"] for place in committed.values()} == {0}
    door.post("/topics/orders/records", json={"records": [{"value": "more", "partition": 5}]})
    late = door.get("/groups/readers/offsets", params={"topic": "orders"}).json()["offsets"]["orders"]
    assert late["5"]["lag"] == 1


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_a_group_shares_the_partitions_among_its_members(shared: Sandbox, strategy: str) -> None:
    alone, both, alone_again = shared.call("rebalance", "groups", f"team-{strategy}", strategy, timeout=240.0)
    assert alone == alone_again == [[0, 1, 2, 3, 4, 5]]
    first, second = both
    assert len(first) == len(second) == 3
    assert sorted(first + second) == [0, 1, 2, 3, 4, 5]


def test_transactions_do_what_the_facts_say(shared: Sandbox, door: httpx.Client) -> None:
    shared.call("transactions", "ledger", timeout=240.0)
    facts = door.get("/facts").json()
    assert facts["engine"] == "mock"
    assert facts["transactions"] == "accepted, not isolated"
    assert _values(door, "ledger", isolation="read_uncommitted") == ["committed", "aborted"]
    # What a real broker hides, and the facts warn of.
    assert _values(door, "ledger", isolation="read_committed") == ["committed", "aborted"]


def test_bytes_that_are_no_text_and_records_without_a_value_come_back_as_they_were(door: httpx.Client) -> None:
    sent = [
        {"key": {"base64": "/wA="}, "value": None, "headers": [["n", None]], "partition": 1},
        {"key": None, "value": "grüße", "headers": [], "partition": 1},
    ]
    assert door.post("/topics/many/records", json={"records": sent}).status_code == 200
    records = _records(door, "many")
    assert [{name: record[name] for name in sent[0]} for record in records] == sent


def test_a_read_that_met_its_limit_says_that_it_is_not_complete(door: httpx.Client) -> None:
    name = {"name": "long", "partitions": 1}
    assert door.post("/topics", json=name).status_code == 201
    door.post("/topics/long/records", json={"records": [{"value": str(n)} for n in range(10)]})
    answer = door.get("/topics/long/records", params={"limit": 4}).json()
    assert [record["value"] for record in answer["records"]] == ["0", "1", "2", "3"]
    assert not answer["complete"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/topics", {"name": "orders", "partitions": 6}, 409),
        ("POST", "/topics", {"name": "a b"}, 400),
        ("POST", "/topics", {"name": "wide", "partitions": 1000}, 400),
        ("POST", "/topics", ["no", "object"], 400),
        ("GET", "/topics/absent/records", None, 404),
        ("POST", "/topics/absent/records", {"records": [{"value": "x"}]}, 404),
        ("POST", "/topics/many/records", {"records": []}, 400),
        ("POST", "/topics/many/records", {"records": [{"value": 1}]}, 400),
        ("POST", "/topics/many/records", {"records": [{"value": {"base64": "?"}}]}, 400),
        ("POST", "/topics/many/records", {"records": [{"value": "x", "partition": 7}]}, 404),
        ("POST", "/topics/many/records", {"records": [{"value": "x" * 9_000_000}]}, 413),
        ("GET", "/topics/many/records?isolation=snapshot", None, 400),
        ("GET", "/topics/many/records?limit=-1", None, 400),
        ("GET", "/groups/team/offsets?topic=absent", None, 404),
        ("GET", "/groups/team", None, 501),
        ("GET", "/nowhere", None, 404),
    ],
)
def test_the_door_says_what_is_wrong_and_stays_open(
    door: httpx.Client, method: str, path: str, body: Any, status: int
) -> None:
    answer = door.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert "absent" not in door.get("/topics").json()["topics"]
