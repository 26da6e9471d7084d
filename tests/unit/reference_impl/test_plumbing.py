"""Outbox, inbox, faults and settings by themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from reference_impl.shared.bus import EventBus
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.consumer import ATTEMPTS, Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, Payload
from reference_impl.shared.faults import Faults
from reference_impl.shared.inbox import Inbox, Poison
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.settings import Compensation, Settings, SettingsError

METADATA = MetaData()
OUTBOX = Outbox.on(METADATA, "test")
INBOX = Inbox.on(METADATA)


class Counted(Payload):
    """An event of these tests."""

    number: int


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.in_directory(tmp_path, "test", METADATA)
    yield opened
    opened.close()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[InProcessBus]:
    opened = InProcessBus(tmp_path)
    yield opened
    opened.close()


def emit(database: Database, *numbers: int, key: str = "k") -> None:
    with database.write() as session:
        for number in numbers:
            OUTBOX.add(session, Counted(number=number), key=key)


def test_an_event_is_written_with_its_change_or_not_at_all(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as session:
            OUTBOX.add(session, Counted(number=1), key="k")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database.read() as session:
        assert OUTBOX.pending(session) == 0


def test_sequences_count_each_key_for_itself_without_gaps(database: Database, bus: InProcessBus) -> None:
    emit(database, 1, 2, key="a")
    emit(database, 3, key="b")
    emit(database, 4, key="a")
    Relay(OUTBOX, database, bus).run_once()
    found = [(item.event.key, item.event.sequence) for item in bus.read(0, 10)]
    assert found == [("a", 1), ("a", 2), ("b", 1), ("a", 3)]


def test_what_the_bus_does_not_take_is_sent_again(database: Database, bus: InProcessBus) -> None:
    emit(database, 1, 2)
    refusing = create_autospec(EventBus, instance=True)
    refusing.publish.side_effect = ConnectionError
    with pytest.raises(ConnectionError):
        Relay(OUTBOX, database, refusing).run_once()
    relay = Relay(OUTBOX, database, bus)
    assert (relay.backlog(), relay.run_once(), relay.backlog()) == (2, 2, 0)


def test_a_relay_that_keeps_failing_says_so_and_recovers(database: Database, bus: InProcessBus) -> None:
    emit(database, 1)
    published: list[Event] = []
    stop = threading.Event()
    flaky = create_autospec(EventBus, instance=True)

    def publish(events: Sequence[Event]) -> None:
        if flaky.publish.call_count <= 5:
            assert relay.failures == flaky.publish.call_count - 1
            raise ConnectionError
        assert not relay.healthy
        published.extend(events)
        stop.set()

    flaky.publish.side_effect = publish
    relay = Relay(OUTBOX, database, flaky)
    relay.run(stop)
    assert [event.payload["number"] for event in published] == [1]
    assert relay.healthy


class Recorder:
    """A handler's effect that remembers and fails as told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.numbers: list[int] = []
        self.calls = 0

    def __call__(self, _session: Session, event: Event) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.numbers.append(event.payload["number"])


def consumer(database: Database, bus: EventBus, effect: Recorder) -> Consumer:
    handlers = {"Counted": INBOX.once(database, effect)}
    return Consumer("test", handlers, bus=bus, database=database, inbox=INBOX)


def test_an_event_delivered_twice_takes_effect_once(database: Database, bus: InProcessBus) -> None:
    emit(database, 1)
    Relay(OUTBOX, database, bus).run_once()
    bus.publish([bus.read(0, 1)[0].event] * 2)
    effect = Recorder()
    assert consumer(database, bus, effect).run_once() == 3
    assert effect.numbers == [1]


def test_a_handler_that_fails_is_tried_again_and_its_first_try_leaves_nothing(
    database: Database, bus: InProcessBus
) -> None:
    emit(database, 1, 2)
    Relay(OUTBOX, database, bus).run_once()
    effect = Recorder(ConnectionError(), ConnectionError())
    reader = consumer(database, bus, effect)
    reader.run_once()
    assert effect.numbers == [1, 2]
    assert reader.parked(10) == []


@pytest.mark.parametrize(
    ("failures", "calls"),
    [([ValueError("no")] * ATTEMPTS, ATTEMPTS), ([Poison("never")], 1)],
    ids=["failing", "poison"],
)
def test_an_event_that_can_not_be_handled_is_parked_and_the_next_goes_on(
    database: Database, bus: InProcessBus, failures: list[Exception], calls: int
) -> None:
    emit(database, 1, 2)
    Relay(OUTBOX, database, bus).run_once()
    effect = Recorder(*failures)
    reader = consumer(database, bus, effect)
    reader.run_once()
    assert effect.calls == calls + 1
    assert effect.numbers == [2]
    (parked,) = reader.parked(10)
    assert parked.event.payload == {"number": 1}
    assert str(failures[-1]) in parked.error


def test_events_nobody_handles_are_passed_over(database: Database, bus: InProcessBus) -> None:
    emit(database, 1)
    Relay(OUTBOX, database, bus).run_once()
    Consumer("test", {}, bus=bus, database=database, inbox=INBOX).run_once()
    assert bus.lag("test") == 0


def test_writers_wait_for_one_another(database: Database) -> None:
    threads = [threading.Thread(target=emit, args=(database, number)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with database.read() as session:
        assert OUTBOX.pending(session) == 20


def test_a_delay_ends_when_its_flag_is_cleared() -> None:
    faults = Faults(1)
    faults.set("payment.delay", 60)
    timer = threading.Timer(0.1, faults.clear)
    timer.start()
    faults.delay("payment.delay")
    timer.join()
    assert faults.value("payment.delay") == 0


def test_a_fraction_of_one_hits_always_and_zero_never() -> None:
    faults = Faults(1)
    assert not any(faults.hits("payment.decline", str(number)) for number in range(100))
    faults.set("payment.decline", 1)
    assert all(faults.hits("payment.decline", str(number)) for number in range(100))


def test_settings_come_from_the_environment_and_options_win() -> None:
    environment = {
        "MERIDIAN_COMPENSATION": "external",
        "MERIDIAN_PAYMENT_WINDOW": "5",
        "MERIDIAN_SEED": "",
        "PATH": "/bin",
    }
    settings = Settings.from_environment(environment, data=Path("elsewhere"), payment_window=None)
    assert settings.compensation is Compensation.EXTERNAL
    assert (settings.payment_window, settings.seed, settings.data) == (5.0, None, Path("elsewhere"))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MERIDIAN_COMPENSATON", "external", "MERIDIAN_COMPENSATION"),
        ("MERIDIAN_COMPENSATION", "nobody", "MERIDIAN_COMPENSATION is not usable"),
        ("MERIDIAN_PAYMENT_WINDOW", "-1", "MERIDIAN_PAYMENT_WINDOW is not usable"),
    ],
)
def test_a_setting_that_is_not_understood_stops_the_start(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment({name: value})
