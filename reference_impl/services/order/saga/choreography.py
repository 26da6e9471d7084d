"""The choreographed checkout: each service reacts to facts, and no line of code says what a checkout is.

This service's part is to turn the others' facts into its own. What follows from those is known to whoever follows them::

    OrderCreated      inventory reserves        OrderConfirmed    inventory sells, shipping sends
    PaymentRequested  payment takes the money   OrderCancelled    inventory releases or restocks, payment gives back

Nothing is sent twice here: the bus delivers at least once, and that has to do. What nobody answers is ended by the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from reference_impl.services.order import metrics
from reference_impl.services.order.catalogue import Price
from reference_impl.services.order.history import decisions
from reference_impl.services.order.history.fold import OrderState, OrderStatus
from reference_impl.services.order.models import Order
from reference_impl.services.order.saga import replies
from reference_impl.services.order.saga.base import OVERDUE_AT_ONCE, Checkout, Effect, known
from reference_impl.shared.events import Event, now
from reference_impl.shared.types import Line

READS = (
    "InventoryReserved",
    "InventoryRejected",
    "InventoryReleased",
    "PaymentCaptured",
    "PaymentDeclined",
    "PaymentVoided",
    "PaymentRefunded",
    "ShipmentDispatched",
    "ShipmentDelivered",
    "ShipmentCancelled",
)


class Choreography(Checkout):
    """Decides about orders and tells of it; who acts on that is not known here."""

    def place(
        self,
        session: Session,
        lines: Sequence[Line],
        prices: Mapping[str, Price],
        *,
        customer_id: str | None,
        card: str,
    ) -> OrderState:
        return self.orders(session).place(lines, prices, customer_id=customer_id, card=card)

    def pay_again(self, session: Session, order_id: str, card: str) -> OrderState:
        return self.orders(session).change(order_id, decisions.another_card(card, now())).after

    def cancel(self, session: Session, order_id: str, reason: str, *, refund: bool) -> OrderState:
        # Shipping acts on OrderConfirmed by itself, so only shipping knows whether the parcel is still in the house.
        decision = decisions.cancel(reason, refund=refund, ask_shipping=self._terms.shipping)
        return self.orders(session).change(order_id, decision).after

    def replies(self) -> Mapping[str, Effect]:
        return dict.fromkeys(READS, known(self._react))

    def overdue(self, session: Session) -> int:
        at = now()
        waiting = (
            select(Order.id, Order.status)
            .where(
                or_(
                    (Order.status == OrderStatus.PAYMENT_DECLINED) & (Order.pay_by <= at),
                    (Order.status == OrderStatus.PENDING)
                    & (Order.created_at <= at - self._terms.pending_timeout),
                    (Order.status == OrderStatus.PAYMENT_PENDING)
                    & (Order.updated_at <= at - self._terms.payment_timeout),
                )
            )
            .limit(OVERDUE_AT_ONCE)
        )
        found = session.execute(waiting).all()
        for order_id, status in found:
            paying = status is OrderStatus.PAYMENT_PENDING
            reason = "payment_timeout" if paying else "timed_out"
            self.orders(session).change(order_id, decisions.gave_up(reason))
            if paying:
                metrics.given_up(session, "payment")
        return len(found)

    def _react(self, session: Session, event: Event) -> None:
        decision = replies.MEANING[event.type](event, self._terms.payment_window)
        self.orders(session).change(replies.order_of(event), decision)
