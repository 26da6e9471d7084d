"""What may happen next: (an order, what somebody says or wants) → the facts that follow, none when it no longer applies.

That "none" is what makes late, repeated and overtaken messages harmless. Pure, like `fold`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from reference_impl.services.order.history import facts
from reference_impl.services.order.history.facts import Fact
from reference_impl.services.order.history.fold import OrderState, OrderStatus
from reference_impl.shared.problems import Problem

MOST_ATTEMPTS = 10
REASON_LENGTH = 100

Decision = Callable[[OrderState], list[Fact]]


def stock_reserved(state: OrderState) -> list[Fact]:
    """Inventory holds the units: ask for the money."""
    if state.status is not OrderStatus.PENDING:
        return []
    return [facts.StockReserved(), facts.PaymentAsked(attempt=1, card=state.card)]


def stock_rejected(state: OrderState) -> list[Fact]:
    """Inventory has too few units."""
    return [facts.Cancelled(reason="out_of_stock")] if state.status is OrderStatus.PENDING else []


def authorised(attempt: int) -> Decision:
    """The money of this attempt is set aside."""
    return lambda state: [facts.PaymentAuthorised(attempt=attempt)] if _awaits(state, attempt) else []


def captured(attempt: int) -> Decision:
    """The money of this attempt is ours."""
    return lambda state: (
        [facts.PaymentTaken(attempt=attempt), facts.Confirmed()] if _awaits(state, attempt) else []
    )


def declined(attempt: int, code: str, *, final: bool, pay_by: datetime | None, at_once: bool) -> Decision:
    """This attempt was refused. Another card may be tried until `pay_by`; `at_once` leaves no time for it."""

    def decide(state: OrderState) -> list[Fact]:
        if not _awaits(state, attempt):
            return []
        refused = facts.PaymentRefused(attempt=attempt, code=code, final=final, pay_by=pay_by)
        return [refused, facts.Cancelled(reason=code[:REASON_LENGTH])] if at_once else [refused]

    return decide


def money_returned(state: OrderState) -> list[Fact]:
    """Payment has given back what it had."""
    due = state.status is OrderStatus.CANCELLED and not state.money_returned
    return [facts.MoneyReturned()] if due else []


def stock_returned(state: OrderState) -> list[Fact]:
    """Inventory has put the units back."""
    due = state.status is OrderStatus.CANCELLED and not state.stock_returned
    return [facts.StockReturned()] if due else []


def shipped(state: OrderState) -> list[Fact]:
    """The parcel has left; if the order was to be cancelled, that came too late."""
    return [facts.Shipped()] if state.status in (OrderStatus.CONFIRMED, OrderStatus.CANCELLING) else []


def delivered(state: OrderState) -> list[Fact]:
    """The parcel has arrived. This may be heard before `shipped`, which then says nothing new."""
    left = (OrderStatus.CONFIRMED, OrderStatus.CANCELLING, OrderStatus.SHIPPED)
    return [facts.Delivered()] if state.status in left else []


def shipment_stopped(state: OrderState) -> list[Fact]:
    """Shipping keeps the parcel in the house: now the order can be cancelled."""
    if state.status is not OrderStatus.CANCELLING:
        return []
    return [facts.Cancelled(reason=state.reason or "cancelled")]


def gave_up(reason: str) -> Decision:
    """Nobody answered in time, or the time to pay is over."""

    def decide(state: OrderState) -> list[Fact]:
        waiting = (OrderStatus.PENDING, OrderStatus.PAYMENT_PENDING, OrderStatus.PAYMENT_DECLINED)
        if state.status not in waiting:
            return []
        overdue = state.status is OrderStatus.PAYMENT_DECLINED and state.reason
        return [facts.Cancelled(reason=overdue or reason)]

    return decide


def another_card(card: str, at: datetime) -> Decision:
    """The customer tries again. Raises Problem 409 unless the last attempt was declined and there is still time."""

    def decide(state: OrderState) -> list[Fact]:
        expired = state.pay_by is not None and state.pay_by <= at
        if state.status is not OrderStatus.PAYMENT_DECLINED or expired or state.attempt >= MOST_ATTEMPTS:
            raise conflict(state, "order-not-payable", "The order does not wait for another card")
        if card in state.refused_cards:
            raise conflict(state, "card-refused", "This card was declined for good: use another one")
        return [facts.PaymentAsked(attempt=state.attempt + 1, card=card)]

    return decide


def cancel(reason: str, *, refund: bool, ask_shipping: bool) -> Decision:
    """Somebody wants it cancelled. Raises Problem 409 when it can't be (any more).

    A paid order is only cancelled by who says that its money shall go back (`refund`): a consumer that acts on an old
    decline must never undo it. `ask_shipping`: the parcel may be on its way, so shipping has to be asked first.
    """

    def decide(state: OrderState) -> list[Fact]:
        match state.status:
            case OrderStatus.PENDING | OrderStatus.PAYMENT_DECLINED:
                return [facts.Cancelled(reason=reason)]
            case OrderStatus.CONFIRMED if refund:
                return [
                    facts.ShipmentStopAsked(reason=reason) if ask_shipping else facts.Cancelled(reason=reason)
                ]
            case OrderStatus.CANCELLED | OrderStatus.CANCELLING:
                return []
            case _:
                raise conflict(state, "order-not-cancellable", "The order can't be cancelled")

    return decide


def conflict(state: OrderState, name: str, title: str) -> Problem:
    """409, with what the order is at this very moment."""
    detail = f"It is {state.status}, at payment attempt {state.attempt}."
    if name == "order-not-cancellable" and state.status is OrderStatus.CONFIRMED:
        detail += " A paid order is cancelled with `refund`: true."
    return Problem(409, name, title, detail, order_status=state.status, attempt=state.attempt)


def _awaits(state: OrderState, attempt: int) -> bool:
    return state.status is OrderStatus.PAYMENT_PENDING and state.attempt == attempt
