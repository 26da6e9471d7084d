"""The orchestrated checkout: this service sends the commands, waits for each answer, and knows at any time how far it has come.

Where a saga is, what its order is, and the next command are written in one transaction. So a crash at any moment leaves
either the state before an answer, and the bus delivers the answer again, or the state after it, and the outbox sends the
command. A command may be sent twice; the others answer twice and act once, because they look at the order it names and not
at the id of the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.orm import Session

from reference_impl.services.order import events, metrics
from reference_impl.services.order.catalogue import Price
from reference_impl.services.order.history import decisions, facts
from reference_impl.services.order.history.decisions import Decision
from reference_impl.services.order.history.fold import OrderState
from reference_impl.services.order.models import Saga
from reference_impl.services.order.saga import replies
from reference_impl.services.order.saga.base import OVERDUE_AT_ONCE, Checkout, Effect, known
from reference_impl.services.order.saga.machine import (
    FOR_EVER,
    MOVES,
    Step,
    may_be_shipping,
    next_step,
    state_at,
    turned_back,
)
from reference_impl.services.order.service import Change, UnknownOrder, lines_of
from reference_impl.shared.database import table_of
from reference_impl.shared.events import Event, Payload, now
from reference_impl.shared.types import Line

READS = tuple(sorted({reply for _, reply in MOVES}))
_SAGAS = table_of(Saga)
# Composed once, and rows instead of objects: every answer of every order comes by here.
_WHERE_IT_IS = select(_SAGAS.c.order_id, _SAGAS.c.step, _SAGAS.c.attempt)
_SAGA_OF = _WHERE_IT_IS.where(_SAGAS.c.order_id == bindparam("order_id")).with_for_update()
_MOVE = (
    update(_SAGAS)
    .where(_SAGAS.c.order_id == bindparam("of"))
    .values({name: bindparam(name) for name in ("step", "state", "attempt", "deadline", "updated_at")})
)
MOST_DOUBLINGS = 5
"""A command that is sent for ever is sent at ever longer distances, up to 2⁵ times the first."""


class Orchestrator(Checkout):
    """Tells each service when it is its turn."""

    def place(
        self,
        session: Session,
        lines: Sequence[Line],
        prices: Mapping[str, Price],
        *,
        customer_id: str | None,
        card: str,
    ) -> OrderState:
        state = self.orders(session).place(lines, prices, customer_id=customer_id, card=card)
        self._send(session, Step.RESERVE, state)
        position = self._position(Step.RESERVE, state, 1)
        session.execute(insert(_SAGAS), {"order_id": state.id, "last_error": None, **position})
        return state

    def pay_again(self, session: Session, order_id: str, card: str) -> OrderState:
        self._saga(session, order_id)
        change = self.orders(session).change(order_id, decisions.another_card(card, now()))
        self._enter(session, Step.AUTHORISE, change.after)
        return change.after

    def cancel(self, session: Session, order_id: str, reason: str, *, refund: bool) -> OrderState:
        saga = self._saga(session, order_id)
        ask = may_be_shipping(Step(saga.step), shipping=self._terms.shipping)
        return self._turn_back(session, saga, decisions.cancel(reason, refund=refund, ask_shipping=ask)).after

    def replies(self) -> Mapping[str, Effect]:
        return dict.fromkeys(READS, known(self._answered))

    def overdue(self, session: Session) -> int:
        late = (
            _WHERE_IT_IS.where(_SAGAS.c.deadline <= now())
            .order_by(_SAGAS.c.deadline)
            .limit(OVERDUE_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        found = session.execute(late).all()
        for saga in found:
            self._overdue(session, saga)
        return len(found)

    def _answered(self, session: Session, event: Event) -> None:
        """Somebody has answered: let it happen to the order, and take the next step if it was the answer waited for."""
        saga = self._saga(session, replies.order_of(event))
        orders, meaning = self.orders(session), replies.MEANING.get(event.type)
        if meaning is None:  # it matters to the saga only
            state = orders.state(saga.order_id)
        else:
            change = orders.change(saga.order_id, meaning(event, self._terms.payment_window))
            if not change.happened:
                return
            state = change.after
        terms = {"shipping": self._terms.shipping, "keep_stock": self._keeps_stock(state)}
        following = next_step(Step(saga.step), event.type, state, **terms)
        if following is not None:
            self._enter(session, following, state)

    def _overdue(self, session: Session, saga: Row[str, str, int]) -> None:
        """Nobody has answered in time: send it again, or take the way back."""
        step = Step(saga.step)
        state = self.orders(session).state(saga.order_id)
        late = f"no answer to {step} within {self._terms.step_timeout.total_seconds():g} s"
        if step is Step.ANOTHER_CARD:
            late = "nobody paid in time"
        session.execute(update(_SAGAS).where(_SAGAS.c.order_id == saga.order_id).values(last_error=late))
        if step is Step.RESERVE:
            given_up, reason = now() >= state.created_at + self._terms.pending_timeout, "timed_out"
        else:
            given_up, reason = (
                step not in FOR_EVER and saga.attempt >= self._terms.step_tries,
                "payment_timeout",
            )
        if step is Step.ANOTHER_CARD:
            self._turn_back(session, saga, decisions.gave_up(reason))
        elif given_up:
            metrics.given_up(session, step)
            self._turn_back(session, saga, decisions.gave_up(reason))
        else:
            metrics.resent(session, step)
            self._send(session, step, state)
            self._wait(session, step, state, saga.attempt + 1)

    def _turn_back(self, session: Session, saga: Row[str, str, int], decision: Decision) -> Change:
        change = self.orders(session).change(saga.order_id, decision)
        if change.happened:
            keep_stock = self._keeps_stock(change.after)
            back = turned_back(
                Step(saga.step), change.after, shipping=self._terms.shipping, keep_stock=keep_stock
            )
            self._enter(session, back, change.after)
        return change

    def _enter(self, session: Session, step: Step, state: OrderState) -> None:
        """Be at a step: its command is sent, and the clock runs."""
        if step not in ANNOUNCED:
            self._send(session, step, state)
        self._wait(session, step, state, 1)

    def _send(self, session: Session, step: Step, state: OrderState) -> None:
        if step in ANNOUNCED:
            self.orders(session).announce(state, ANNOUNCED[step])
        elif step in COMMANDS:
            self._outbox.add(session, COMMANDS[step](state), key=state.id)

    def _wait(self, session: Session, step: Step, state: OrderState, attempt: int) -> None:
        session.execute(_MOVE, {"of": state.id, **self._position(step, state, attempt)})

    def _position(self, step: Step, state: OrderState, attempt: int) -> dict[str, Any]:
        """Where a saga is, and until when it waits there."""
        return {
            "step": step.value,
            "state": state_at(step).value,
            "attempt": attempt,
            "deadline": self._deadline(step, state, attempt),
            "updated_at": now(),
        }

    def _deadline(self, step: Step, state: OrderState, attempt: int) -> datetime | None:
        if step is Step.DONE:
            return None
        if step is Step.ANOTHER_CARD:
            return state.pay_by
        due = now() + self._terms.step_timeout * (
            2 ** min(attempt - 1, MOST_DOUBLINGS) if step in FOR_EVER else 1
        )
        if step is Step.RESERVE:
            return min(due, state.created_at + self._terms.pending_timeout)
        return due

    def _keeps_stock(self, state: OrderState) -> bool:
        return self._terms.payment_window is None and state.after_decline

    @staticmethod
    def _saga(session: Session, order_id: str) -> Row[str, str, int]:
        """The saga of an order, locked: answers, customers and the clock take turns. Raises UnknownOrder."""
        saga = session.execute(_SAGA_OF, {"order_id": order_id}).one_or_none()
        if saga is None:
            raise UnknownOrder(order_id)
        return saga


def _return_money(state: OrderState) -> Payload:
    """What we believe: payment knows better, and gives back as far as it got."""
    command = events.RefundPayment if state.paid else events.VoidPayment
    return command(order_id=state.id)


COMMANDS: Mapping[Step, Callable[[OrderState], Payload]] = {
    Step.RESERVE: lambda state: events.ReserveInventory(order_id=state.id, lines=lines_of(state)),
    Step.AUTHORISE: lambda state: events.AuthorisePayment(
        order_id=state.id,
        attempt=state.attempt,
        amount_cents=state.total_cents,
        currency=state.currency,
        card=state.card,
    ),
    Step.CAPTURE: lambda state: events.CapturePayment(order_id=state.id, attempt=state.attempt),
    Step.SHIP: lambda state: events.CreateShipment(
        order_id=state.id, customer_id=state.customer_id, lines=lines_of(state)
    ),
    Step.RETURN_MONEY: _return_money,
    Step.RELEASE: lambda state: events.ReleaseInventory(order_id=state.id),
}
"""Step → the command that begins it."""

ANNOUNCED: Mapping[Step, facts.Fact] = {
    Step.CONFIRM: facts.Confirmed(),
    Step.STOP_SHIPMENT: facts.ShipmentStopAsked(reason=""),
}
"""Steps that begin with a fact, told when it happened; only when nobody answers it is told again."""
