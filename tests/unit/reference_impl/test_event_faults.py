"""The faults of events in front of a bus: each does what its flag says, and nothing when it is off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from reference_impl.shared.bus import BusAway
from reference_impl.shared.buses import faulty
from reference_impl.shared.buses.faulty import FaultyBus, poisoned
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.events import Event, new_id, now
from reference_impl.shared.faults import Faults
from tests.unit.reference_impl.gateways import Clock


def event(number: int) -> Event:
    return Event(
        id=new_id(), type="Tested", version=1, source="test", key="k", sequence=number, occurred_at=now(),
        correlation_id="c", causation_id=None, payload={"number": number},
    )  # fmt: skip


EVENTS = [event(number) for number in range(1, 11)]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """By which held events are due: it stands until a test moves it, and so they are held until then."""
    made = Clock()
    monkeypatch.setattr(faulty, "time", SimpleNamespace(time=made))
    return made


@pytest.fixture
def faults() -> Faults:
    return Faults(1)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[InProcessBus]:
    opened = InProcessBus(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def bus(log: InProcessBus, faults: Faults, tmp_path: Path) -> Iterator[FaultyBus]:
    opened = FaultyBus(log, faults, tmp_path)
    yield opened
    opened.close()


def entered(log: InProcessBus, count: int) -> list[Event]:
    """What is in the log once that many events are."""
    deadline = time.monotonic() + 60
    while len(found := log.read(0, 100)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} events entered"
        time.sleep(0.01)
    return [delivery.event for delivery in found]


def test_without_faults_everything_passes_and_nothing_is_kept(
    bus: FaultyBus, log: InProcessBus, tmp_path: Path
) -> None:
    bus.publish(EVENTS)
    assert entered(log, 10) == EVENTS
    assert not (tmp_path / "held.sqlite3").exists()


def test_a_lost_event_never_enters(bus: FaultyBus, log: InProcessBus, faults: Faults) -> None:
    faults.set("events.lose", 1)
    bus.publish(EVENTS[:5])
    faults.clear()
    bus.publish(EVENTS[5:])
    assert entered(log, 5) == EVENTS[5:]
    assert bus.lag("any") == 5


def test_a_duplicate_follows_later(bus: FaultyBus, log: InProcessBus, faults: Faults, clock: Clock) -> None:
    faults.set("events.duplicate", 1)
    bus.publish(EVENTS)
    assert [delivery.event for delivery in log.read(0, 10)] == EVENTS
    assert bus.lag("any") == 20
    clock.at += 1
    again = entered(log, 20)[10:]
    assert sorted(item.id for item in again) == sorted(item.id for item in EVENTS)


def test_an_event_that_is_held_back_is_overtaken(
    bus: FaultyBus, log: InProcessBus, faults: Faults, clock: Clock
) -> None:
    faults.set("events.reorder", 1)
    bus.publish(EVENTS[:5])
    faults.clear()
    bus.publish(EVENTS[5:])
    clock.at += 1
    found = entered(log, 10)
    assert found[:5] == EVENTS[5:]
    assert sorted(item.sequence for item in found[5:]) == [1, 2, 3, 4, 5]


def test_a_poisoned_twin_has_a_name_of_its_own(bus: FaultyBus, log: InProcessBus, faults: Faults) -> None:
    faults.set("events.poison", 1)
    bus.publish(EVENTS[:1])
    whole, twin = entered(log, 2)
    assert whole == EVENTS[0]
    assert (twin.id, twin.type, twin.key) == (poisoned(whole).id, whole.type, whole.key)
    assert twin.id != whole.id
    assert twin.payload == {"poisoned": True}


def test_what_is_held_back_survives_a_restart(log: InProcessBus, faults: Faults, tmp_path: Path) -> None:
    class Away(InProcessBus):
        def publish(self, events: object) -> None:
            raise BusAway("gone")

    faults.set("events.reorder", 1)
    away = Away(tmp_path / "away")
    first = FaultyBus(away, faults, tmp_path)
    first.publish(EVENTS)
    first.close()
    assert log.end() == 0
    second = FaultyBus(log, faults, tmp_path)
    assert sorted(item.sequence for item in entered(log, 10)) == list(range(1, 11))
    deadline = time.monotonic() + 60
    while second.lag("any") != 10:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second.close()


def test_publishing_again_holds_nothing_twice(bus: FaultyBus, log: InProcessBus, faults: Faults) -> None:
    faults.set("events.reorder", 1)
    bus.publish(EVENTS)
    bus.publish(EVENTS)
    assert bus.lag("any") == 10


def test_lag_hands_out_one_delivery_at_a_time_and_late(
    bus: FaultyBus, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[str] = []
    monkeypatch.setattr(faults, "delay", lambda name, stop: waited.append(name))
    bus.publish(EVENTS)
    faults.set("consumer.lag", 10)
    assert bus.receive("one", limit=10, wait_seconds=0)[0].event == EVENTS[0]
    assert waited == ["consumer.lag"]
    faults.clear()
    assert len(bus.receive("one", limit=10, wait_seconds=0)) == 10
    assert waited == ["consumer.lag"]
