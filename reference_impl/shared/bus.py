"""The event bus: the port that every service publishes to and consumes from. Its adapters are in `buses/`.

The port promises what Kafka and a queue service can both promise: every group gets every event *at least once*, the
events of one key *usually* in order. Nothing else may be relied on. States of a delivery, for one group::

    published ──► received ──► acknowledged
                   └► received again      (not acknowledged: by the next `receive`, or by whoever takes over after a crash)

What a group can't handle is its own business: it goes to the dead letters of its service (`dead_letters.py`) and is then
acknowledged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference_impl.shared.events import Event, new_id, now

UNREADABLE = "Unreadable"
"""The type of the event that stands for a record which is no event at all; its consumer can only park it."""
MOST_TEXT = 4_000


class BusAway(Exception):
    """The bus can't be reached, or did not answer in time: nothing is lost, try again later."""


@dataclass(frozen=True)
class Delivery:
    """An event as one group receives it."""

    event: Event
    position: int = 0
    """Where it lies in the adapter's log, if it keeps one."""
    handle: str = ""
    """What the adapter needs besides to acknowledge it; nobody else looks at it."""


class EventBus(ABC):
    """What services publish to and consume from. Any thread may publish; of one object, one thread a group receives."""

    @abstractmethod
    def publish(self, events: Sequence[Event]) -> None:
        """Return once all events are safe. Raises BusAway within a bounded time when they are not all, and the caller
        publishes all of them again: some may then be delivered twice."""

    @abstractmethod
    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        """The next deliveries of this group, at most `limit`; waits up to `wait_seconds` for the first, may return none.

        What this object received before and did not acknowledge comes again. Raises BusAway.
        """

    @abstractmethod
    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        """This group is done with these, in the order in which it received them. Raises BusAway; they may then come again."""

    @abstractmethod
    def lag(self, group: str) -> int:
        """How many deliveries this group has still to acknowledge, as far as the bus can tell. Raises BusAway."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; waiting receivers return. What was not acknowledged goes to others of its group."""


class EventLog(ABC):
    """What the event feed reads: every event by position."""

    @abstractmethod
    def read(self, after: int, limit: int) -> list[Delivery]:
        """Entries after a position, oldest first."""

    @abstractmethod
    def end(self) -> int:
        """The position of the newest entry, 0 when there is none."""

    @abstractmethod
    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this, from any thread, when something was appended; returns how to unsubscribe."""


def decode(record: str | bytes, place: str) -> Event:
    """The event in a record of the bus; one of the type UNREADABLE, named by its place, when there is none in it."""
    try:
        return Event.model_validate_json(record)
    except ValueError as error:
        text = record.decode("utf-8", "replace") if isinstance(record, bytes) else record
        identifier = new_id()
        return Event(
            id=place[-64:] or identifier,
            type=UNREADABLE,
            version=1,
            source="bus",
            key=place[-64:] or identifier,
            sequence=1,
            occurred_at=now(),
            correlation_id=identifier,
            causation_id=None,
            payload={"record": text[:MOST_TEXT], "error": str(error)[:MOST_TEXT]},
        )
