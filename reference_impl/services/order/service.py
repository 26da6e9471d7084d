"""What the order service does: it alone decides what state an order is in, by appending to its history.

Each change is one transaction: the facts, the row in `orders` that is made from them, and the events that tell the others.
Whoever else is to be told what to do, and when, is the saga's business (`saga/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.order import events, metrics, projections
from reference_impl.services.order.catalogue import Price
from reference_impl.services.order.history import facts
from reference_impl.services.order.history.decisions import Decision
from reference_impl.services.order.history.facts import Fact, OrderedLine, Recorded
from reference_impl.services.order.history.fold import OrderState, OrderStatus, fold
from reference_impl.services.order.history.recent import Recent
from reference_impl.services.order.history.store import Conflict, EventStore
from reference_impl.services.order.ids import new_order_id
from reference_impl.services.order.models import Order
from reference_impl.shared.database import when_committed
from reference_impl.shared.events import Payload, now
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem
from reference_impl.shared.types import MOST_CENTS, Line

MOST_CONFLICTS = 5


class UnknownOrder(Problem):
    """There is no such order, or none that the caller may see."""

    def __init__(self, order_id: str) -> None:
        super().__init__(404, "unknown-order", "There is no such order", f"No order has the id {order_id}.")


@dataclass(frozen=True)
class Change:
    """What a decision made of an order; `before` is `after` when it no longer applied."""

    before: OrderState
    after: OrderState

    @property
    def happened(self) -> bool:
        """Whether there is anything new."""
        return self.after.version > self.before.version


class OrderService:
    """Orders, within one session of the caller's."""

    def __init__(self, session: Session, outbox: Outbox, snapshot_every: int, recent: Recent) -> None:
        self._session = session
        self._outbox = outbox
        self._recent = recent
        self._store = EventStore(session, snapshot_every)

    def place(
        self, lines: Sequence[Line], prices: Mapping[str, Price], *, customer_id: str | None, card: str
    ) -> OrderState:
        """A new order, PENDING. Raises Problem 422 when its lines have more than one currency, or come to too much."""
        currencies = {prices[line.sku].currency for line in lines}
        if len(currencies) > 1:
            detail = f"These are {', '.join(sorted(currencies))}."
            raise Problem(422, "mixed-currencies", "An order has one currency", detail)
        ordered = tuple(
            OrderedLine(sku=line.sku, quantity=line.quantity, unit_price_cents=prices[line.sku].cents)
            for line in lines
        )
        total = sum(line.unit_price_cents * line.quantity for line in ordered)
        if total > MOST_CENTS:
            detail = f"It comes to {total} cents; at most {MOST_CENTS} are possible. Order less at once."
            raise Problem(422, "order-too-large", "The order is too large", detail)
        placed = facts.Placed(
            customer_id=customer_id,
            lines=ordered,
            total_cents=total,
            currency=currencies.pop(),
            card=card,
        )
        return self._record(new_order_id(now()), None, [placed])

    def change(self, order_id: str, decide: Decision) -> Change:
        """Let something happen to an order, if it still may. Raises UnknownOrder, and what the decision raises.

        Two may decide on the same history at once; the second to append learns it, reads again and decides again.
        """
        for _ in range(MOST_CONFLICTS):
            before, decided = self._decided(order_id, decide)
            if not decided:
                return Change(before, before)
            try:
                return Change(before, self._record(order_id, before, decided))
            except Conflict:
                self._recent.forget(order_id)
                metrics.CONFLICTS.inc()
        raise Problem(
            503, "busy", "The order is being changed by many at once", "Nothing was changed; try again."
        )

    def state(self, order_id: str) -> OrderState:
        """An order as its history makes it. Raises UnknownOrder."""
        state = self._store.load(order_id)
        if state is None:
            raise UnknownOrder(order_id)
        return state

    def _decided(self, order_id: str, decide: Decision) -> tuple[OrderState, list[Fact]]:
        """What is decided, and on which state. What is known here is enough for a yes: appending finds out if it is behind."""
        recent = self._recent.get(order_id)
        if recent is not None:
            with suppress(Exception):  # a refusal stands only on the history
                decided = decide(recent)
                if decided:
                    return recent, decided
        before = self.state(order_id)
        return before, decide(before)

    def history(self, order_id: str) -> list[Recorded]:
        """Everything that happened to an order, oldest first. Raises UnknownOrder."""
        found = self._store.history(order_id)
        if not found:
            raise UnknownOrder(order_id)
        return found

    def get(self, order_id: str) -> Order:
        """The row of one order, with its lines. Raises UnknownOrder."""
        query = select(Order).where(Order.id == order_id).options(selectinload(Order.lines))
        order = self._session.scalar(query)
        if order is None:
            raise UnknownOrder(order_id)
        return order

    def page(
        self,
        *,
        after: int,
        limit: int,
        status: OrderStatus | None = None,
        customer_id: str | None = None,
        chatty: bool = False,
    ) -> list[Order]:
        """Orders after a cursor, of one status or customer if asked. `chatty` asks for the lines of each by itself (a fault)."""
        query = select(Order).where(Order.number > after).order_by(Order.number).limit(limit)
        if status is not None:
            query = query.where(Order.status == status)
        if customer_id is not None:
            query = query.where(Order.customer_id == customer_id)
        if not chatty:
            return list(self._session.scalars(query.options(selectinload(Order.lines))))
        orders = list(self._session.scalars(query))
        for order in orders:
            self._session.refresh(order, ["lines"])
        return orders

    def announce(self, state: OrderState, fact: Fact) -> None:
        """Tell the others of a fact, if it is one for them; told again, it is another event that says the same."""
        tell = PUBLIC.get(type(fact))
        if tell is not None:
            self._outbox.add(self._session, tell(state), key=state.id)

    def _record(self, order_id: str, before: OrderState | None, decided: Sequence[Fact]) -> OrderState:
        recorded = self._store.append(order_id, before.version if before else 0, decided)
        after = fold(recorded, before)
        assert after is not None
        projections.save(self._session, before, after)
        if before is not None:
            self._store.snapshot(after, before.version)
        for fact in decided:
            self.announce(after, fact)
        metrics.changed(self._session, before, after)
        when_committed(self._session, lambda: self._recent.keep(after))
        return after


def lines_of(state: OrderState) -> list[Line]:
    """An order's lines as events carry them."""
    return [Line(sku=line.sku, quantity=line.quantity) for line in state.lines]


def _created(state: OrderState) -> Payload:
    return events.OrderCreated(
        order_id=state.id,
        customer_id=state.customer_id,
        lines=lines_of(state),
        total_cents=state.total_cents,
        currency=state.currency,
    )


def _payment_requested(state: OrderState) -> Payload:
    return events.PaymentRequested(
        order_id=state.id,
        attempt=state.attempt,
        amount_cents=state.total_cents,
        currency=state.currency,
        card=state.card,
    )


def _confirmed(state: OrderState) -> Payload:
    return events.OrderConfirmed(
        order_id=state.id,
        attempt=state.attempt,
        customer_id=state.customer_id,
        lines=lines_of(state),
        total_cents=state.total_cents,
        currency=state.currency,
    )


def _cancelled(state: OrderState) -> Payload:
    return events.OrderCancelled(
        order_id=state.id,
        reason=state.reason or "",
        after_decline=state.after_decline,
        customer_id=state.customer_id,
    )


PUBLIC: Mapping[type[Fact], Callable[[OrderState], Payload]] = {
    facts.Placed: _created,
    facts.PaymentAsked: _payment_requested,
    facts.Confirmed: _confirmed,
    facts.Cancelled: _cancelled,
    facts.ShipmentStopAsked: lambda state: events.CancelShipment(order_id=state.id),
}
"""Which facts concern others, and how they are told."""
