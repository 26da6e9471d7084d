"""What the door does for the grader, by ordinary clients of the cluster. Everything blocks and is bounded."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

ASK_SECONDS = 10.0
READ_SECONDS = 15.0
READ_RECORDS = 10_000
READ_BYTES = 16 * 1_048_576
PARTITIONS_AT_ONCE = 2_000
BY_KEY = -1
"""The partition that the client chooses by the key's hash, or by turns."""
ISOLATION = {
    "read_committed": IsolationLevel.READ_COMMITTED,
    "read_uncommitted": IsolationLevel.READ_UNCOMMITTED,
}
QUIET = {"log_level": 2}


class ClusterFailed(Exception):
    """The cluster did not do what it was asked."""


class TopicExists(ClusterFailed):
    """A topic of that name is there."""


class NoSuchTopic(ClusterFailed):
    """There is no topic of that name."""


class Unsupported(ClusterFailed):
    """This engine can't do that."""


class Cluster(Protocol):
    """A running cluster of either engine."""

    facts: dict[str, str]
    bootstrap: str
    """host:port,… as clients want it."""

    def create_topic(self, name: str, partitions: int, replication: int) -> None:
        """Raises TopicExists, ClusterFailed."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Record:
    """A record to produce; `partition` None lets the key decide."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int | None = None


@dataclass
class Reading:
    """What was read of a topic, by partition in the order of offsets."""

    records: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = False
    """Whether every partition was read to its end as it was when the read came there."""


def encoded(data: bytes | None) -> str | dict[str, str] | None:
    """Bytes as JSON: text where they are UTF-8, else {"base64": …}."""
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


class Clients:
    """Answers questions about one cluster. Methods raise ClusterFailed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": cluster.bootstrap,
            **QUIET,
        }
        self._admin = AdminClient(self._settings)
        self._producer = Producer(
            {**self._settings, "linger.ms": 0, "acks": "all", "delivery.timeout.ms": 10_000}
        )

    def topics(self) -> dict[str, int]:
        """Partitions by topic, the cluster's own topics left out."""
        try:
            found = self._admin.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException as error:
            raise _failed(error) from error
        return {
            name: len(topic.partitions) for name, topic in sorted(found.items()) if not name.startswith("__")
        }

    def offsets(
        self, topics: Mapping[str, int], isolation: str = "read_uncommitted"
    ) -> dict[str, dict[int, tuple[int, int]]]:
        """First and next offset by topic and partition."""
        places = self._places(topics)
        first, after = (
            self._list_offsets(places, spec, isolation) for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
        )
        found: dict[str, dict[int, tuple[int, int]]] = {topic: {} for topic in topics}
        for place in places:
            key = (place.topic, place.partition)
            found[place.topic][place.partition] = (first[key], after[key])
        return found

    def produce(self, topic: str, records: Sequence[Record]) -> list[dict[str, int]]:
        """Where each record went: {"partition", "offset"}, in the order given."""
        count = self._partitions(topic)
        went: list[dict[str, int] | None] = [None] * len(records)
        errors: list[str] = []

        def delivered(number: int) -> Any:
            def told(error: KafkaError | None, message: Any) -> None:
                if error is not None:
                    errors.append(error.str())
                else:
                    went[number] = {"partition": message.partition(), "offset": message.offset()}

            return told

        for record in records:
            if record.partition is not None and record.partition >= count:
                raise NoSuchTopic(f"The topic {topic} has no partition {record.partition}: it has {count}.")
        for number, record in enumerate(records):
            try:
                self._producer.produce(
                    topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=BY_KEY if record.partition is None else record.partition,
                    on_delivery=delivered(number),
                )
            except (KafkaException, BufferError) as error:
                self._producer.flush(ASK_SECONDS)
                raise _failed(error) from error
        self._producer.flush(ASK_SECONDS)
        if errors:
            raise ClusterFailed(f"The cluster did not take every record: {errors[0]}")
        places = [place for place in went if place is not None]
        if len(places) < len(records):
            raise ClusterFailed(f"The cluster did not confirm {len(records) - len(places)} records in time.")
        return places

    def read(self, topic: str, isolation: str, limit: int) -> Reading:
        """All records of a topic from each partition's first to its end; fewer when a bound was met."""
        count = self._partitions(topic)
        reading, size, open_ones = Reading(), 0, set(range(count))
        deadline = time.monotonic() + READ_SECONDS
        consumer = Consumer(
            {
                **self._settings,
                "group.id": f"door-{uuid.uuid4()}",
                "isolation.level": isolation,
                "enable.partition.eof": True,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
            }
        )
        with closing(consumer):
            starts = self._list_offsets(self._places({topic: count}), OffsetSpec.earliest(), isolation)
            consumer.assign([TopicPartition(topic, number, starts[topic, number]) for number in range(count)])
            while open_ones and time.monotonic() < deadline:
                message = consumer.poll(0.1)
                if message is None:
                    continue
                error = message.error()
                if error is None and message.partition() in open_ones:
                    size += len(message.value() or b"") + len(message.key() or b"")
                    if len(reading.records) >= limit or size > READ_BYTES:
                        break
                    reading.records.append(_document(message))
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    open_ones.discard(message.partition())
                elif error is not None:
                    raise ClusterFailed(f"The topic {topic} could not be read: {error.str()}")
        reading.complete = not open_ones
        reading.records.sort(key=lambda record: (record["partition"], record["offset"]))
        return reading

    def committed(self, group: str, topics: Mapping[str, int]) -> dict[str, dict[int, dict[str, int]]]:
        """{"committed", "end", "lag"} by topic and partition, where the group has committed."""
        places = self._places(topics)
        consumer = Consumer({**self._settings, "group.id": group, "enable.auto.commit": False})
        with closing(consumer):
            try:
                answers = consumer.committed(places, timeout=ASK_SECONDS)
            except KafkaException as error:
                raise _failed(error) from error
        kept = [answer for answer in answers if answer.offset >= 0]
        ends = self._list_offsets(kept, OffsetSpec.latest(), "read_uncommitted") if kept else {}
        found: dict[str, dict[int, dict[str, int]]] = {}
        for answer in kept:
            end = ends[answer.topic, answer.partition]
            found.setdefault(answer.topic, {})[answer.partition] = {
                "committed": answer.offset,
                "end": end,
                "lag": max(0, end - answer.offset),
            }
        return found

    def group(self, group: str) -> dict[str, Any]:
        """State and members of a consumer group. Raises Unsupported where the engine does not tell."""
        try:
            found = self._admin.describe_consumer_groups([group], request_timeout=ASK_SECONDS)[group].result(
                ASK_SECONDS
            )
        except (KafkaException, TimeoutError) as error:
            if _code(error) == KafkaError._UNSUPPORTED_FEATURE:
                raise Unsupported("This engine does not tell the state and the members of groups.") from error
            raise _failed(error) from error
        state = found.state if isinstance(found.state, ConsumerGroupState) else ConsumerGroupState.UNKNOWN
        return {
            "state": state.name.lower(),
            "members": [
                {
                    "id": member.member_id,
                    "client": member.client_id,
                    "assigned": [
                        {"topic": place.topic, "partition": place.partition}
                        for place in (member.assignment.topic_partitions if member.assignment else [])
                    ],
                }
                for member in found.members
            ],
        }

    def _partitions(self, topic: str) -> int:
        try:
            return self.topics()[topic]
        except KeyError as error:
            raise NoSuchTopic(f"There is no topic {topic}.") from error

    def _places(self, topics: Mapping[str, int]) -> list[TopicPartition]:
        places = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]
        if len(places) > PARTITIONS_AT_ONCE:
            raise ClusterFailed(
                f"The cluster has more than {PARTITIONS_AT_ONCE} partitions: ask for one topic."
            )
        return places

    def _list_offsets(
        self, places: Sequence[TopicPartition], spec: OffsetSpec, isolation: str
    ) -> dict[tuple[str, int], int]:
        if not places:
            return {}
        try:
            answers = self._admin.list_offsets(
                dict.fromkeys(places, spec),
                isolation_level=ISOLATION[isolation],
                request_timeout=ASK_SECONDS,
            )
            return {
                (place.topic, place.partition): answer.result(ASK_SECONDS).offset
                for place, answer in answers.items()
            }
        except (KafkaException, TimeoutError) as error:
            raise _failed(error) from error


def _document(message: Any) -> dict[str, Any]:
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp_ms": message.timestamp()[1],
        "key": encoded(message.key()),
        "value": encoded(message.value()),
        "headers": [[name, encoded(value)] for name, value in message.headers() or ()],
    }


def _code(error: Exception) -> int | None:
    found = error.args[0] if error.args else None
    return found.code() if isinstance(found, KafkaError) else None


def _failed(error: Exception) -> ClusterFailed:
    found = error.args[0] if error.args else None
    return ClusterFailed(found.str() if isinstance(found, KafkaError) else repr(error))
