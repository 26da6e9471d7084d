"""What the payment service does: it never talks to the gateway inside a transaction, and never charges an order twice."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from reference_impl.services.payment.events import PaymentCaptured, PaymentDeclined, PaymentRequestedView
from reference_impl.services.payment.gateway import Authorised, Declined, PaymentGateway
from reference_impl.services.payment.models import Payment, PaymentStatus
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox


class PaymentService:
    """Takes the money of orders."""

    def __init__(self, database: Database, outbox: Outbox, inbox: Inbox, gateway: PaymentGateway) -> None:
        self._database = database
        self._outbox = outbox
        self._inbox = inbox
        self._gateway = gateway

    def charge(self, event: Event) -> None:
        """Handle PaymentRequested: note the attempt, ask the gateway, note its answer with the event that tells of it.

        A crash between the steps repeats them under the same gateway key, which moves no money twice.
        """
        request = event.read(PaymentRequestedView)
        if not self._open(event, request):
            return
        key = f"{request.order_id}:{request.attempt}"
        answer = self._gateway.authorise(
            key=key, card=request.card, amount_cents=request.amount_cents, currency=request.currency
        )
        if isinstance(answer, Authorised):
            self._gateway.capture(answer.reference, key=key)
        with self._database.write() as session:
            if not self._inbox.seen(session, event):
                self._inbox.note(session, event)
                self._conclude(session, request, answer)

    def _open(self, event: Event, request: PaymentRequestedView) -> bool:
        """Note that the gateway is about to be asked; False when this attempt, or the whole order, is settled already."""
        with self._database.write() as session:
            if self._inbox.seen(session, event):
                return False
            rows = session.scalars(select(Payment).where(Payment.order_id == request.order_id)).all()
            if any(row.status is PaymentStatus.CAPTURED for row in rows):
                return False
            row = next((row for row in rows if row.attempt == request.attempt), None)
            if row is not None:
                return row.status is PaymentStatus.REQUESTED
            session.add(
                Payment(
                    order_id=request.order_id,
                    attempt=request.attempt,
                    amount_cents=request.amount_cents,
                    currency=request.currency,
                )
            )
            return True

    def _conclude(self, session: Session, request: PaymentRequestedView, answer: Authorised | Declined) -> None:
        payment = session.scalars(
            select(Payment).where(Payment.order_id == request.order_id, Payment.attempt == request.attempt)
        ).one()
        if isinstance(answer, Declined):
            payment.status = PaymentStatus.DECLINED
            payment.decline_code = answer.code
            declined = PaymentDeclined(order_id=payment.order_id, attempt=payment.attempt, code=answer.code)
            self._outbox.add(session, declined, key=payment.order_id)
            return
        payment.status = PaymentStatus.CAPTURED
        payment.gateway_reference = answer.reference
        captured = PaymentCaptured(
            order_id=payment.order_id,
            attempt=payment.attempt,
            amount_cents=payment.amount_cents,
            currency=payment.currency,
        )
        self._outbox.add(session, captured, key=payment.order_id)


def page(session: Session, *, after: int, limit: int, order_id: str | None) -> list[Payment]:
    """Payments after a cursor, of one order if asked."""
    query = select(Payment).where(Payment.number > after).order_by(Payment.number).limit(limit)
    if order_id is not None:
        query = query.where(Payment.order_id == order_id)
    return list(session.scalars(query))
