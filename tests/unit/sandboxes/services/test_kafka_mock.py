"""What librdkafka's mock cluster does and does not do: the facts that the door and the docs tell, each as it was measured."""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Callable, Iterator

import confluent_kafka.cimpl
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from sandboxes.services.kafka import clients as door
from sandboxes.services.kafka.clients import Clients, Record, TopicExists, Unsupported
from sandboxes.services.kafka.mock import FACTS, MockCluster

SECONDS = 60


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    cluster = MockCluster(3)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def clients(cluster: MockCluster) -> Clients:
    return Clients(cluster)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door's clients wait for as long as a busy machine needs."""
    monkeypatch.setattr(door, "ASK_SECONDS", float(SECONDS))
    monkeypatch.setattr(door, "READ_SECONDS", float(SECONDS))


@pytest.fixture
def settings(cluster: MockCluster) -> dict[str, str | int]:
    return {"bootstrap.servers": cluster.bootstrap, "log_level": 2}


def values(clients: Clients, topic: str, isolation: str = "read_committed") -> list[str]:
    reading = clients.read(topic, isolation, 1000)
    assert reading.complete
    return [record["value"] for record in reading.records]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline


def test_it_has_as_many_brokers_as_asked_for(cluster: MockCluster) -> None:
    assert len(cluster.bootstrap.split(",")) == 3
    assert cluster.facts["brokers"] == "3"


def test_a_topic_has_its_partitions_and_its_copies_on_several_brokers(
    cluster: MockCluster, settings: dict[str, str | int]
) -> None:
    cluster.create_topic("shaped", 5, 9)
    partitions = AdminClient(settings).list_topics(timeout=SECONDS).topics["shaped"].partitions
    assert len(partitions) == 5
    assert {len(partition.replicas) for partition in partitions.values()} == {3}
    with pytest.raises(TopicExists):
        cluster.create_topic("shaped", 5, 1)


def test_looking_at_topics_makes_none(clients: Clients) -> None:
    before = clients.topics()
    with pytest.raises(Exception, match="no topic"):
        clients.read("never-made", "read_committed", 1)
    assert clients.topics() == before


def test_one_key_goes_to_one_partition(cluster: MockCluster, clients: Clients) -> None:
    cluster.create_topic("keyed", 6, 1)
    went = clients.produce("keyed", [Record(b"x", key=b"same") for _ in range(20)])
    assert len({place["partition"] for place in went}) == 1
    assert [place["offset"] for place in went] == list(range(20))


def test_open_and_aborted_transactions_are_read_by_read_committed(
    cluster: MockCluster, clients: Clients, settings: dict[str, str | int]
) -> None:
    assert FACTS["transactions"] == "accepted, not isolated"
    cluster.create_topic("ledger", 1, 1)
    producer = Producer({**settings, "transactional.id": "a"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce("ledger", "first")
    producer.flush(SECONDS)
    assert values(clients, "ledger") == ["first"]
    producer.abort_transaction(SECONDS)
    assert values(clients, "ledger") == ["first"]


def test_offsets_of_a_transaction_are_not_stored(cluster: MockCluster, settings: dict[str, str | int]) -> None:
    assert FACTS["transactional_offsets"] == "accepted, not stored"
    cluster.create_topic("source", 1, 1)
    consumer = Consumer({**settings, "group.id": "mover"})
    consumer.subscribe(["source"])
    until(lambda: consumer.poll(0.1) is None and consumer.assignment())
    producer = Producer({**settings, "transactional.id": "mover"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    place = TopicPartition("source", 0, 5)
    producer.send_offsets_to_transaction([place], consumer.consumer_group_metadata(), SECONDS)
    producer.commit_transaction(SECONDS)
    [stored] = consumer.committed([TopicPartition("source", 0)], timeout=SECONDS)
    assert stored.offset < 0
    consumer.close()


def test_an_older_producer_of_the_same_transactional_id_is_not_fenced(
    cluster: MockCluster, clients: Clients, settings: dict[str, str | int]
) -> None:
    assert FACTS["fencing"] == "none"
    cluster.create_topic("fence", 1, 1)
    old, new = (Producer({**settings, "transactional.id": "one"}) for _ in range(2))
    old.init_transactions(SECONDS)
    new.init_transactions(SECONDS)
    old.begin_transaction()
    old.produce("fence", "of the old one")
    old.commit_transaction(SECONDS)
    assert values(clients, "fence") == ["of the old one"]


def test_an_idempotent_producers_retry_is_stored_twice(
    cluster: MockCluster, clients: Clients, settings: dict[str, str | int]
) -> None:
    assert FACTS["idempotence"] == "accepted, a retry is stored twice"
    cluster.create_topic("retried", 1, 1)
    timed_out: list[int] = []

    def told(statistics: str) -> None:
        brokers = json.loads(statistics)["brokers"].values()
        timed_out.append(sum(broker["req_timeouts"] for broker in brokers))

    producer = Producer(
        {
            **settings,
            "enable.idempotence": True,
            "socket.timeout.ms": 1000,
            "request.timeout.ms": 1000,
            "statistics.interval.ms": 100,
            "stats_cb": told,
        }
    )
    producer.produce("retried", "warm")
    assert producer.flush(SECONDS) == 0
    timed_out.clear()
    until(lambda: producer.poll(0.1) is not None and timed_out)
    before = timed_out[-1]

    def answers_after(milliseconds: int) -> None:
        for broker in (1, 2, 3):
            cluster._library.rd_kafka_mock_broker_set_rtt(cluster._cluster, broker, milliseconds)

    cluster._library.rd_kafka_mock_broker_set_rtt.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int]
    answers_after(5_000)
    try:
        producer.produce("retried", "late")
        # The client looks for requests without an answer once a second, or later.
        until(lambda: producer.poll(0.1) is not None and max(timed_out) > before)
    finally:
        answers_after(0)
    assert producer.flush(SECONDS) == 0
    found = values(clients, "retried")
    assert found[0] == "warm"
    assert found.count("late") > 1


def test_a_partition_keeps_its_last_5_mb(cluster: MockCluster, clients: Clients) -> None:
    assert FACTS["retention"] == "the last 5 MB of each partition"
    cluster.create_topic("big", 1, 1)
    for _ in range(8):
        clients.produce("big", [Record(b"x" * 900_000)])
    [(first, after)] = clients.offsets({"big": 1})["big"].values()
    assert after == 8
    assert 1 <= after - first <= 5


def test_groups_are_not_described(clients: Clients) -> None:
    assert FACTS["groups"] == "rebalance and commit, can't be listed or described"
    with pytest.raises(Unsupported):
        clients.group("any")


def test_topics_can_not_be_deleted(
    cluster: MockCluster, clients: Clients, settings: dict[str, str | int]
) -> None:
    cluster.create_topic("lasting", 1, 1)
    asked = AdminClient(settings).delete_topics(["lasting"], operation_timeout=1, request_timeout=1)
    with pytest.raises((KafkaException, TimeoutError)):
        asked["lasting"].result(2)
    assert "lasting" in clients.topics()


def test_without_its_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandboxes.services.kafka import mock
    from sandboxes.services.kafka.clients import ClusterFailed

    monkeypatch.setattr(confluent_kafka.cimpl, "__file__", None)  # dlopen(None): the program itself
    with pytest.raises(ClusterFailed, match="no mock cluster"):
        mock._library()
