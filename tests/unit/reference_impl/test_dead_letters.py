"""Dead letters: parked once, replayed through the same handler, discarded; and what is never parked."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from reference_impl.shared.bus import UNREADABLE, EventBus, decode
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, Reading, new_id, now
from reference_impl.shared.inbox import Handler, NotNow
from tests.unit.reference_impl.conftest import MakeShop, Shop
from tests.unit.reference_impl.test_plumbing import INBOX, bus, database

__all__ = ["bus", "database"]


class Strict(Reading):
    """Needs a number."""

    number: int


def event(kind: str = "Counted", **changes: object) -> Event:
    return Event(
        id=new_id(), type=kind, version=1, source="test", key="k", sequence=1, occurred_at=now(),
        correlation_id="c", causation_id=None, payload={"number": 1},
    ).model_copy(update=changes)  # fmt: skip


def consumer(database: Database, bus: EventBus, handler: Handler) -> Consumer:
    return Consumer("test", {"Counted": handler}, bus=bus, database=database, inbox=INBOX)


def failing(error: Exception) -> Callable[[Event], None]:
    def handle(_event: Event) -> None:
        raise error

    return handle


def strict(event: Event) -> None:
    event.read(Strict)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"payload": {}}, "number: Field required"), ({"version": 2}, "reads up to version 1")],
    ids=["broken", "newer"],
)
def test_what_can_not_be_read_is_parked_at_once(
    database: Database, bus: InProcessBus, changes: dict[str, object], says: str
) -> None:
    calls: list[Event] = []

    def handle(event: Event) -> None:
        calls.append(event)
        strict(event)

    bus.publish([event(**changes)])
    reader = consumer(database, bus, handle)
    reader.run_once()
    (letter,) = reader.parked(10)
    assert says in letter.error
    assert len(calls) == 1
    assert bus.lag("test") == 0


def test_a_record_that_is_no_event_is_parked_with_its_text(database: Database, bus: InProcessBus) -> None:
    record = decode(b"{not json", "topic/3/17")
    assert (record.type, record.id) == (UNREADABLE, "topic/3/17")
    bus.publish([record])
    reader = consumer(database, bus, strict)
    reader.run_once()
    (letter,) = reader.parked(10)
    assert "the record is no event" in letter.error
    assert letter.event.payload["record"] == "{not json"


def test_an_event_is_parked_once_however_often_it_comes(database: Database, bus: InProcessBus) -> None:
    broken = event(payload={})
    bus.publish([broken, broken])
    reader = consumer(database, bus, strict)
    reader.run_once()
    (letter,) = reader.parked(10)
    assert (letter.event, letter.attempts) == (broken, 2)


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), NotNow("the other one comes first")])
def test_while_a_neighbour_is_away_nothing_is_parked_and_nothing_overtakes(
    database: Database, bus: InProcessBus, error: Exception
) -> None:
    bus.publish([event(), event()])
    with pytest.raises(NotNow):
        consumer(database, bus, failing(error)).run_once()
    seen: list[Event] = []
    reader = consumer(database, bus, seen.append)
    reader.run_once()
    assert len(seen) == 2
    assert reader.parked(10) == []


def test_while_the_database_is_away_nothing_is_parked(
    database: Database, bus: InProcessBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ping() -> None:
        raise ConnectionError("the database is away")

    bus.publish([event()])
    monkeypatch.setattr(database, "ping", ping)
    reader = consumer(database, bus, failing(OperationalError("SELECT 1", {}, Exception("gone"))))
    with pytest.raises(ConnectionError):
        reader.run_once()
    assert reader.parked(10) == []
    assert bus.lag("test") == 1


def test_a_neighbour_that_stays_away_too_long_is_given_up(
    database: Database, bus: InProcessBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reference_impl.shared.consumer.PATIENCE_SECONDS", 0)
    bus.publish([event()])
    reader = consumer(database, bus, failing(httpx.ConnectError("refused")))
    reader.run_once()
    assert [letter.error for letter in reader.parked(10)] == ["ConnectError: refused"]


def test_what_was_done_before_a_failure_is_acknowledged(database: Database, bus: InProcessBus) -> None:
    first, second = event(), event()
    bus.publish([first, second])

    def handle(item: Event) -> None:
        if item == second:
            raise NotNow("later")

    with pytest.raises(NotNow):
        consumer(database, bus, handle).run_once()
    assert bus.lag("test") == 1


def poison(make_shop: MakeShop) -> tuple[Shop, str]:
    """A shop with one checkout, whose events have poisoned twins; the dead letter of one that inventory got."""
    shop = make_shop()
    shop.stock("A", 5)
    shop.faults.set("events.poison", 1)
    shop.place({"A": 1})
    shop.settle()
    shop.faults.clear()
    letters = shop.http.get("/dead-letters").raise_for_status().json()
    found = [item for item in letters if item["consumer"] == "inventory"]
    assert found
    assert all(item["event"]["payload"] == {"poisoned": True} for item in letters)
    return shop, str(found[0]["id"])


def test_a_poisoned_message_holds_nobody_up_and_is_discarded(make_shop: MakeShop) -> None:
    shop, letter = poison(make_shop)
    assert shop.counters("A") == (4, 0, 1)
    assert shop.http.post(f"/dead-letters/{letter}/replay").status_code == 409
    assert shop.http.delete(f"/dead-letters/{letter}").status_code == 204
    assert shop.http.delete(f"/dead-letters/{letter}").status_code == 404
    assert letter not in [item["id"] for item in shop.http.get("/dead-letters").json()]


def test_the_view_of_all_that_is_parked_stays(make_shop: MakeShop) -> None:
    shop, _ = poison(make_shop)
    parked = shop.http.get("/events/parked").json()
    letters = shop.http.get("/dead-letters").json()
    assert [item["event"] for item in parked] == [item["event"] for item in letters]
    assert set(parked[0]) == {"consumer", "error", "event"}


def test_a_replay_takes_effect_once(database: Database, bus: InProcessBus) -> None:
    effects: list[str] = []
    broken = [True]

    def effect(_session: object, item: Event) -> None:
        if broken[0]:
            raise ValueError("not yet")
        effects.append(item.id)

    sent = event()
    bus.publish([sent])
    reader = consumer(database, bus, INBOX.once(database, effect))
    reader.run_once()
    (letter,) = reader.parked(10)
    broken[0] = False
    bus.publish([sent])  # it comes again by itself, and takes effect now
    reader.run_once()
    assert reader.replay(letter.id)
    assert effects == [sent.id]
    assert reader.parked(10) == []
    assert not reader.replay(letter.id)


def test_an_unknown_dead_letter_is_told(shop: Shop) -> None:
    answer = shop.http.post(f"/dead-letters/{'0' * 32}/replay")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("unknown-dead-letter")
