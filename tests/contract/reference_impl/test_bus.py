"""What every adapter of the event bus promises; one suite, a fixture parameter an adapter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reference_impl.shared.bus import EventBus, InProcessBus
from reference_impl.shared.events import Event, new_id, now
from reference_impl.shared.faults import Faults

Open = Callable[[], EventBus]


@pytest.fixture(params=["in-process"])
def open_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the bus; again, after closing it, opens the same one."""
    opened: list[EventBus] = []

    def open_it() -> EventBus:
        opened.append(InProcessBus(tmp_path, Faults(1)))
        return opened[-1]

    yield open_it
    for bus in opened:
        bus.close()


def event(number: int) -> Event:
    return Event(
        id=new_id(), type="Tested", version=1, source="test", key="k", sequence=number, occurred_at=now(),
        correlation_id="c", causation_id=None, payload={"number": number},
    )  # fmt: skip


def take(bus: EventBus, group: str, count: int) -> list[int]:
    """Receive and acknowledge `count` deliveries."""
    found: list[int] = []
    while len(found) < count:
        batch = bus.receive(group, limit=10, wait_seconds=2)
        assert batch, f"{group} received {len(found)} of {count}"
        for delivery in batch:
            found.append(delivery.event.sequence)
            bus.acknowledge(group, delivery)
    return found


def test_every_group_gets_every_event_of_a_key_in_order(open_bus: Open) -> None:
    bus = open_bus()
    bus.publish([event(number) for number in range(1, 26)])
    assert take(bus, "one", 25) == list(range(1, 26))
    assert take(bus, "two", 25) == list(range(1, 26))
    assert bus.receive("one", limit=10, wait_seconds=0) == []


def test_what_was_not_acknowledged_is_delivered_again_after_a_restart(open_bus: Open) -> None:
    bus = open_bus()
    bus.publish([event(number) for number in range(1, 4)])
    first, second, _ = bus.receive("one", limit=10, wait_seconds=1)
    bus.acknowledge("one", first)
    assert second.event.sequence == 2
    bus.close()
    assert take(open_bus(), "one", 2) == [2, 3]


def test_a_receiver_that_waits_gets_what_is_published_meanwhile(open_bus: Open) -> None:
    bus = open_bus()
    timer = threading.Timer(0.1, lambda: bus.publish([event(1)]))
    timer.start()
    started = time.monotonic()
    assert [delivery.event.sequence for delivery in bus.receive("one", limit=10, wait_seconds=10)] == [1]
    assert time.monotonic() - started < 9
    timer.join()


def test_closing_ends_every_wait(open_bus: Open) -> None:
    bus = open_bus()
    timer = threading.Timer(0.1, bus.close)
    timer.start()
    started = time.monotonic()
    assert bus.receive("one", limit=10, wait_seconds=10) == []
    assert time.monotonic() - started < 9
    timer.join()


def test_a_parked_event_is_kept_and_does_not_come_back(open_bus: Open) -> None:
    bus = open_bus()
    bus.publish([event(1), event(2)])
    first, second = bus.receive("one", limit=10, wait_seconds=1)
    bus.park("one", first, "can't be handled")
    bus.acknowledge("one", first)
    assert [(item.group, item.event.sequence, item.error) for item in bus.parked(10)] == [
        ("one", 1, "can't be handled")
    ]
    assert bus.lag("one") == 1
    bus.acknowledge("one", second)
    assert bus.lag("one") == 0
