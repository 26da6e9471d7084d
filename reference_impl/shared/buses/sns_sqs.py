"""The bus on AWS: one SNS topic, and for each group one SQS queue that is subscribed to it with raw delivery.

Topic and queues are FIFO. A standard queue is cheaper and has no limit of throughput, but keeps no order at all, and every
event that overtakes another costs the saga a retry. FIFO keeps the events of one key (the message group) in order and holds
back only that key while one of them is in flight; a topic takes 3,000 batches a second, far beyond this platform. Of SNS's
deduplication nothing is used: each sending gets an identifier of its own. It would hide duplicates for five minutes only,
and the inbox has to catch the others anyway.

A delivery that is not acknowledged within the visibility timeout comes again, to whoever of the group asks first. What
crashes its consumer each time would do so for ever: after MOST_RECEIVES it goes to the dead-letter queue
`meridian-<group>-dead.fifo`, from where the operator moves it back (`StartMessageMoveTask`). What a consumer can tell of,
it parks itself (`dead_letters.py`), so this queue is empty on all but the worst days.

A group gets what is published after its queue was made: name all groups when the bus is opened.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reference_impl.shared import logs
from reference_impl.shared.bus import BusAway, Delivery, EventBus, decode
from reference_impl.shared.events import Event, new_id

TOPIC = "meridian.fifo"
BATCH = 10
"""The most that SNS and SQS take or give in one request."""
BATCH_BYTES = 240_000
POLL_SECONDS = 2
"""A long poll: the time that `close` waits at most, and, times the number of groups, what idling costs."""
IDLE_SLICE_SECONDS = 0.1
MOST_RECEIVES = 1_000
KEPT_SECONDS = 14 * 24 * 3600
_log = logs.logger("meridian.sqs")
_Item = TypeVar("_Item")


class SnsSqsBus(EventBus):
    """A topic and its queues in one account and region."""

    def __init__(
        self,
        groups: Sequence[str],
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        visibility_seconds: int = 60,
        timeout_seconds: float = 10.0,
    ) -> None:
        """`groups` are all services that consume. Credentials, and what is None, come from the environment as usual for AWS.

        `visibility_seconds` is how long handling one batch may take before it comes again elsewhere.
        """
        config = Config(
            connect_timeout=min(2.0, timeout_seconds),
            read_timeout=timeout_seconds + POLL_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=32,
        )
        session = boto3.session.Session(region_name=region)
        self._sns: Any = session.client("sns", endpoint_url=endpoint_url, config=config)
        self._sqs: Any = session.client("sqs", endpoint_url=endpoint_url, config=config)
        self._groups = list(groups)
        self._visibility_seconds = visibility_seconds
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._topic = ""
        self._queues: dict[str, str] = {}
        self._outstanding: dict[str, dict[str, None]] = {group: {} for group in groups}

    def publish(self, events: Sequence[Event]) -> None:
        self._prepare()
        for batch in _batches(events):
            try:
                answer = self._sns.publish_batch(TopicArn=self._topic, PublishBatchRequestEntries=batch)
            except (BotoCoreError, ClientError) as error:
                raise BusAway(f"SNS did not take every event: {error}") from error
            if answer.get("Failed"):
                raise BusAway(f"SNS did not take every event: {answer['Failed'][0].get('Message', '')}")

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        if self._closed.is_set():
            return []
        self._prepare()
        self._give_back(group)
        deadline = time.monotonic() + wait_seconds
        while not self._closed.is_set():
            rest = deadline - time.monotonic()
            wait = min(POLL_SECONDS, int(max(0.0, rest)))
            found = self._ask(group, min(limit, BATCH), wait)
            if found or rest <= 0:
                return found
            if wait == 0:
                self._closed.wait(min(IDLE_SLICE_SECONDS, rest))
        return []

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        for some in _chunks(deliveries, BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": delivery.handle} for number, delivery in enumerate(some)
            ]
            try:
                answer = self._sqs.delete_message_batch(QueueUrl=self._queue(group), Entries=entries)
            except (BotoCoreError, ClientError) as error:
                raise BusAway(f"SQS did not delete what {group} has handled: {error}") from error
            for failed in answer.get("Failed", []):
                # Its time was over before it was handled: it comes again, and the inbox passes it over.
                _log.warning("not deleted", group=group, code=failed.get("Code"), reason=failed.get("Message"))
            for delivery in some:
                self._outstanding[group].pop(delivery.handle, None)

    def lag(self, group: str) -> int:
        self._prepare()
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._queue(group), AttributeNames=list(names))
        except (BotoCoreError, ClientError) as error:
            raise BusAway(f"SQS does not tell the lag of {group}: {error}") from error
        return sum(int(answer["Attributes"][name]) for name in names)

    def close(self) -> None:
        """What is outstanding stays invisible until its time is over: its effect may be under way just now."""
        self._closed.set()

    def _ask(self, group: str, limit: int, wait: int) -> list[Delivery]:
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue(group), MaxNumberOfMessages=limit, WaitTimeSeconds=wait
            )
        except (BotoCoreError, ClientError) as error:
            raise BusAway(f"SQS gives no events to {group}: {error}") from error
        found = [
            Delivery(decode(message["Body"], message["MessageId"]), handle=message["ReceiptHandle"])
            for message in answer.get("Messages", [])
        ]
        if self._closed.is_set():
            return []  # the one who waited is gone; it comes again elsewhere
        self._outstanding[group] |= {delivery.handle: None for delivery in found}
        return found

    def _give_back(self, group: str) -> None:
        """Make visible again what was received and not acknowledged, so that it comes first and in order."""
        waiting = list(self._outstanding[group])
        self._outstanding[group].clear()
        for some in _chunks(waiting, BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(some)
            ]
            try:
                self._sqs.change_message_visibility_batch(QueueUrl=self._queue(group), Entries=entries)
            except (BotoCoreError, ClientError) as error:
                raise BusAway(f"SQS does not take back what {group} has not handled: {error}") from error

    def _queue(self, group: str) -> str:
        if group not in self._queues:
            raise ValueError(f"{group} is none of the groups that this bus was opened for")
        return self._queues[group]

    def _prepare(self) -> None:
        """Make the topic and the queues, once; what is there already stays as it is. Raises BusAway."""
        if self._closed.is_set():
            raise BusAway("this bus is closed")
        if self._topic:
            return
        with self._lock:
            try:
                if not self._topic:
                    made = self._sns.create_topic(Name=TOPIC, Attributes={"FifoTopic": "true"})
                    for group in self._groups:
                        self._queues[group] = self._make_queue(group, made["TopicArn"])
                    self._topic = made["TopicArn"]
            except (BotoCoreError, ClientError) as error:
                raise BusAway(f"AWS does not answer: {error}") from error

    def _make_queue(self, group: str, topic: str) -> str:
        dead = self._create(f"meridian-{group}-dead.fifo", {"MessageRetentionPeriod": str(KEPT_SECONDS)})
        redrive = {"deadLetterTargetArn": self._arn(dead), "maxReceiveCount": MOST_RECEIVES}
        queue = self._create(
            f"meridian-{group}.fifo",
            {
                "MessageRetentionPeriod": str(KEPT_SECONDS),
                "VisibilityTimeout": str(self._visibility_seconds),
                "RedrivePolicy": json.dumps(redrive),
            },
        )
        arn = self._arn(queue)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        self._sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
        )
        return queue

    def _create(self, name: str, attributes: dict[str, str]) -> str:
        url: str = self._sqs.create_queue(
            QueueName=name, Attributes={"FifoQueue": "true", **attributes}
        )["QueueUrl"]  # fmt: skip
        return url

    def _arn(self, queue: str) -> str:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        arn: str = answer["Attributes"]["QueueArn"]
        return arn


def _batches(events: Sequence[Event]) -> Iterator[list[dict[str, Any]]]:
    """The entries of each request, within the limits of number and of bytes."""
    batch: list[dict[str, Any]] = []
    size = 0
    for event in events:
        text = event.model_dump_json()
        length = len(text.encode())
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        size += length
        batch.append(
            {
                "Id": str(len(batch)),
                "Message": text,
                "MessageGroupId": event.key,
                "MessageDeduplicationId": new_id(),
                "MessageAttributes": {"type": {"DataType": "String", "StringValue": event.type}},
            }
        )
    if batch:
        yield batch


def _chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
