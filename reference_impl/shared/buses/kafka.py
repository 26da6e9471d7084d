"""The bus on Kafka: one topic a source service, `meridian.<source>`; the key of a record is the key of its event.

What makes it keep the port's promises:

- The producer is idempotent and waits for all in-sync replicas; `publish` returns when the broker has confirmed each record.
- A group is a consumer group. Offsets are committed by hand, after the effect (`kafka_group.py`).
- One key is one partition of one topic, so its events from one source stay in order. Those from two sources may overtake
  each other, here as on any bus.

A group of n members shares out the partitions: more members than a topic has partitions would have nothing to do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from reference_impl.shared import logs
from reference_impl.shared.bus import BusAway, Delivery, EventBus
from reference_impl.shared.buses.kafka_group import GroupReader
from reference_impl.shared.events import Event

PREFIX = "meridian."
PARTITIONS = 6
CLUSTER_DEFAULT = -1
QUEUE_MESSAGES = 10_000
QUEUE_KBYTES = 16_384
POLL_SECONDS = 0.05
CLOSE_SECONDS = 1.0
_log = logs.logger("meridian.kafka")


class _Confirmations:
    """Counts the broker's answers to the records of one `publish`, on whichever thread they arrive."""

    def __init__(self, expected: int) -> None:
        self.left = expected
        self.error: KafkaError | None = None
        self._lock = threading.Lock()

    def __call__(self, error: KafkaError | None, _message: Any) -> None:
        with self._lock:
            self.left -= 1
            self.error = self.error or error


class KafkaBus(EventBus):
    """Topics and consumer groups of one cluster."""

    def __init__(
        self,
        servers: str,
        sources: Sequence[str],
        *,
        partitions: int = PARTITIONS,
        replication: int = CLUSTER_DEFAULT,
        timeout_seconds: float = 10.0,
        session_seconds: float = 6.0,
    ) -> None:
        """`servers` is `host:port,…`; `sources` are all services whose events exist. Nothing is asked of the cluster yet.

        `timeout_seconds` bounds each answer of the cluster; a member that is silent for `session_seconds` loses its
        partitions to the others of its group. A topic that is missing is made with `partitions` and `replication`.
        """
        self._settings: dict[str, Any] = {
            "bootstrap.servers": servers,
            "socket.timeout.ms": int(timeout_seconds * 1000),
            "reconnect.backoff.max.ms": 1000,
            "log_level": 3,
            "logger": logging.getLogger("meridian.kafka.client"),
            "error_cb": lambda error: _log.warning("kafka", code=error.name(), reason=error.str()),
        }
        self._topics = {source: PREFIX + source for source in sources}
        self._partitions = partitions
        self._replication = replication
        self._timeout = timeout_seconds
        self._session_seconds = session_seconds
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._places: list[TopicPartition] = []
        self._readers: dict[str, GroupReader] = {}
        self._admin = AdminClient(self._settings)
        self._producer = self._new_producer()

    def publish(self, events: Sequence[Event]) -> None:
        self._prepare()
        unknown = {event.source for event in events} - set(self._topics)
        if unknown:
            raise ValueError(
                f"{', '.join(sorted(unknown))} is none of the services that this bus was opened for"
            )
        producer = self._producer
        confirmations = _Confirmations(len(events))
        deadline = time.monotonic() + self._timeout
        try:
            for event in events:
                self._produce(producer, event, confirmations, deadline)
            # A record that is not confirmed in time is given up by the client itself, so all answers come in the end.
            while confirmations.left and time.monotonic() < deadline + POLL_SECONDS * 20:
                producer.poll(POLL_SECONDS)
        except KafkaException as error:
            self._given_up(producer, error.args[0])
        if confirmations.error is not None or confirmations.left:
            self._given_up(producer, confirmations.error)

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        if self._closed.is_set():
            return []
        self._prepare()
        return self._reader(group).receive(limit, wait_seconds)

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        self._reader(group).acknowledge(deliveries)

    def lag(self, group: str) -> int:
        """By committed offset and end of each partition; where nothing is committed yet, all that is kept counts."""
        self._prepare()
        try:
            asked = ConsumerGroupTopicPartitions(group, self._places)
            answer = self._admin.list_consumer_group_offsets([asked], request_timeout=self._timeout)
            committed = answer[group].result(self._timeout).topic_partitions
            ends = self._offsets(self._places, OffsetSpec.latest())
            fresh = [place for place in committed if place.offset < 0]
            starts = self._offsets(fresh, OffsetSpec.earliest()) if fresh else {}
        except (KafkaException, TimeoutError) as error:
            # A client that knew a cluster which came back empty, as a mock does, gets no answers any more; a new one does.
            self._admin = AdminClient(self._settings)
            raise BusAway(f"Kafka does not tell the lag of {group}: {error}") from error
        done = {(place.topic, place.partition): place.offset for place in committed} | starts
        return sum(max(0, end - done[place]) for place, end in ends.items())

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            readers, self._readers = list(self._readers.values()), {}
        for reader in readers:
            reader.close()
        self._producer.flush(CLOSE_SECONDS)

    def _produce(
        self, producer: Producer, event: Event, confirmations: _Confirmations, deadline: float
    ) -> None:
        while True:
            try:
                producer.produce(
                    self._topics[event.source],
                    key=event.key,
                    value=event.model_dump_json(),
                    headers=[("type", event.type.encode())],
                    on_delivery=confirmations,
                )
            except BufferError:
                if time.monotonic() >= deadline:
                    raise BusAway("Kafka takes no records: the producer's queue stays full") from None
                producer.poll(POLL_SECONDS)
            else:
                return

    def _given_up(self, producer: Producer, error: KafkaError | None) -> None:
        """Raise BusAway; a producer that can't go on is replaced first."""
        if error is not None and error.fatal():
            with self._lock:
                if self._producer is producer:
                    self._producer = self._new_producer()
        reason = error.str() if error is not None else f"no confirmation within {self._timeout:g} s"
        raise BusAway(f"Kafka did not take every record: {reason}")

    def _new_producer(self) -> Producer:
        return Producer(
            {
                **self._settings,
                "acks": "all",
                "enable.idempotence": True,
                "delivery.timeout.ms": int(self._timeout * 1000),
                "request.timeout.ms": int(self._timeout * 1000),
                "linger.ms": 2,
                "compression.type": "lz4",
                "queue.buffering.max.messages": QUEUE_MESSAGES,
                "queue.buffering.max.kbytes": QUEUE_KBYTES,
            }
        )

    def _reader(self, group: str) -> GroupReader:
        with self._lock:
            if self._closed.is_set():
                raise BusAway("this bus is closed")
            if group not in self._readers:
                topics = sorted(self._topics.values())
                self._readers[group] = GroupReader(
                    group, topics, self._settings, self._session_seconds, self._closed
                )
            return self._readers[group]

    def _offsets(self, places: Sequence[TopicPartition], which: OffsetSpec) -> dict[tuple[str, int], int]:
        asked = {TopicPartition(place.topic, place.partition): which for place in places}
        answers = self._admin.list_offsets(asked, request_timeout=self._timeout)
        return {
            (place.topic, place.partition): future.result(self._timeout).offset
            for place, future in answers.items()
        }

    def _prepare(self) -> None:
        """Make the topics that are missing, once. Raises BusAway."""
        if self._closed.is_set():
            raise BusAway("this bus is closed")
        if self._places:
            return
        with self._lock:
            try:
                self._places = self._places or self._made_topics()
            except (KafkaException, TimeoutError) as error:
                raise BusAway(f"Kafka does not answer: {error}") from error

    def _made_topics(self) -> list[TopicPartition]:
        found = self._admin.list_topics(timeout=self._timeout)
        missing = [topic for topic in self._topics.values() if topic not in found.topics]
        if missing and found.controller_id in found.brokers:
            wanted = [
                NewTopic(topic, num_partitions=self._partitions, replication_factor=self._replication)
                for topic in missing
            ]
            for made in self._admin.create_topics(wanted, request_timeout=self._timeout).values():
                try:
                    made.result(self._timeout)
                except KafkaException as error:
                    if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise
        # A cluster without a controller (librdkafka's mock) makes a topic when one asks for it by name.
        return [
            TopicPartition(topic, partition)
            for topic in self._topics.values()
            for partition in self._partitions_of(topic)
        ]

    def _partitions_of(self, topic: str) -> list[int]:
        """Its partitions, once the brokers have told each other of it."""
        deadline = time.monotonic() + self._timeout
        while True:
            known = self._admin.list_topics(topic, timeout=self._timeout).topics[topic]
            if known.error is None and known.partitions:
                return sorted(known.partitions)
            if time.monotonic() >= deadline:
                raise TimeoutError(f"the topic {topic} was made and is not there yet: {known.error}")
            self._closed.wait(POLL_SECONDS)
