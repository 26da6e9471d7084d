"""Outbox and inbox on PostgreSQL, where several processes of one service work at once."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from reference_impl.shared.bus import BusAway, Delivery, EventBus
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, Payload
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.settings import Settings
from tests.fixtures.postgres import ScratchServer

pytestmark = pytest.mark.postgres

METADATA = MetaData()
OUTBOX = Outbox.on(METADATA, "test")
INBOX = Inbox.on(METADATA)


class Counted(Payload):
    """An event of these tests."""

    number: int


class SlowBus(EventBus):
    """Takes its time, so that two relays have the chance to get into each other's way."""

    def __init__(self) -> None:
        self.published: list[Event] = []
        self.at_once = 0
        self.most_at_once = 0
        self.broken = False

    def publish(self, events: Sequence[Event]) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.005)
        self.published += events
        self.at_once -= 1
        if self.broken:
            raise BusAway("told too late")

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        return []

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        raise NotImplementedError

    def lag(self, group: str) -> int:
        return 0

    def close(self) -> None:
        self.published.clear()


@pytest.fixture
def databases(postgres: ScratchServer) -> Iterator[list[Database]]:
    """One database, as two processes have it open."""
    prefix = f"t{secrets.token_hex(4)}"
    settings = Settings(
        database_url=f"postgresql://postgres@/?host={postgres.socket_dir}",
        database_prefix=prefix,
        database_pool=5,
    )
    opened = [Database.of(settings, "relaying", METADATA) for _ in range(2)]
    yield opened
    for database in opened:
        database.close()
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{prefix}_relaying" WITH (FORCE)')


def emit(database: Database, key: str, numbers: Sequence[int]) -> None:
    for number in numbers:
        with database.write() as session:
            OUTBOX.add(session, Counted(number=number), key=key)


def test_two_relays_move_every_event_once_and_keep_each_key_in_order(databases: list[Database]) -> None:
    bus = SlowBus()
    relays = [Relay(OUTBOX, database, bus) for database in databases]
    stop = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(relay.run, stop) for relay in relays]
        writing = [
            pool.submit(emit, databases[number % 2], f"key-{number % 3}", range(40)) for number in range(4)
        ]
        for work in writing:
            work.result(60)
        deadline = time.monotonic() + 60
        while relays[0].backlog() and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()
        for relay in relays:
            relay.wake()
        for work in running:
            work.result(60)
    assert relays[0].backlog() == 0
    assert len(bus.published) == len({event.id for event in bus.published}) == 160
    assert bus.most_at_once == 1
    for key in ("key-0", "key-1", "key-2"):
        sequences = [event.sequence for event in bus.published if event.key == key]
        assert sequences == list(range(1, len(sequences) + 1))


def test_a_relay_that_fails_gives_its_turn_back_with_all_it_had(databases: list[Database]) -> None:
    emit(databases[0], "k", range(3))
    bus = SlowBus()
    bus.broken = True
    with pytest.raises(BusAway):
        Relay(OUTBOX, databases[0], bus).run_once()
    bus.broken = False
    assert Relay(OUTBOX, databases[1], bus).run_once() == 3
    assert [event.sequence for event in bus.published] == [1, 2, 3, 1, 2, 3]


def test_two_first_events_of_a_key_at_once_are_numbered_one_and_two(databases: list[Database]) -> None:
    for _ in range(10):
        key = secrets.token_hex(4)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda database, key=key: emit(database, key, [0]), databases))
    bus = SlowBus()
    Relay(OUTBOX, databases[0], bus).run_once()
    assert sorted(event.sequence for event in bus.published) == [1] * 10 + [2] * 10


def test_one_event_delivered_to_two_processes_at_once_takes_effect_once(databases: list[Database]) -> None:
    emit(databases[0], "k", range(20))
    bus = SlowBus()
    Relay(OUTBOX, databases[0], bus).run_once()
    effects: list[str] = []
    both = threading.Barrier(2)

    def effect(_session: Session, event: Event) -> None:
        time.sleep(0.005)
        effects.append(event.id)

    def consume(database: Database) -> None:
        handle = INBOX.once(database, effect)
        for event in bus.published:
            both.wait(60)
            handle(event)

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(consume, database) for database in databases]:
            work.result(60)
    assert len(effects) == len(set(effects)) == 20


def test_an_effect_that_fails_leaves_the_event_to_the_other_process(databases: list[Database]) -> None:
    emit(databases[0], "k", [1])
    bus = SlowBus()
    Relay(OUTBOX, databases[0], bus).run_once()
    [event] = bus.published
    begun = threading.Event()
    effects: list[str] = []

    def fail(_session: Session, _event: Event) -> None:
        begun.set()
        time.sleep(0.2)
        raise ZeroDivisionError

    def succeed(_session: Session, event: Event) -> None:
        effects.append(event.id)

    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(INBOX.once(databases[0], fail), event)
        assert begun.wait(60)
        pool.submit(INBOX.once(databases[1], succeed), event).result(60)
        with pytest.raises(ZeroDivisionError):
            failing.result(60)
    assert effects == [event.id]


def test_an_event_is_parked_once_on_postgresql_too(databases: list[Database]) -> None:
    emit(databases[0], "k", [1])
    bus = SlowBus()
    Relay(OUTBOX, databases[0], bus).run_once()
    for database in databases:
        with database.write() as session:
            INBOX.dead_letters.park(session, bus.published[0], "no")
    with databases[0].read() as session:
        (letter,) = INBOX.dead_letters.page(session, "test", 10)
    assert (letter.attempts, letter.event) == (2, bus.published[0])
