"""What the order service does. It alone moves an order from one state to the next, each time in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.order.catalogue import Price
from reference_impl.services.order.events import OrderCancelled, OrderConfirmed, OrderCreated, PaymentRequested
from reference_impl.services.order.models import Order, OrderLine, OrderStatus
from reference_impl.shared.events import new_id, now
from reference_impl.shared.inbox import Poison
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem
from reference_impl.shared.types import Line

MOST_ATTEMPTS = 10
EXPIRED_AT_ONCE = 100


class OrderService:
    """Orders, within one session of the caller's."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox

    def place(
        self, lines: Sequence[Line], prices: Mapping[str, Price], *, customer_id: str | None, card: str
    ) -> Order:
        """A new order, PENDING. Raises Problem 422 when its lines have more than one currency."""
        currencies = {prices[line.sku].currency for line in lines}
        if len(currencies) > 1:
            raise Problem(
                422,
                "mixed-currencies",
                "An order has one currency",
                f"These are {', '.join(sorted(currencies))}.",
            )
        order = Order(
            id=new_id(),
            customer_id=customer_id,
            card=card,
            total_cents=sum(prices[line.sku].cents * line.quantity for line in lines),
            currency=currencies.pop(),
            lines=[
                OrderLine(sku=line.sku, quantity=line.quantity, unit_price_cents=prices[line.sku].cents)
                for line in lines
            ],
        )
        self._session.add(order)
        self._session.flush()
        self._emit(
            order,
            OrderCreated(
                order_id=order.id,
                customer_id=customer_id,
                lines=list(lines),
                total_cents=order.total_cents,
                currency=order.currency,
            ),
        )
        return order

    def stock_reserved(self, order_id: str) -> None:
        """Inventory holds the units: ask for the money."""
        order = self._known(order_id)
        if order.status is OrderStatus.PENDING:
            self._request_payment(order, order.card)

    def stock_rejected(self, order_id: str) -> None:
        """Inventory has too few units."""
        order = self._known(order_id)
        if order.status is OrderStatus.PENDING:
            self._cancel(order, "out_of_stock")

    def paid(self, order_id: str, attempt: int) -> None:
        """The payment of this attempt was captured."""
        order = self._known(order_id)
        if order.status is OrderStatus.PAYMENT_PENDING and order.attempt == attempt:
            order.status = OrderStatus.CONFIRMED
            self._emit(order, OrderConfirmed(order_id=order.id, attempt=attempt))

    def declined(self, order_id: str, attempt: int, code: str, *, window: timedelta | None) -> None:
        """The payment of this attempt was declined: another card may be tried within the window.

        No window (None) means that somebody outside decides when the order is over.
        """
        order = self._known(order_id)
        if order.status is not OrderStatus.PAYMENT_PENDING or order.attempt != attempt:
            return
        order.status = OrderStatus.PAYMENT_DECLINED
        order.reason = code
        order.pay_by = None if window is None else now() + window
        if window is not None and not window:
            self._cancel(order, code)

    def retry_payment(self, order_id: str, card: str) -> Order:
        """Try another card. Raises Problem 404, and 409 when the order does not wait for one."""
        order = self.get(order_id, lock=True)
        expired = order.pay_by is not None and order.pay_by <= now()
        if order.status is not OrderStatus.PAYMENT_DECLINED or expired or order.attempt >= MOST_ATTEMPTS:
            raise self._conflict(order, "order-not-payable", "The order does not wait for another card")
        self._request_payment(order, card)
        return order

    def cancel(self, order_id: str, reason: str) -> Order:
        """Cancel an order that is not paid and not being paid; one that is cancelled stays as it is. Raises Problem 404, 409."""
        order = self.get(order_id, lock=True)
        if order.status in (OrderStatus.PENDING, OrderStatus.PAYMENT_DECLINED):
            self._cancel(order, reason)
        elif order.status is not OrderStatus.CANCELLED:
            raise self._conflict(order, "order-not-cancellable", "The order can't be cancelled")
        return order

    def expire(self, *, pending_timeout: timedelta) -> int:
        """Cancel what waited too long, at most EXPIRED_AT_ONCE orders; how many that were."""
        overdue = self._session.scalars(
            select(Order)
            .where(
                or_(
                    (Order.status == OrderStatus.PAYMENT_DECLINED) & (Order.pay_by <= now()),
                    (Order.status == OrderStatus.PENDING) & (Order.created_at <= now() - pending_timeout),
                )
            )
            .limit(EXPIRED_AT_ONCE)
            .with_for_update(skip_locked=True)
        ).all()
        for order in overdue:
            self._cancel(order, order.reason or "timed_out")
        return len(overdue)

    def get(self, order_id: str, *, lock: bool = False) -> Order:
        """One order with its lines. Raises Problem 404."""
        query = select(Order).where(Order.id == order_id).options(selectinload(Order.lines))
        order = self._session.scalar(query.with_for_update() if lock else query)
        if order is None:
            raise Problem(404, "unknown-order", "There is no such order", f"No order has the id {order_id}.")
        return order

    def page(self, *, after: int, limit: int, status: OrderStatus | None) -> list[Order]:
        """Orders after a cursor, of one status if asked."""
        query = select(Order).where(Order.number > after).order_by(Order.number).limit(limit)
        if status is not None:
            query = query.where(Order.status == status)
        return list(self._session.scalars(query.options(selectinload(Order.lines))))

    def _known(self, order_id: str) -> Order:
        order = self._session.scalar(select(Order).where(Order.id == order_id).with_for_update())
        if order is None:
            raise Poison(f"there is no order {order_id}")
        return order

    def _request_payment(self, order: Order, card: str) -> None:
        order.attempt += 1
        order.card = card
        order.status = OrderStatus.PAYMENT_PENDING
        order.reason = None
        order.pay_by = None
        self._emit(
            order,
            PaymentRequested(
                order_id=order.id,
                attempt=order.attempt,
                amount_cents=order.total_cents,
                currency=order.currency,
                card=card,
            ),
        )

    def _cancel(self, order: Order, reason: str) -> None:
        after_decline = order.status is OrderStatus.PAYMENT_DECLINED
        order.status = OrderStatus.CANCELLED
        order.reason = reason
        order.pay_by = None
        self._emit(order, OrderCancelled(order_id=order.id, reason=reason, after_decline=after_decline))

    def _emit(
        self, order: Order, payload: OrderCreated | PaymentRequested | OrderConfirmed | OrderCancelled
    ) -> None:
        self._outbox.add(self._session, payload, key=order.id)

    @staticmethod
    def _conflict(order: Order, name: str, title: str) -> Problem:
        detail = f"It is {order.status}, at payment attempt {order.attempt}."
        return Problem(409, name, title, detail, order_status=order.status, attempt=order.attempt)
