"""What every adapter of the event bus promises; one suite, a fixture parameter an adapter."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reference_impl.shared.bus import BusAway, Delivery, EventBus
from reference_impl.shared.events import Event, new_id, now
from tests.contract.reference_impl.buses import Ground, InProcess, Kafka, SnsSqs

DEADLINE_SECONDS = 90.0
CHANGE_SECONDS = 10.0
"""A session where members of a group change: librdkafka's mock waits so long, less a second, for who may come back."""
AWAY_SECONDS = 5.0
"""How long a bus waits for a broker that is away. Where that is too short for one that is there, it is asked again."""
BROKERED = ("kafka", pytest.param("sns-sqs", marks=pytest.mark.cloud))
with_a_broker = pytest.mark.parametrize("ground", BROKERED, indirect=True)
"""For what only a broker can do: serve several processes, here several objects, of one group, and be away."""


@pytest.fixture(params=["in-process", *BROKERED])
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """Where a bus is opened, and opened again."""
    makers: dict[str, Callable[[], Ground]] = {
        "in-process": lambda: InProcess(tmp_path),
        "kafka": Kafka,
        "sns-sqs": lambda: SnsSqs(monkeypatch),
    }
    made = makers[request.param]()
    yield made
    made.close()


def event(number: int, key: str = "k", source: str = "test") -> Event:
    return Event(
        id=new_id(), type="Tested", version=1, source=source, key=key, sequence=number, occurred_at=now(),
        correlation_id="c", causation_id=None, payload={"number": number},
    )  # fmt: skip


def events(count: int, key: str = "k") -> list[Event]:
    return [event(number, key) for number in range(1, count + 1)]


def receive(bus: EventBus, group: str = "one", limit: int = 10) -> list[Delivery]:
    """The next deliveries, however long a group needs to form."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = bus.receive(group, limit=limit, wait_seconds=1)
        if found:
            return found
    raise AssertionError(f"{group} received nothing")


def take(bus: EventBus, group: str, count: int) -> list[Event]:
    """Receive and acknowledge `count` deliveries."""
    found: list[Event] = []
    while len(found) < count:
        batch = receive(bus, group)
        found += [delivery.event for delivery in batch]
        bus.acknowledge(group, batch)
    return found


def numbers(found: Sequence[Event | Delivery]) -> list[int]:
    return [(item.event if isinstance(item, Delivery) else item).sequence for item in found]


def publish(bus: EventBus, sent: Sequence[Event]) -> None:
    """Publish as one does: again, until the bus has taken them."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            bus.publish(sent)
            return
        except BusAway:
            assert time.monotonic() < deadline


def take_all(bus: EventBus, group: str, wanted: Sequence[Event]) -> None:
    """Receive and acknowledge until these have come, some of them perhaps more than once."""
    missing = {item.id for item in wanted}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while missing:
        assert time.monotonic() < deadline, missing
        try:
            batch = bus.receive(group, limit=10, wait_seconds=1)
            missing -= {delivery.event.id for delivery in batch}
            bus.acknowledge(group, batch)
        except BusAway:
            time.sleep(0.1)


def until_lag_is(bus: EventBus, group: str, lag: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := bus.lag(group)) != lag:
        assert time.monotonic() < deadline, f"the lag of {group} is {found}"
        time.sleep(0.05)


def test_every_group_gets_every_event_of_a_key_in_order(ground: Ground) -> None:
    bus = ground.open()
    bus.publish(events(25))
    assert numbers(take(bus, "one", 25)) == list(range(1, 26))
    assert numbers(take(bus, "two", 25)) == list(range(1, 26))
    assert bus.receive("one", limit=10, wait_seconds=0) == []


def test_keys_keep_their_order_among_others(ground: Ground) -> None:
    bus = ground.open()
    mixed = [event(number, key) for number in range(1, 9) for key in "abc"]
    bus.publish(mixed[:13])
    bus.publish(mixed[13:])
    found = take(bus, "one", 24)
    for key in "abc":
        assert [item.sequence for item in found if item.key == key] == list(range(1, 9))


def test_an_event_arrives_as_it_was_published(ground: Ground) -> None:
    bus = ground.open()
    sent = event(1).model_copy(update={"payload": {"text": "naïve ☕", "lines": [{"n": 1}], "none": None}})
    bus.publish([sent])
    assert take(bus, "one", 1) == [sent]


def test_publishing_nothing_is_fine(ground: Ground) -> None:
    bus = ground.open()
    bus.publish([])
    assert bus.lag("one") == 0


def test_no_more_is_received_than_asked_for(ground: Ground) -> None:
    bus = ground.open()
    bus.publish(events(7))
    sizes = []
    while sum(sizes) < 7:
        batch = receive(bus, limit=3)
        sizes.append(len(batch))
        bus.acknowledge("one", batch)
    assert max(sizes) <= 3


def test_what_was_not_acknowledged_comes_again_first(ground: Ground) -> None:
    bus = ground.open()
    bus.publish(events(3))
    assert numbers(receive(bus, limit=2))[0] == 1
    first = receive(bus, limit=2)
    assert numbers(first)[0] == 1
    bus.acknowledge("one", first[:1])
    assert numbers(take(bus, "one", 2)) == [2, 3]


def test_what_was_not_acknowledged_is_delivered_again_after_a_restart(ground: Ground) -> None:
    ground.session_seconds = CHANGE_SECONDS
    bus = ground.open()
    bus.publish(events(3))
    found = receive(bus)
    assert numbers(found)[0] == 1
    bus.acknowledge("one", found[:1])
    bus.close()
    ground.later()
    found_again = numbers(take(ground.open(), "one", 2))
    assert (found_again if ground.keeps_order_after_a_crash else sorted(found_again)) == [2, 3]


def test_what_was_acknowledged_does_not_come_again_after_a_restart(ground: Ground) -> None:
    ground.session_seconds = CHANGE_SECONDS
    bus = ground.open()
    bus.publish(events(3))
    take(bus, "one", 3)
    bus.close()
    ground.later()
    again = ground.open()
    again.publish([event(4)])
    assert numbers(take(again, "one", 1)) == [4]
    until_lag_is(again, "one", 0)


@with_a_broker
def test_another_member_of_the_group_gets_what_the_first_did_not_acknowledge(ground: Ground) -> None:
    ground.session_seconds = CHANGE_SECONDS
    first, second = ground.open(), ground.open()
    first.publish(events(4))
    held = receive(first)
    first.acknowledge("one", held[:1])
    first.close()
    ground.later()
    found_again = numbers(take(second, "one", 3))
    assert (found_again if ground.keeps_order_after_a_crash else sorted(found_again)) == [2, 3, 4]


@with_a_broker
def test_nobody_overtakes_within_a_key_while_one_of_its_events_is_in_flight(ground: Ground) -> None:
    first, second = ground.open(), ground.open()
    first.publish(events(3))
    held = receive(first, limit=1)
    assert second.receive("one", limit=10, wait_seconds=0.5) == []
    first.acknowledge("one", held)


@with_a_broker
def test_two_members_share_the_work_and_lose_nothing_when_they_change(ground: Ground) -> None:
    ground.session_seconds = CHANGE_SECONDS / 2  # what comes again does no harm here
    first, second = ground.open(), ground.open()
    sent = [event(number, f"key-{number % 12}") for number in range(1, 61)]
    seen: list[str] = []
    done = threading.Event()

    def work(bus: EventBus) -> None:
        while not done.is_set():
            batch = bus.receive("one", limit=5, wait_seconds=0.2)
            seen.extend(delivery.event.id for delivery in batch)
            bus.acknowledge("one", batch)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(work, first)
        first.publish(sent[:30])
        two = pool.submit(work, second)
        second.publish(sent[30:])
        deadline = time.monotonic() + DEADLINE_SECONDS
        # What was acknowledged while they changed may come again: it is on record only once nothing is left.
        while (len(set(seen)) < 60 or first.lag("one")) and time.monotonic() < deadline:
            time.sleep(0.05)
        done.set()
        one.result()
        two.result()
    assert set(seen) == {item.id for item in sent}
    until_lag_is(first, "one", 0)


@with_a_broker
def test_what_is_acknowledged_while_members_change_is_not_forgotten(ground: Ground) -> None:
    ground.session_seconds = CHANGE_SECONDS / 2  # what comes again does no harm here
    first, second = ground.open(), ground.open()
    first.publish([event(number, f"key-{number}") for number in range(1, 7)])
    held = receive(first)
    second.receive("one", limit=1, wait_seconds=0.5)  # it asks to be let in while the first one works
    first.acknowledge("one", held)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while lag := first.lag("one"):
        assert time.monotonic() < deadline, f"the lag is {lag}"
        for bus in (first, second):
            bus.acknowledge("one", bus.receive("one", limit=10, wait_seconds=0.2))


def test_the_lag_is_what_is_not_acknowledged_of_each_group(ground: Ground) -> None:
    bus = ground.open()
    bus.publish(events(5))
    until_lag_is(bus, "one", 5)
    found = receive(bus, limit=2)
    until_lag_is(bus, "one", 5)
    bus.acknowledge("one", found)
    until_lag_is(bus, "one", 5 - len(found))
    until_lag_is(bus, "two", 5)


def test_a_receiver_that_waits_gets_what_is_published_meanwhile(ground: Ground) -> None:
    bus = ground.open()
    bus.publish([event(1)])
    take(bus, "one", 1)
    timer = threading.Timer(0.1, lambda: bus.publish([event(2)]))
    timer.start()
    started = time.monotonic()
    assert numbers(bus.receive("one", limit=10, wait_seconds=120)) == [2]
    assert time.monotonic() - started < 100
    timer.join()


def test_waiting_is_bounded(ground: Ground) -> None:
    bus = ground.open()
    bus.publish([event(1)])
    take(bus, "one", 1)
    started = time.monotonic()
    assert bus.receive("one", limit=10, wait_seconds=0.5) == []
    assert 0.4 < time.monotonic() - started < 60


def test_closing_ends_every_wait(ground: Ground) -> None:
    bus = ground.open()
    bus.publish([event(1)])
    begun = threading.Barrier(3)

    def wait(group: str) -> list[Delivery]:
        take(bus, group, 1)  # what a first receive has to prepare is no waiting
        begun.wait(DEADLINE_SECONDS)
        return bus.receive(group, limit=10, wait_seconds=200)

    with ThreadPoolExecutor(2) as pool:
        waits = [pool.submit(wait, group) for group in ("one", "two")]
        begun.wait(DEADLINE_SECONDS)
        time.sleep(
            0.3
        )  # into the wait; who has not come that far finds the bus closed, and waits no longer either
        started = time.monotonic()
        bus.close()
        assert [wait.result(100) for wait in waits] == [[], []]
    assert time.monotonic() - started < 60


def test_a_closed_bus_takes_nothing(ground: Ground) -> None:
    bus = ground.open()
    bus.publish([event(1)])
    bus.close()
    with pytest.raises(BusAway):
        bus.publish([event(2)])
    assert bus.receive("one", limit=1, wait_seconds=0) == []


@with_a_broker
def test_while_the_broker_is_away_publishing_fails_in_time_and_nothing_is_lost(ground: Ground) -> None:
    ground.timeout_seconds = AWAY_SECONDS
    bus = ground.open()
    first, second = event(1), event(2)
    publish(bus, [first])
    ground.away()
    started = time.monotonic()
    with pytest.raises(BusAway):
        bus.publish([second])
    assert time.monotonic() - started < 60
    ground.back()
    publish(bus, [second])
    take_all(bus, "one", [first, second])


@with_a_broker
def test_a_receiver_survives_a_broker_that_was_away(ground: Ground) -> None:
    bus = ground.open()
    bus.publish(events(2))
    bus.acknowledge("one", receive(bus, limit=1))
    ground.away()
    for _ in range(3):
        try:
            bus.receive("one", limit=10, wait_seconds=0.3)
        except BusAway:
            time.sleep(0.1)
    ground.back()
    deadline = time.monotonic() + DEADLINE_SECONDS
    seen: list[int] = []
    while 2 not in seen:
        assert time.monotonic() < deadline, seen
        try:
            batch = bus.receive("one", limit=10, wait_seconds=1)
            seen += numbers(batch)
            bus.acknowledge("one", batch)
        except BusAway:
            time.sleep(0.1)


@with_a_broker
def test_a_broker_that_is_away_at_the_start_is_found_later(ground: Ground) -> None:
    ground.timeout_seconds = AWAY_SECONDS
    ground.away()
    bus = ground.open()
    sent = event(1)
    with pytest.raises(BusAway):
        bus.publish([sent])
    ground.back()
    publish(bus, [sent])
    take_all(bus, "one", [sent])
