"""Several events in one transaction: each takes effect once, alone when one of them fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from reference_impl.shared import together
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import NotNow, Poison
from reference_impl.shared.runtime import Chore
from tests.unit.reference_impl.test_dead_letters import event
from tests.unit.reference_impl.test_plumbing import INBOX, OUTBOX, Counted, bus, database

__all__ = ["bus", "database"]


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is at hand fits into one transaction, however long the machine takes for it."""
    monkeypatch.setattr(together, "LONGEST_SECONDS", 600.0)


class Base(DeclarativeBase):
    """What these tests load."""


class Seen(Base):
    """A row that every event reads."""

    __tablename__ = "seen"

    number: Mapped[int] = mapped_column(primary_key=True)


Effect = Callable[[Session, Event], None]


def consumer(
    database: Database, bus: InProcessBus, effect: Effect, *, alone: Callable[[], bool] = lambda: False
) -> Consumer:
    handlers = {"Counted": INBOX.once(database, effect, alone=alone)}
    return Consumer("test", handlers, bus=bus, database=database, inbox=INBOX)


def noted(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(INBOX.handled.c.event_id)))


def written(database: Database) -> list[tuple[object, int]]:
    with database.read() as session:
        return [(item.payload["number"], item.sequence) for _, item in OUTBOX.oldest(session, 100)]


def numbered(count: int) -> list[Event]:
    return [event(payload={"number": number}) for number in range(count)]


def telling(sessions: list[Session], *fail_once: int, error: type[Exception] = ValueError) -> Effect:
    """Writes an event for each one that it handles; fails once for each of these numbers."""
    left = set(fail_once)

    def effect(session: Session, item: Event) -> None:
        number = item.payload["number"]
        sessions.append(session)
        OUTBOX.add(session, Counted(number=number), key="k")
        if number in left:
            left.discard(number)
            raise error("not this time")

    return effect


def test_a_batch_takes_effect_in_one_transaction_and_in_order(database: Database, bus: InProcessBus) -> None:
    sent = numbered(5)
    bus.publish([*sent, sent[2]])
    sessions: list[Session] = []
    assert consumer(database, bus, telling(sessions)).run_once() == 6
    assert len({id(session) for session in sessions}) == 1
    assert written(database) == [(number, number + 1) for number in range(5)]
    assert noted(database) == {item.id for item in sent}
    assert bus.lag("test") == 0


def test_when_one_fails_nothing_of_the_shared_try_stays_and_all_take_effect_once(
    database: Database, bus: InProcessBus
) -> None:
    bus.publish(numbered(5))
    reader = consumer(database, bus, telling([], 2))
    reader.run_once()
    assert written(database) == [(number, number + 1) for number in range(5)]
    assert reader.parked(10) == []
    assert bus.lag("test") == 0


def test_one_that_can_never_be_handled_is_parked_and_called_once(database: Database, bus: InProcessBus) -> None:
    bus.publish(numbered(4))
    sessions: list[Session] = []
    reader = consumer(database, bus, telling(sessions, 2, error=Poison))
    reader.run_once()
    assert [number for number, _ in written(database)] == [0, 1, 3]
    assert [letter.event.payload["number"] for letter in reader.parked(10)] == [2]
    assert len(sessions) == 3 + 2 + 1, "all up to it, those before it alone, and the one behind it"


def test_what_was_not_begun_before_the_end_comes_again(database: Database, bus: InProcessBus) -> None:
    stop = threading.Event()
    sent = numbered(4)
    bus.publish(sent)
    tell = telling([])

    def effect(session: Session, item: Event) -> None:
        tell(session, item)
        if item == sent[1]:
            stop.set()

    reader = consumer(database, bus, effect)
    reader.run_once(stop=stop)
    assert noted(database) == {item.id for item in sent[:2]}
    assert bus.lag("test") == 2
    reader.run_once()
    assert written(database) == [(number, number + 1) for number in range(4)]


def test_a_transaction_is_bounded_in_time(
    database: Database, bus: InProcessBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "LONGEST_SECONDS", 0.0)
    bus.publish(numbered(3))
    sessions: list[Session] = []
    consumer(database, bus, telling(sessions)).run_once()
    assert len(sessions) == 3
    assert written(database) == [(0, 1), (1, 2), (2, 3)]


def test_an_effect_sees_no_object_that_another_event_loaded(database: Database, bus: InProcessBus) -> None:
    with database.write() as session:
        Base.metadata.create_all(session.connection())
        session.add(Seen(number=1))
    bus.publish(numbered(3))
    loaded: list[Seen] = []

    def effect(session: Session, _item: Event) -> None:
        loaded.append(session.get_one(Seen, 1))

    consumer(database, bus, effect).run_once()
    assert len({id(item) for item in loaded}) == 3


def test_who_wants_to_be_alone_has_a_transaction_of_its_own(database: Database, bus: InProcessBus) -> None:
    bus.publish(numbered(3))
    counts: list[int] = []

    def effect(session: Session, _item: Event) -> None:
        counts.append(session.scalar(select(func.count()).select_from(INBOX.handled)) or 0)

    consumer(database, bus, effect, alone=lambda: True).run_once()
    assert counts == [1, 2, 3]


def test_what_comes_afterwards_is_given_what_the_committed_effects_returned(
    database: Database, bus: InProcessBus
) -> None:
    sent = numbered(3)
    given: list[tuple[list[int], set[str]]] = []

    def after(results: Sequence[int]) -> None:
        given.append((list(results), noted(database)))

    handlers = {"Counted": INBOX.once(database, lambda _, item: item.payload["number"], after=after)}
    reader = Consumer("test", handlers, bus=bus, database=database, inbox=INBOX)
    bus.publish([*sent, sent[0]])
    reader.run_once()
    bus.publish([sent[1], alone := event(payload={"number": 9})])
    reader.run_once()
    together_ids = {item.id for item in sent}
    assert given == [([0, 1, 2], together_ids), ([9], together_ids | {alone.id})], "duplicates do nothing"


@pytest.mark.parametrize("count", [1, 3])
def test_when_what_comes_afterwards_fails_the_events_have_taken_effect_all_the_same(
    database: Database, bus: InProcessBus, count: int
) -> None:
    bus.publish(numbered(count))

    def after(_results: Sequence[object]) -> None:
        raise OSError("the gateway is away")

    handlers = {"Counted": INBOX.once(database, telling([]), after=after)}
    reader = Consumer("test", handlers, bus=bus, database=database, inbox=INBOX)
    reader.run_once()
    assert [number for number, _ in written(database)] == list(range(count))
    assert reader.parked(10) == []
    assert bus.lag("test") == 0


def test_what_a_service_has_no_handler_for_does_not_keep_others_apart(
    database: Database, bus: InProcessBus
) -> None:
    sent = numbered(3)
    bus.publish([sent[0], event(type="Other"), sent[1], event(type="Other"), sent[2]])
    sessions: list[Session] = []
    assert consumer(database, bus, telling(sessions)).run_once() == 5
    assert len(sessions) == 3
    assert len({id(session) for session in sessions}) == 1
    assert bus.lag("test") == 0


def test_what_is_ignored_is_not_acknowledged_before_what_has_to_wait(
    database: Database, bus: InProcessBus
) -> None:
    waiting = event()
    bus.publish([waiting, event("Other")])

    def not_yet(_session: Session, _item: Event) -> None:
        raise NotNow("the neighbour is away")

    with pytest.raises(NotNow):
        consumer(database, bus, not_yet).run_once()
    assert bus.lag("test") == 2
    assert consumer(database, bus, telling([])).run_once() == 2
    assert noted(database) == {waiting.id}


def test_an_event_is_not_added_inside_a_savepoint(database: Database) -> None:
    with database.write() as session, session.begin_nested(), pytest.raises(RuntimeError, match="savepoint"):
        OUTBOX.add(session, Counted(number=1), key="k")


def test_a_chore_that_finds_nothing_is_done_less_often_and_at_once_as_often_again() -> None:
    chore = Chore("look", 0.1, lambda: 0, idle_seconds=0.5)
    pauses = [0.1]
    for _ in range(4):
        pauses.append(chore.pause_after(pauses[-1], 0))
    assert pauses == [0.1, 0.2, 0.4, 0.5, 0.5]
    assert chore.pause_after(0.5, 3) == 0.1
    assert Chore("look", 0.1, lambda: 0).pause_after(0.1, 0) == 0.1
