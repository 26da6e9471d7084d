"""An order as this process knows it: it spares reading the history, and nobody is refused anything by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from reference_impl.services.order.building import OUTBOX
from reference_impl.services.order.catalogue import Price
from reference_impl.services.order.history import decisions
from reference_impl.services.order.history.fold import OrderState, OrderStatus
from reference_impl.services.order.history.recent import Recent
from reference_impl.services.order.service import OrderService
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.problems import Problem
from reference_impl.shared.types import Line
from tests.unit.reference_impl.test_history import WAY, database, folded

__all__ = ["database"]


class Process:
    """One of several processes of the order service: what it knows is its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.recent = Recent()

    def place(self) -> OrderState:
        prices = {"TEA": Price(50, "EUR")}
        with self.database.write() as session:
            orders = OrderService(session, OUTBOX, 100, self.recent)
            return orders.place([Line(sku="TEA", quantity=2)], prices, customer_id=None, card="tok_visa")

    def change(self, order_id: str, *decided: decisions.Decision) -> OrderState:
        """Let these happen, in one transaction."""
        with self.database.write() as session:
            orders = OrderService(session, OUTBOX, 100, self.recent)
            for decision in decided:
                after = orders.change(order_id, decision).after
        return after


@contextmanager
def histories_read(database: Database) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("SELECT") and "FROM order_events" in statement:
            found.append(statement)

    event.listen(database._engine, "before_cursor_execute", note)
    yield found
    event.remove(database._engine, "before_cursor_execute", note)


def test_who_changed_an_order_last_need_not_read_it(database: Database) -> None:
    process = Process(database)
    order = process.place()
    with histories_read(database) as found:
        state = process.change(order.id, decisions.stock_reserved)
    assert found == []
    assert state.status is OrderStatus.PAYMENT_PENDING


def test_what_another_process_did_is_found_when_appending(database: Database) -> None:
    one, other = Process(database), Process(database)
    order = one.place()
    other.change(order.id, decisions.stock_reserved)
    state = one.change(order.id, decisions.gave_up("timed_out"))
    assert (state.status, state.version) == (
        OrderStatus.CANCELLED,
        other.change(order.id, decisions.captured(1)).version,
    )


def test_what_is_known_here_refuses_nothing(database: Database) -> None:
    one, other = Process(database), Process(database)
    order = one.place()
    declined = decisions.declined(1, "expired", final=False, pay_by=None, at_once=False)
    other.change(order.id, decisions.stock_reserved, declined)
    # As far as the first one knows, no card was declined and no second payment asked for.
    with pytest.raises(Problem):
        decisions.another_card("tok_two", now())(order)
    assert one.change(order.id, decisions.another_card("tok_two", now())).attempt == 2
    other.change(order.id, decisions.gave_up("timed_out"))
    assert other.change(order.id, decisions.captured(2)).version > order.version


def test_what_was_rolled_back_is_not_known(database: Database) -> None:
    process = Process(database)
    order = process.place()

    def fail(_state: OrderState) -> list[object]:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        process.change(order.id, decisions.stock_reserved, fail)  # type: ignore[arg-type]
    known = process.recent.get(order.id)
    assert known is not None
    assert known.version == order.version


def test_several_changes_in_one_transaction_follow_one_another(database: Database) -> None:
    process = Process(database)
    order = process.place()
    state = process.change(order.id, decisions.stock_reserved, decisions.captured(1))
    assert state.status is OrderStatus.CONFIRMED
    assert process.recent.get(order.id) == state


def test_only_so_many_are_known_and_none_goes_back() -> None:
    recent = Recent(most=2)
    new, old = folded(*WAY), folded(*WAY[:3])
    recent.keep(new)
    recent.keep(old)
    assert recent.get(new.id) == new
    for number in range(2):
        recent.keep(old.model_copy(update={"id": f"other {number}"}))
    assert recent.get(new.id) is None
