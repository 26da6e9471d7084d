"""One member of a Kafka consumer group: receives, and commits what was acknowledged and never more.

What was received and not acknowledged is `outstanding`. Of each partition, the offset to commit is that of the first
outstanding record; when none is left, the one behind the last acknowledged.

    next receive    the partition is rewound to its first outstanding record
    revoked         what is outstanding is forgotten: the partition's next owner gets it, because it was never committed
    killed          the same, after the session has ended

While a group rebalances, its coordinator takes no commits. They are kept, and made when a partition is given up or at the
next receive. What is lost to another member meanwhile it handles again, and its inbox passes it over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from reference_impl.shared import logs
from reference_impl.shared.bus import BusAway, Delivery, decode

SLICE_SECONDS = 0.1
"""How long `close` waits at most for somebody who polls."""
POLL_INTERVAL_MS = 300_000
FETCHED_KBYTES = 4_096
_log = logs.logger("meridian.kafka")
_CHANGING = (
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
)
"""The group has changed, or is about to, and this member is told so at its next poll: what it keeps and what it has lost."""

Place = tuple[str, int]
"""A topic and one of its partitions."""


class GroupReader:
    """A consumer with its outstanding records. One thread receives; `close` may come from another."""

    def __init__(
        self,
        group: str,
        topics: Sequence[str],
        settings: dict[str, Any],
        session_seconds: float,
        closed: threading.Event,
    ) -> None:
        self._group = group
        self._closed = closed
        self._lock = threading.Lock()
        self._outstanding: dict[Place, dict[int, Delivery]] = {}
        self._uncommitted: dict[Place, int] = {}
        self._consumer: Any = Consumer(
            {
                **settings,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                # A member that comes or goes stops only the partitions that change hands.
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(session_seconds * 1000),
                "heartbeat.interval.ms": int(session_seconds * 1000 / 3),
                "max.poll.interval.ms": POLL_INTERVAL_MS,
                "queued.max.messages.kbytes": FETCHED_KBYTES,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 100,
            }
        )
        self._consumer.subscribe(list(topics), on_revoke=self._revoked, on_lost=self._lost)

    def receive(self, limit: int, wait_seconds: float) -> list[Delivery]:
        """At most `limit` deliveries; those of before that are outstanding come again first. Raises BusAway."""
        deadline = time.monotonic() + wait_seconds
        try:
            with self._lock:
                if self._closed.is_set():
                    return []
                self._commit()
                self._rewind()
            while True:
                rest = max(0.0, deadline - time.monotonic())
                with self._lock:
                    if self._closed.is_set():
                        return []
                    found = self._poll(limit, min(SLICE_SECONDS, rest))
                if found or rest == 0:
                    return found
        except KafkaException as error:
            raise BusAway(f"Kafka gives no records to {self._group}: {error}") from error

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Commit, per partition, up to its first outstanding record. Raises BusAway."""
        with self._lock:
            if self._closed.is_set():
                return  # it comes again to whoever takes over
            ends: dict[Place, int] = {}
            for delivery in deliveries:
                topic, _, partition = delivery.handle.rpartition("/")
                place = topic, int(partition)
                # Of a partition that went to another member nothing is outstanding here, and nothing is ours to commit.
                if self._outstanding.get(place, {}).pop(delivery.position, None) is not None:
                    ends[place] = delivery.position + 1
            if not ends:
                return
            for place, end in ends.items():
                self._uncommitted[place] = min(self._outstanding[place], default=end)
            self._commit()

    def close(self) -> None:
        """Leave the group, so that the others need not wait for the end of the session."""
        with self._lock:
            self._outstanding.clear()
            self._consumer.close()

    def _poll(self, limit: int, seconds: float) -> list[Delivery]:
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        messages: list[Message] = [first]
        self._take(messages)
        if limit > 1:
            # What has arrived already; a partition may be revoked in this very call.
            more = self._consumer.consume(limit - 1, timeout=0)
            self._take(more)
            messages += more
        found = [self._outstanding.get(_place(message), {}).get(message.offset() or 0) for message in messages]
        return [delivery for delivery in found if delivery is not None]

    def _take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            error: KafkaError | None = message.error()
            if error is not None:
                _log.warning("kafka", group=self._group, code=error.name(), reason=error.str())
                continue
            topic, partition = place = _place(message)
            offset = message.offset() or 0
            event = decode(message.value() or b"", f"{topic}/{partition}/{offset}")
            delivery = Delivery(event, offset, f"{topic}/{partition}")
            self._outstanding.setdefault(place, {})[offset] = delivery

    def _rewind(self) -> None:
        for place, waiting in list(self._outstanding.items()):
            if waiting:
                self._consumer.seek(TopicPartition(*place, min(waiting)))
        self._outstanding.clear()

    def _commit(self) -> None:
        """Commit what is acknowledged, or keep it for later while the group rebalances. Raises BusAway."""
        if not self._uncommitted:
            return
        offsets = [TopicPartition(*place, offset) for place, offset in self._uncommitted.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if error.code() in _CHANGING:
                _log.info("offsets are committed later", group=self._group, reason=error.str())
                return
            raise BusAway(f"Kafka did not take the offsets of {self._group}: {error}") from failure
        self._uncommitted.clear()

    def _revoked(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Called by the client, while it polls, before these partitions go to another member."""
        try:
            self._commit()
        except BusAway as away:
            _log.warning("offsets not committed", group=self._group, reason=str(away))
        self._lost(consumer, partitions)

    def _lost(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Called by the client when these partitions have gone to another member already."""
        for partition in partitions:
            self._outstanding.pop((partition.topic, partition.partition), None)
            self._uncommitted.pop((partition.topic, partition.partition), None)


def _place(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0
