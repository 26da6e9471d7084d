"""What an order is: the sum of what happened to it. Pure: the same facts always make the same order.

States, and the facts that lead from one to the next::

    PENDING ──PaymentAsked──► PAYMENT_PENDING ──Confirmed──► CONFIRMED ──Shipped──► SHIPPED ──Delivered──► DELIVERED
       │                        │   │    ▲                    │     │                  ▲
       │             PaymentRefused │  PaymentAsked           │  ShipmentStopAsked     │ Shipped: it was too late
       │                        ▼   │  (another card)         │     ▼                  │
       │            PAYMENT_DECLINED│                         │  CANCELLING ───────────┘
       │ Cancelled              │   │ Cancelled (no answer)   │     │
       ▼                        ▼   ▼                         ▼     ▼
    CANCELLED ◄────────────────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from reference_impl.services.order.history import facts
from reference_impl.services.order.history.facts import OrderedLine, Recorded


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_DECLINED = "payment_declined"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    """Paid, to be cancelled, and shipping has not yet said whether it can be held back."""
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class OrderState(BaseModel):
    """An order as its history makes it."""

    model_config = ConfigDict(frozen=True)

    id: str
    version: int
    """The sequence of the last fact in it."""
    status: OrderStatus
    customer_id: str | None
    lines: tuple[OrderedLine, ...]
    total_cents: int
    currency: str
    card: str
    """The card of the next or current attempt."""
    attempt: int = 0
    """The payment attempt under way or last made; 0 before the first."""
    reason: str | None = None
    """Why it was declined or cancelled."""
    pay_by: datetime | None = None
    """Until when a declined order may still be paid; None when nobody here watches the clock."""
    refused_cards: tuple[str, ...] = ()
    """Cards that will be declined for ever."""
    paid: bool = False
    """Whether its money was taken, also when it was given back since."""
    after_decline: bool = False
    """Whether it was cancelled because of a declined payment."""
    money_returned: bool = False
    stock_returned: bool = False
    created_at: datetime
    updated_at: datetime


class BrokenHistory(Exception):
    """Facts that can't have happened like this: a gap, or a first one that is no beginning."""


def fold(recorded: Iterable[Recorded], state: OrderState | None = None) -> OrderState | None:
    """The order after these facts, going on from a snapshot if one is given; None when nothing happened. Raises BrokenHistory."""
    for item in recorded:
        state = apply(state, item)
    return state


def apply(state: OrderState | None, recorded: Recorded) -> OrderState:
    """The order after one more fact."""
    if state is None:
        return _begin(recorded)
    if recorded.sequence != state.version + 1:
        raise BrokenHistory(f"order {state.id}: fact {recorded.sequence} follows fact {state.version}")
    changes = _changes(state, recorded.fact)
    common = {"version": recorded.sequence, "updated_at": recorded.occurred_at}
    return state.model_copy(update=common | changes)


def _begin(recorded: Recorded) -> OrderState:
    fact = recorded.fact
    if not isinstance(fact, facts.Placed) or recorded.sequence != 1:
        raise BrokenHistory(
            f"order {recorded.order_id} begins with fact {recorded.sequence}, {type(fact).__name__}"
        )
    return OrderState(
        id=recorded.order_id,
        version=1,
        status=OrderStatus.PENDING,
        customer_id=fact.customer_id,
        lines=fact.lines,
        total_cents=fact.total_cents,
        currency=fact.currency,
        card=fact.card,
        created_at=recorded.occurred_at,
        updated_at=recorded.occurred_at,
    )


def _changes(state: OrderState, fact: facts.Fact) -> dict[str, Any]:
    """What a fact changes. `decisions.py` has seen to it that it may happen; here it did."""
    match fact:
        case facts.PaymentAsked(attempt=attempt, card=card):
            status = OrderStatus.PAYMENT_PENDING
            return {"status": status, "attempt": attempt, "card": card, "reason": None, "pay_by": None}
        case facts.PaymentRefused():
            refused = (*state.refused_cards, state.card) if fact.final else state.refused_cards
            status = OrderStatus.PAYMENT_DECLINED
            return {"status": status, "reason": fact.code, "pay_by": fact.pay_by, "refused_cards": refused}
        case facts.PaymentTaken():
            return {"paid": True}
        case facts.Confirmed():
            return {"status": OrderStatus.CONFIRMED}
        case facts.ShipmentStopAsked(reason=reason):
            return {"status": OrderStatus.CANCELLING, "reason": reason}
        case facts.Cancelled(reason=reason):
            after_decline = state.status is OrderStatus.PAYMENT_DECLINED
            changes = {"status": OrderStatus.CANCELLED, "reason": reason, "pay_by": None}
            return changes | {"after_decline": after_decline}
        case facts.MoneyReturned():
            return {"money_returned": True}
        case facts.StockReturned():
            return {"stock_returned": True}
        case facts.Shipped():
            return {"status": OrderStatus.SHIPPED, "reason": None}
        case facts.Delivered():
            return {"status": OrderStatus.DELIVERED, "reason": None}
        case (
            _
        ):  # StockReserved, PaymentAuthorised: they happened, and what follows from them is a fact of its own
            return {}
