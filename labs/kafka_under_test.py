"""Kafka in the learner's sandbox as a check sees it: the service's door (docs/services.md), asked from outside."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from sandboxes.interface import TooLarge

RECORDS_AT_ONCE = 1_000
BUSY_SECONDS = 10.0
BUSY_PAUSE_SECONDS = 0.1

Data = str | bytes | None


@dataclass(frozen=True)
class Record:
    """One record of a topic. Bytes that are UTF-8 are told as text."""

    partition: int
    offset: int
    key: Data
    value: Data
    headers: tuple[tuple[str, Data], ...]

    def header(self, name: str) -> Data:
        """The last value of this header, as clients read it; None when there is none."""
        return next((value for known, value in reversed(self.headers) if known == name), None)


@dataclass(frozen=True)
class Sent:
    """A record to send; without `partition` the key's hash chooses."""

    value: Data
    key: Data = None
    headers: tuple[tuple[str, Data], ...] = ()
    partition: int | None = None


@dataclass(frozen=True)
class Position:
    """Where a group is in one partition."""

    committed: int
    end: int
    lag: int


class KafkaUnderTest:
    """What a check may ask of the cluster, over `LabUnderTest.http("kafka")`.

    Methods raise httpx.HTTPError, which fails the task with a clear message, and TooLarge.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def facts(self) -> dict[str, str]:
        """What this engine does and does not do."""
        return dict(self._ask("GET", "/facts"))

    def topics(self) -> dict[str, int]:
        """Partitions by topic."""
        found = self._ask("GET", "/topics")["topics"]
        return {name: len(topic["partitions"]) for name, topic in found.items()}

    def make(self, topic: str, partitions: int) -> None:
        """Make a topic. Raises httpx.HTTPStatusError when there is one of this name."""
        self._ask("POST", "/topics", {"name": topic, "partitions": partitions})

    def send(self, topic: str, records: Sequence[Sent]) -> list[tuple[int, int]]:
        """(partition, offset) of each record, in the order given; they are stored in this order."""
        went: list[tuple[int, int]] = []
        for start in range(0, len(records), RECORDS_AT_ONCE):
            body = {"records": [_document(record) for record in records[start : start + RECORDS_AT_ONCE]]}
            answer = self._ask("POST", f"/topics/{topic}/records", body)
            went += [(place["partition"], place["offset"]) for place in answer["records"]]
        return went

    def records(self, topic: str) -> list[Record]:
        """All records of a topic by partition and offset. Raises TooLarge when the door did not give all."""
        answer = self._ask("GET", f"/topics/{topic}/records")
        if not answer["complete"]:
            raise TooLarge(f"The topic {topic} holds more than is read.")
        return [
            Record(
                partition=found["partition"],
                offset=found["offset"],
                key=_data(found["key"]),
                value=_data(found["value"]),
                headers=tuple((name, _data(value)) for name, value in found["headers"]),
            )
            for found in answer["records"]
        ]

    def positions(self, group: str, topic: str) -> dict[int, Position]:
        """Where a group is, by partition; only partitions in which it has committed."""
        found = self._ask("GET", f"/groups/{group}/offsets", query={"topic": topic})["offsets"].get(topic, {})
        return {
            int(number): Position(place["committed"], place["end"], place["lag"])
            for number, place in found.items()
        }

    def _ask(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer; asked again for a while when it is 503: the door is busy and has done nothing then."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            answer = self._client.request(method, path, json=body, params=query)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                break
            time.sleep(BUSY_PAUSE_SECONDS)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found


def _document(record: Sent) -> dict[str, Any]:
    document: dict[str, Any] = {
        "key": _wire(record.key),
        "value": _wire(record.value),
        "headers": [[name, _wire(value)] for name, value in record.headers],
    }
    return document if record.partition is None else {**document, "partition": record.partition}


def _wire(data: Data) -> Any:
    return {"base64": base64.b64encode(data).decode("ascii")} if isinstance(data, bytes) else data


def _data(wire: Any) -> Data:
    return base64.b64decode(wire["base64"]) if isinstance(wire, dict) else wire
