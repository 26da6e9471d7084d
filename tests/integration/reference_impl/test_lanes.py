"""Events of several keys are handled at once, those of one key in their order; PostgreSQL lets several write."""

from __future__ import annotations

import secrets
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select
from sqlalchemy.orm import Session

from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Inbox, NotNow, Poison
from reference_impl.shared.settings import Settings
from tests.fixtures.postgres import ScratchServer
from tests.unit.reference_impl.test_dead_letters import event

pytestmark = pytest.mark.postgres

METADATA = MetaData()
INBOX = Inbox.on(METADATA)
LANES = 3
KEYS = [f"key {number}" for number in range(12)]


@pytest.fixture
def database(postgres: ScratchServer) -> Iterator[Database]:
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    settings = Settings(database_url=url, database_prefix=prefix, database_pool=LANES + 1)
    made = Database.of(settings, "lanes", METADATA)
    yield made
    made.close()
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE "{prefix}_lanes" WITH (FORCE)')


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[InProcessBus]:
    opened = InProcessBus(tmp_path)
    yield opened
    opened.close()


def consumer(database: Database, bus: InProcessBus, effect: Callable[[Session, Event], None]) -> Consumer:
    handlers = {"Counted": INBOX.once(database, effect)}
    return Consumer("test", handlers, bus=bus, database=database, inbox=INBOX, lanes=LANES)


def sent(bus: InProcessBus, times: int) -> list[Event]:
    events = [event(key=key, payload={"number": number}) for number in range(times) for key in KEYS]
    bus.publish(events)
    return events


def noted(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(INBOX.handled.c.event_id)))


def test_keys_are_handled_at_once_and_each_in_its_order(database: Database, bus: InProcessBus) -> None:
    inside: set[int] = set()
    come = threading.Condition()
    order: dict[str, list[int]] = defaultdict(list)

    def effect(_session: Session, item: Event) -> None:
        with come:
            inside.add(threading.get_ident())
            come.notify_all()
            # The first lane stays in its transaction until another one is in its own.
            assert come.wait_for(lambda: len(inside) > 1, 60), "one after the other"
        order[item.key].append(item.payload["number"])

    events = sent(bus, 3)
    assert consumer(database, bus, effect).run_once() == len(events)
    assert dict(order) == {key: [0, 1, 2] for key in KEYS}
    assert noted(database) == {item.id for item in events}
    assert bus.lag("test") == 0


def test_a_lane_that_has_to_wait_keeps_no_other_one(database: Database, bus: InProcessBus) -> None:
    away = threading.Event()
    away.set()

    def effect(_session: Session, item: Event) -> None:
        if item.key == KEYS[0] and away.is_set():
            raise NotNow("the neighbour is away")

    events = sent(bus, 1)
    reader = consumer(database, bus, effect)
    with pytest.raises(NotNow):
        reader.run_once()
    left = {item.id for item in events} - noted(database)
    assert events[0].id in left
    assert len(left) < len(events) / 2, "those of its own lane"
    assert bus.lag("test") == len(events), "nothing behind it is acknowledged before it"
    away.clear()
    reader.run_once()
    assert noted(database) == {item.id for item in events}
    assert bus.lag("test") == 0


def test_what_is_settled_behind_one_that_waits_is_not_handled_again(
    database: Database, bus: InProcessBus
) -> None:
    away = threading.Event()
    away.set()
    called: list[str] = []

    def effect(_session: Session, item: Event) -> None:
        if item.key == KEYS[0] and away.is_set():
            raise NotNow("the neighbour is away")
        if item.key == poisoned.key:
            called.append(item.id)
            raise Poison("never")

    waiting, *behind = sent(bus, 1)
    poisoned = next(item for item in behind if lane(item) != lane(waiting))
    reader = consumer(database, bus, effect)
    for _ in range(3):
        with pytest.raises(NotNow):
            reader.run_once()
    away.clear()
    reader.run_once()
    assert called == [poisoned.id], "its failure in the shared transaction is its try"
    assert [letter.attempts for letter in reader.parked(10)] == [1]
    assert bus.lag("test") == 0


def lane(item: Event) -> int:
    return zlib.crc32(item.key.encode()) % LANES
