"""An order is the sum of its facts: folded, upcast, appended, snapshot and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from reference_impl.services.order import projections
from reference_impl.services.order.history import decisions, facts, upcast
from reference_impl.services.order.history.facts import Fact, OrderedLine, Recorded
from reference_impl.services.order.history.fold import BrokenHistory, OrderState, OrderStatus, fold
from reference_impl.services.order.history.store import Conflict, EventStore
from reference_impl.services.order.ids import month_of, new_order_id
from reference_impl.services.order.models import (
    Base,
    CustomerOrder,
    DailySales,
    Order,
    OrderEvent,
    OrderSnapshot,
)
from reference_impl.services.order.saga.machine import MOVES, WAY_BACK, Step, state_at, turned_back
from reference_impl.shared.database import Database
from reference_impl.shared.problems import Problem

AT = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
PLACED = facts.Placed(
    customer_id="c1",
    lines=(OrderedLine(sku="TEA", quantity=2, unit_price_cents=50),),
    total_cents=100,
    currency="EUR",
    card="tok_visa",
)
WAY: tuple[Fact, ...] = (
    PLACED,
    facts.StockReserved(),
    facts.PaymentAsked(attempt=1, card="tok_visa"),
    facts.PaymentTaken(attempt=1),
    facts.Confirmed(),
)


def folded(*happened: Fact) -> OrderState:
    state = fold(
        Recorded(order_id="o", sequence=number, occurred_at=AT + timedelta(seconds=number), fact=fact)
        for number, fact in enumerate(happened, 1)
    )
    assert state is not None
    return state


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.in_directory(tmp_path, "order", Base.metadata)
    yield opened
    opened.close()


def append(database: Database, order_id: str, *happened: Fact, snapshot_every: int = 100) -> OrderState:
    """Let these happen to an order, one transaction each, with its projection."""
    with database.read() as session:
        state = EventStore(session, snapshot_every).load(order_id)
    for fact in happened:
        with database.write() as session:
            store = EventStore(session, snapshot_every)
            before, state = state, fold(store.append(order_id, state.version if state else 0, [fact]), state)
            assert state is not None
            projections.save(session, before, state)
            store.snapshot(state, before.version if before else 0)
    assert state is not None
    return state


def test_an_order_is_what_happened_to_it() -> None:
    assert folded(*WAY[:1]).status is OrderStatus.PENDING
    assert folded(*WAY[:3]).status is OrderStatus.PAYMENT_PENDING
    state = folded(*WAY)
    assert (state.status, state.paid, state.version, state.attempt) == (OrderStatus.CONFIRMED, True, 5, 1)
    assert state.updated_at - state.created_at == timedelta(seconds=4)


def test_a_history_with_a_gap_or_without_a_beginning_is_refused() -> None:
    gap = [Recorded(order_id="o", sequence=number, occurred_at=AT, fact=PLACED) for number in (1, 3)]
    with pytest.raises(BrokenHistory, match="fact 3 follows fact 1"):
        fold(gap)
    with pytest.raises(BrokenHistory, match="begins with fact 1, Confirmed"):
        fold([Recorded(order_id="o", sequence=1, occurred_at=AT, fact=facts.Confirmed())])


@pytest.mark.parametrize(
    "decision",
    [
        decisions.stock_reserved,
        decisions.stock_rejected,
        decisions.authorised(1),
        decisions.captured(1),
        decisions.declined(1, "card_declined", final=False, pay_by=None, at_once=False),
        decisions.money_returned,
        decisions.stock_returned,
        decisions.shipment_stopped,
        decisions.gave_up("timed_out"),
    ],
)
def test_answers_that_come_late_change_nothing(decision: decisions.Decision) -> None:
    assert decision(folded(*WAY)) == []


def test_an_answer_about_another_attempt_is_no_answer() -> None:
    assert decisions.captured(2)(folded(*WAY[:3])) == []


def test_a_paid_order_is_cancelled_only_with_a_refund_and_asks_shipping_first() -> None:
    with pytest.raises(Problem) as refused:
        decisions.cancel("no", refund=False, ask_shipping=False)(folded(*WAY))
    assert refused.value.status == 409
    assert decisions.cancel("no", refund=True, ask_shipping=False)(folded(*WAY)) == [
        facts.Cancelled(reason="no")
    ]
    asked = decisions.cancel("no", refund=True, ask_shipping=True)(folded(*WAY))
    state = folded(*WAY, *asked)
    assert state.status is OrderStatus.CANCELLING
    assert folded(*WAY, *asked, facts.Shipped()).status is OrderStatus.SHIPPED
    assert folded(*WAY, *asked, *decisions.shipment_stopped(state)).reason == "no"


def test_a_fact_of_version_1_is_read_as_one_of_today() -> None:
    old = {"attempt": 1, "code": "expired_card", "pay_by": None}
    read = upcast.read("PaymentRefused", 1, old)
    assert read == facts.PaymentRefused(attempt=1, code="expired_card", final=True, pay_by=None)
    soft = upcast.read("PaymentRefused", 1, old | {"code": "insufficient_funds"})
    assert isinstance(soft, facts.PaymentRefused)
    assert not soft.final


def test_every_older_version_has_a_step_to_the_next() -> None:
    needed = {(name, version) for name, fact in facts.TYPES.items() for version in range(1, fact.version)}
    assert needed == set(upcast.STEPS)


@pytest.mark.parametrize(("name", "version"), [("Teleported", 1), ("Placed", 2)])
def test_a_fact_of_newer_code_says_so(name: str, version: int) -> None:
    with pytest.raises(upcast.UnreadableFact, match="newer than this code"):
        upcast.read(name, version, {})


def test_an_old_row_in_the_table_is_folded_with_the_new_ones(database: Database) -> None:
    order_id = new_order_id(AT)
    append(database, order_id, *WAY[:3])
    old = {
        "order_id": order_id,
        "month": month_of(order_id),
        "sequence": 4,
        "type": "PaymentRefused",
        "version": 1,
    }
    with database.write() as session:
        payload = {"attempt": 1, "code": "stolen_card", "pay_by": None}
        session.execute(insert(OrderEvent).values(**old, payload=payload, occurred_at=AT))
    with database.read() as session:
        state = EventStore(session, 100).load(order_id)
    assert state is not None
    assert (state.status, state.refused_cards) == (OrderStatus.PAYMENT_DECLINED, ("tok_visa",))


def test_who_appends_to_an_old_history_learns_it_and_writes_nothing(database: Database) -> None:
    order_id = new_order_id(AT)
    append(database, order_id, *WAY[:2])
    with database.write() as session, pytest.raises(Conflict):
        EventStore(session, 100).append(order_id, 1, [facts.Cancelled(reason="a"), facts.MoneyReturned()])
    with database.read() as session:
        assert [type(item.fact) for item in EventStore(session, 100).history(order_id)] == [
            facts.Placed, facts.StockReserved,
        ]  # fmt: skip


def test_a_snapshot_shortens_reading_and_changes_nothing(database: Database) -> None:
    order_id = new_order_id(AT)
    state = append(database, order_id, *WAY, snapshot_every=2)
    with database.read() as session:
        assert session.scalars(select(OrderSnapshot.sequence)).all() == [4]
        assert EventStore(session, 2).load(order_id) == state == fold(EventStore(session, 2).history(order_id))
    with database.write() as session:  # a snapshot of another version of the code is passed over
        session.execute(update(OrderSnapshot).values(schema=99, state={}))
    with database.read() as session:
        assert EventStore(session, 2).load(order_id) == state


def test_an_id_names_the_month_in_which_its_order_was_placed() -> None:
    assert month_of(new_order_id(AT)) == AT.date().replace(day=1)
    assert month_of(new_order_id(AT + timedelta(seconds=1))).month == 4
    assert new_order_id(AT) < new_order_id(AT + timedelta(milliseconds=1))
    assert month_of("f" * 32).year == 9999


def catch_up(database: Database) -> int:
    with database.write() as session:
        return projections.catch_up(session, EventStore(session, 100), timedelta(0))


def rows(database: Database, model: Any) -> list[dict[str, Any]]:
    with database.read() as session:
        found = session.execute(select(model.__table__)).mappings().all()
    return [dict(row) for row in found]


def test_the_slower_projections_follow_and_can_be_made_again(database: Database) -> None:
    paid, refunded, open_one = (new_order_id(AT) for _ in range(3))
    for order_id in (paid, refunded):
        append(database, order_id, *WAY)
    append(database, open_one, PLACED)
    assert (catch_up(database), catch_up(database)) == (3, 0)
    append(database, refunded, facts.Cancelled(reason="no"), facts.MoneyReturned())
    assert catch_up(database) == 1
    (day,) = rows(database, DailySales)
    assert (day["orders"], day["units"], day["revenue_cents"], day["refunded_cents"]) == (2, 4, 200, 100)
    before = rows(database, DailySales), rows(database, CustomerOrder)
    with database.write() as session:
        assert projections.rebuild(session, EventStore(session, 100)) == 3
    assert rows(database, DailySales) == []
    assert catch_up(database) == 3
    assert (rows(database, DailySales), rows(database, CustomerOrder)) == before


def test_the_audit_finds_a_row_that_its_history_does_not_explain(database: Database) -> None:
    order_id = new_order_id(AT)
    append(database, order_id, *WAY)
    catch_up(database)
    with database.read() as session:
        assert projections.audit(session, EventStore(session, 100), after=0, limit=10)[1] == []
        assert projections.audit_sales(session) == []
    with database.write() as session:
        session.execute(update(Order).values(total_cents=1))
        session.execute(update(CustomerOrder).values(units=7))
    with database.read() as session:
        found = projections.audit(session, EventStore(session, 100), after=0, limit=10)[1]
        days = projections.audit_sales(session)
    assert {item.column for item in found} == {"total_cents", "customer_orders.units"}
    assert [(item.column, item.projected) for item in days] == [("units", "-5")]


def test_every_step_of_the_saga_can_be_left_and_every_way_back_ends() -> None:
    for step in Step:
        if step is not Step.DONE:
            assert step in {at for at, _ in MOVES} or step is Step.ANOTHER_CARD, f"nothing answers {step}"
    cancelled = folded(*WAY, facts.Cancelled(reason="no"))
    for step in (*WAY_BACK, Step.SHIP, Step.DONE):
        seen = [turned_back(step, cancelled, shipping=False, keep_stock=False)]
        while seen[-1] is not Step.DONE:
            assert state_at(seen[-1]) == "compensating"
            seen.append(next(to for (at, _), to in MOVES.items() if at is seen[-1]))
            assert len(seen) < 5
        assert Step.RELEASE in seen
        assert (Step.RETURN_MONEY in seen) == (step not in (Step.RESERVE, Step.ANOTHER_CARD)), step
