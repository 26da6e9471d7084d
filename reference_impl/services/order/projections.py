"""Tables made from the history, so that nobody has to fold one to list orders.

Two kinds, because their price differs. `orders` and `order_lines` are written in the transaction that appends: what the API
answers is never behind, and each change pays for it. `customer_orders` and `daily_sales` are written by a chore a moment
later: no change waits for them (a row a day is the hottest row there is), and whoever reads them may miss the last second.

The chore does not follow a position in the history: transactions commit in another order than they began, and a reader that
has passed position 7 never sees a 6 that is committed later. It takes the orders whose row says that they have moved on,
and replays each of them whole. So a rebuild is the same work for every order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.order import metrics
from reference_impl.services.order.history.facts import OrderedLine
from reference_impl.services.order.history.fold import OrderState, fold
from reference_impl.services.order.history.store import EventStore
from reference_impl.services.order.models import CustomerOrder, DailySales, Order, OrderLine
from reference_impl.shared.database import insert_into, table_of
from reference_impl.shared.events import now

_ORDERS = table_of(Order)
AT_ONCE = 100
SALES = ("orders", "units", "revenue_cents", "refunded_cents")
MIRRORED = (
    "version",
    "customer_id",
    "status",
    "attempt",
    "total_cents",
    "currency",
    "reason",
    "pay_by",
    "money_returned",
    "stock_returned",
    "created_at",
    "updated_at",
)
"""The columns of `orders` that are the order's state under the same name."""


@dataclass(frozen=True)
class Difference:
    """A row that is not what the history makes of it."""

    order_id: str
    column: str
    projected: str
    replayed: str


def save(session: Session, before: OrderState | None, after: OrderState) -> None:
    """Bring `orders` and `order_lines` up to date with what was just appended."""
    row = {name: getattr(after, name) for name in MIRRORED}
    if before is not None:
        changed = {name: value for name, value in row.items() if value != getattr(before, name)}
        session.execute(update(_ORDERS).where(_ORDERS.c.id == after.id).values(changed))
        return
    added = session.execute(insert(_ORDERS).returning(_ORDERS.c.number), row | {"id": after.id, "projected": 0})
    number = added.scalar_one()
    session.execute(
        insert(table_of(OrderLine)), [line.model_dump() | {"order_number": number} for line in after.lines]
    )


def catch_up(session: Session, store: EventStore, quiet: timedelta) -> int:
    """Bring `customer_orders` and `daily_sales` up to date for some orders; how many. Several processes may do this at once.

    Orders that moved within the time `quiet` are left for later: locking their rows would hold up a checkout under way.
    """
    behind = (
        select(Order.id)
        .where(Order.projected < Order.version, Order.updated_at <= now() - quiet)
        .order_by(Order.number)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = session.scalars(behind).all()
    if not found:
        return 0
    states = [state for state in map(fold, store.histories(found).values()) if state is not None]
    _project(session, states)
    done = update(Order).where(Order.id.in_(found)).values(projected=Order.version)
    session.execute(done.execution_options(synchronize_session=False))
    metrics.projected(session, len(found))
    return len(found)


def rebuild(session: Session, store: EventStore) -> int:
    """Throw away what can be made again: the slower projections and every snapshot. How many orders will be replayed."""
    store.forget_snapshots()
    session.execute(delete(CustomerOrder))
    session.execute(delete(DailySales))
    session.execute(update(Order).values(projected=0))
    return int(session.scalar(select(func.count()).select_from(Order)) or 0)


def behind(session: Session) -> int:
    """How many orders the slower projections have still to take up."""
    return int(
        session.scalar(select(func.count()).select_from(Order).where(Order.projected < Order.version)) or 0
    )


def audit(
    session: Session, store: EventStore, *, after: int, limit: int
) -> tuple[list[Order], list[Difference]]:
    """Replay some orders from their first fact on, and compare: the orders looked at, and what differs."""
    query = select(Order).where(Order.number > after).order_by(Order.number).limit(limit)
    orders = list(session.scalars(query.options(selectinload(Order.lines))))
    wanted = [order.id for order in orders]
    histories = store.histories(wanted)
    rows = {
        row.order_id: row
        for row in session.scalars(select(CustomerOrder).where(CustomerOrder.order_id.in_(wanted)))
    }
    differences: list[Difference] = []
    for order in orders:
        state = fold(histories.get(order.id, []))
        if state is None:
            differences.append(Difference(order.id, "version", str(order.version), "no history"))
        else:
            differences += _compare(order, rows.get(order.id), state)
    return orders, differences


def audit_sales(session: Session) -> list[Difference]:
    """Add the days up again from the orders in them, and compare."""
    counted: Counter[tuple[date, str, str]] = Counter()
    for row in session.scalars(select(CustomerOrder).where(CustomerOrder.paid)).yield_per(1000):
        day, currency = row.placed_at.astimezone(UTC).date(), row.currency
        for name, value in zip(SALES, _sales(row), strict=True):
            counted[day, currency, name] += value
    for sales in session.scalars(select(DailySales)):
        for name in SALES:
            counted[sales.day, sales.currency, name] -= getattr(sales, name)
    return [
        Difference(f"{day} {currency}", name, f"{-off:+d}", "0")
        for (day, currency, name), off in counted.items()
        if off
    ]


def _compare(order: Order, row: CustomerOrder | None, state: OrderState) -> Iterator[Difference]:
    pairs: list[tuple[str, Any, Any]] = [
        (name, getattr(order, name), getattr(state, name)) for name in MIRRORED
    ]
    lines = [OrderedLine.model_validate(line) for line in order.lines]
    pairs.append(("lines", lines, list(state.lines)))
    if order.projected == state.version:
        pairs += [
            (f"customer_orders.{name}", getattr(row, name, None), value) for name, value in _row(state).items()
        ]
    for name, projected, replayed in pairs:
        if projected != replayed:
            yield Difference(order.id, name, str(projected), str(replayed))


def _project(session: Session, states: Sequence[OrderState]) -> None:
    """Write the rows of these orders, and the difference that they make to the sales of their days."""
    known = select(CustomerOrder).where(CustomerOrder.order_id.in_([state.id for state in states]))
    before = {row.order_id: _sales(row) for row in session.scalars(known)}
    deltas: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0] * len(SALES))
    rows = [_row(state) for state in states]
    for row in rows:
        delta = deltas[row["placed_at"].astimezone(UTC).date(), row["currency"]]
        new, old = _sales(CustomerOrder(**row)), before.get(row["order_id"], (0,) * len(SALES))
        for index in range(len(SALES)):
            delta[index] += new[index] - old[index]
    table = table_of(CustomerOrder)
    statement = insert_into(session, table)
    changes = {name: statement.excluded[name] for name in ("status", "paid", "refunded")}
    session.execute(statement.on_conflict_do_update(index_elements=[table.c.order_id], set_=changes), rows)
    for (day, currency), delta in sorted(deltas.items()):
        if any(delta):
            _add_to_day(session, day, currency, dict(zip(SALES, delta, strict=True)))


def _add_to_day(session: Session, day: date, currency: str, delta: dict[str, int]) -> None:
    table = table_of(DailySales)
    statement = insert_into(session, table)
    added = statement.values(day=day, currency=currency, **delta)
    changes = {name: table.c[name] + statement.excluded[name] for name in SALES}
    session.execute(added.on_conflict_do_update(index_elements=[table.c.day, table.c.currency], set_=changes))


def _row(state: OrderState) -> dict[str, Any]:
    return {
        "order_id": state.id,
        "customer_id": state.customer_id,
        "placed_at": state.created_at,
        "status": state.status,
        "currency": state.currency,
        "total_cents": state.total_cents,
        "units": sum(line.quantity for line in state.lines),
        "paid": state.paid,
        "refunded": state.paid and state.money_returned,
    }


def _sales(row: CustomerOrder) -> tuple[int, int, int, int]:
    """Orders, units, revenue and refunds that a row adds to its day."""
    if not row.paid:
        return 0, 0, 0, 0
    return 1, row.units, row.total_cents, row.total_cents if row.refunded else 0
