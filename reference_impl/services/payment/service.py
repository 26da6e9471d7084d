"""What the payment service does: it never talks to the gateway inside a transaction, and never charges an order twice.

The pattern of everything here: note what is wanted, ask the gateway, note what it says together with the event that tells
of it. A crash between the steps repeats them under the same gateway key, which moves no money twice. A call without an
answer is not a refusal: the charge may be there. So the next thing done with it is to look.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from reference_impl.services.payment import events, ledger, metrics
from reference_impl.services.payment.gateway import Charge, ChargeState, OutcomeUnknown, PaymentGateway
from reference_impl.services.payment.models import ClosedOrder, EntryKind, Payment, PaymentStatus
from reference_impl.services.payment.plan import Operation, next_operation
from reference_impl.shared import correlation
from reference_impl.shared.database import Database, when_committed
from reference_impl.shared.events import Payload, now
from reference_impl.shared.outbox import Outbox

MOST_OPERATIONS = 4
"""The longest way of one payment: authorise, capture, refund, and one to look."""
GATHER_SECONDS = 0.1
"""How long answers of the gateway wait for others, to be noted with them."""
PATIENCE = timedelta(seconds=10)
"""How long whoever asks the gateway is left alone, before others look what became of it."""
LONGEST_PAUSE_SECONDS = 60.0
TAKEN = (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
OVERDUE_AT_ONCE = 50
UNSETTLED = (PaymentStatus.REQUESTED, PaymentStatus.AUTHORISED, PaymentStatus.CAPTURED)
_PAYMENTS_OF = select(Payment).where(Payment.order_id == bindparam("order_id")).with_for_update()
_PAYMENT_OF = _PAYMENTS_OF.where(Payment.attempt == bindparam("attempt"))


@dataclass(frozen=True)
class Task:
    """Something to ask the gateway for, noted in the payment's row already. Hand it to `advance` when the transaction is over."""

    payment: Payment
    operation: Operation
    context: Context = field(default_factory=copy_context, repr=False)
    """What is being worked on while it is noted: the order's correlation id goes along."""


@dataclass(frozen=True)
class Conduct:
    """What differs between the variants of the saga."""

    capture_at_once: bool
    """Choreographed: the money is taken as soon as it is set aside, and a cancellation without money is not answered."""
    ask_again: float
    """Seconds until the gateway is asked what became of a call."""


class PaymentService:
    """Takes the money of orders, and gives it back."""

    def __init__(self, database: Database, outbox: Outbox, gateway: PaymentGateway, conduct: Conduct) -> None:
        self._database = database
        self._outbox = outbox
        self._gateway = gateway
        self._conduct = conduct

    def request(
        self, session: Session, wanted: events.AuthorisePaymentView | events.PaymentRequestedView
    ) -> list[Task]:
        """Note that this attempt's money is wanted.

        An attempt that has come further is answered again, for whoever asks again did not hear it.
        """
        rows = self._payments(session, wanted.order_id)
        closed = self._closed(session, wanted.order_id)
        row = next((row for row in rows if row.attempt == wanted.attempt), None)
        if row is not None and not closed:
            self._answer(session, row)
        if row is not None:
            return self._task(row, closed)
        if any(row.status in TAKEN for row in rows) or closed:
            return []
        payment = Payment(
            order_id=wanted.order_id,
            attempt=wanted.attempt,
            amount_cents=wanted.amount_cents,
            currency=wanted.currency,
            card=wanted.card,
            status=PaymentStatus.REQUESTED,
            capture_wanted=self._conduct.capture_at_once,
            correlation_id=correlation.correlation_id(),
            ask_again_at=now() + PATIENCE,
            asked=0,
        )
        session.add(payment)
        session.flush()
        return [Task(payment, Operation.AUTHORISE)]

    def want_capture(self, session: Session, order_id: str, attempt: int) -> list[Task]:
        """Note that the money shall be taken once it is set aside; an attempt that has come further is answered again."""
        row = next((row for row in self._payments(session, order_id) if row.attempt == attempt), None)
        if row is None:
            return []  # the order was closed before its payment was heard of
        closed = self._closed(session, order_id)
        if row.status in (PaymentStatus.CAPTURED, PaymentStatus.DECLINED) and not closed:
            self._answer(session, row)
        row.capture_wanted = True
        return self._task(row, closed)

    def close(self, session: Session, order_id: str) -> list[Task]:
        """The order is cancelled: let nothing stay set aside or taken, now or later."""
        if not self._closed(session, order_id):
            session.add(ClosedOrder(order_id=order_id))
            session.flush()
        tasks = [task for row in self._payments(session, order_id) for task in self._task(row, closed=True)]
        if not tasks:
            self._answer_closed(session, order_id)
        return tasks

    def advance(self, tasks: Sequence[Task]) -> None:
        """Ask the gateway until each payment is where it shall be, or it does not answer. Call it outside a transaction.

        What fails for one payment keeps no other one; the first failure is raised at the end.
        """
        failures: list[Exception] = []
        for _ in range(MOST_OPERATIONS):
            left, tasks = list(tasks), []
            while left:
                answers: list[tuple[Task, Charge]] = []
                until = time.monotonic() + GATHER_SECONDS
                while left and (not answers or time.monotonic() < until):
                    task = left.pop(0)
                    try:
                        charge = task.context.run(self._outcome, task)
                    except Exception as failure:
                        failures.append(failure)
                        continue
                    if charge is not None:
                        answers.append((task, charge))
                tasks += self._learn(answers, failures)
        if failures:
            raise failures[0]

    def _outcome(self, task: Task) -> Charge | None:
        """What the gateway says; None when it does not answer, and is asked later."""
        try:
            return self._look(task.payment, task.operation) or self._ask(task.payment, task.operation)
        except OutcomeUnknown:
            metrics.UNKNOWN.labels(task.operation).inc()
            self._ask_later(task.payment.key)
            return None

    def _learn(self, answers: Sequence[tuple[Task, Charge]], failures: list[Exception]) -> list[Task]:
        """`learn` for each of these, in one transaction; when that fails, each in its own, and these failures are added."""
        if not answers:
            return []
        try:
            with self._database.write() as session:
                # In the order of their keys: of two transactions over the same payments one waits for the other, and not both.
                return [
                    more
                    for task, charge in sorted(answers, key=lambda answer: answer[1].key)
                    for more in task.context.run(self.learn, session, charge)
                ]
        except Exception as failure:
            if len(answers) == 1:
                failures.append(failure)
                return []
        return [more for answer in answers for more in self._learn([answer], failures)]

    def learn(self, session: Session, charge: Charge) -> list[Task]:
        """Note how far the gateway says that a charge has come, and tell of it. What is known already changes nothing.

        Returns what is to be asked next. Raises NoResultFound for a charge that is not ours.
        """
        row = self._payment(session, charge.key)
        closed = self._closed(session, row.order_id)
        before = row.status
        booked: list[EntryKind] = []
        match charge.state:
            case ChargeState.AUTHORISED if row.status is PaymentStatus.REQUESTED:
                row.status = PaymentStatus.AUTHORISED
            case ChargeState.DECLINED if row.status in (PaymentStatus.REQUESTED, PaymentStatus.AUTHORISED):
                row.status = PaymentStatus.DECLINED
                row.decline_code, row.decline_final = charge.code, charge.final
                when_committed(session, metrics.DECLINED.labels(charge.code).inc)
            case ChargeState.VOIDED if row.status in (PaymentStatus.REQUESTED, PaymentStatus.AUTHORISED):
                row.status = PaymentStatus.VOIDED
                when_committed(session, metrics.VOIDED.inc)
            case ChargeState.CAPTURED | ChargeState.REFUNDED if row.status not in TAKEN:
                row.status = PaymentStatus.CAPTURED
                booked += [EntryKind.SALE, EntryKind.CAPTURE]
                self._count_captured(session, row)
        if charge.state is ChargeState.REFUNDED and row.status is PaymentStatus.CAPTURED:
            row.status = PaymentStatus.REFUNDED
            booked.append(EntryKind.REFUND)
            when_committed(session, metrics.REFUNDED.inc)
        if row.status is not before:
            row.gateway_reference = charge.reference
            row.asked = 0
        task = self._task(row, closed)
        session.flush()  # all that changed in the row, with one statement
        ledger.book(session, row, *booked)
        if row.status is not before and closed:
            self._answer_closed(session, row.order_id)
        elif row.status is not before:
            self._answer(session, row)
        return task

    def overdue(self) -> int:
        """Reconcile: look after payments whose outcome is not known, or that were left in the middle; how many."""
        with self._database.read() as session:
            query = select(Payment).where(Payment.ask_again_at <= now()).order_by(Payment.ask_again_at)
            found = session.scalars(query.limit(OVERDUE_AT_ONCE)).all()
        for row in found:
            with correlation.working_on(row.correlation_id):
                self.advance(self._ask_later(row.key))
        return len(found)

    def _look(self, row: Payment, operation: Operation) -> Charge | None:
        """After silence: what the gateway has done, when that settles the question; None when it still has to be asked."""
        charge = self._gateway.find(row.key) if row.asked else None
        if charge is None or charge.state.value == row.status.value:
            return None
        return None if operation is Operation.VOID and charge.state is ChargeState.AUTHORISED else charge

    def _ask(self, row: Payment, operation: Operation) -> Charge:
        match operation:
            case Operation.AUTHORISE:
                return self._gateway.authorise(
                    row.key, card=row.card, amount_cents=row.amount_cents, currency=row.currency
                )
            case Operation.CAPTURE:
                return self._gateway.capture(row.key)
            case Operation.VOID:
                return self._gateway.void(row.key)
            case Operation.REFUND:
                return self._gateway.refund(row.key)

    def _ask_later(self, key: str) -> list[Task]:
        """Put the next look at a payment off, each time for longer. From now on it begins with looking, not with asking."""
        with self._database.write() as session:
            row = self._payment(session, key)
            tasks = self._task(row, self._closed(session, row.order_id))
            if tasks:
                pause = min(LONGEST_PAUSE_SECONDS, self._conduct.ask_again * 2 ** min(row.asked, 16))
                row.asked += 1
                row.ask_again_at = now() + timedelta(seconds=pause)
            return tasks

    @staticmethod
    def _task(row: Payment, closed: bool) -> list[Task]:
        """What is to be asked next, if anything, with the time after which somebody else looks what became of it."""
        operation = next_operation(row.status, closed=closed, capture_wanted=row.capture_wanted)
        row.ask_again_at = None if operation is None else now() + PATIENCE
        return [] if operation is None else [Task(row, operation)]

    @staticmethod
    def _count_captured(session: Session, row: Payment) -> None:
        when_committed(session, metrics.CAPTURED.inc)
        when_committed(session, lambda: metrics.CAPTURED_CENTS.labels(row.currency).inc(row.amount_cents))

    def _answer(self, session: Session, row: Payment) -> None:
        """Tell how far this payment has come, if that is for others to know."""
        told: dict[str, Any] = {"order_id": row.order_id, "attempt": row.attempt}
        money: dict[str, Any] = {"amount_cents": row.amount_cents, "currency": row.currency}
        payload: Payload
        match row.status:
            case PaymentStatus.AUTHORISED if not self._conduct.capture_at_once:
                payload = events.PaymentAuthorised(**told, **money)
            case PaymentStatus.CAPTURED:
                payload = events.PaymentCaptured(**told, **money)
            case PaymentStatus.DECLINED:
                payload = events.PaymentDeclined(**told, code=row.decline_code or "", final=row.decline_final)
            case _:
                return
        self._outbox.add(session, payload, key=row.order_id)

    def _answer_closed(self, session: Session, order_id: str) -> None:
        """Once nothing is set aside or taken any more, say so."""
        rows = self._payments(session, order_id)
        if any(row.status in UNSETTLED for row in rows):
            return
        refunded = next((row for row in rows if row.status is PaymentStatus.REFUNDED), None)
        if refunded is not None:
            payload: Payload = events.PaymentRefunded(
                order_id=order_id, amount_cents=refunded.amount_cents, currency=refunded.currency
            )
        elif self._conduct.capture_at_once and not any(row.status is PaymentStatus.VOIDED for row in rows):
            return
        else:
            payload = events.PaymentVoided(order_id=order_id)
        self._outbox.add(session, payload, key=order_id)

    @staticmethod
    def _closed(session: Session, order_id: str) -> bool:
        return session.get(ClosedOrder, order_id) is not None

    @staticmethod
    def _payments(session: Session, order_id: str) -> Sequence[Payment]:
        return session.scalars(_PAYMENTS_OF, {"order_id": order_id}).all()

    @staticmethod
    def _payment(session: Session, key: str) -> Payment:
        """The payment of a charge, locked. Raises NoResultFound."""
        order_id, _, attempt = key.partition(":")
        return session.scalars(_PAYMENT_OF, {"order_id": order_id, "attempt": int(attempt)}).one()


def page(session: Session, *, after: int, limit: int, order_id: str | None) -> list[Payment]:
    """Payments after a cursor, of one order if asked."""
    query = select(Payment).where(Payment.number > after).order_by(Payment.number).limit(limit)
    if order_id is not None:
        query = query.where(Payment.order_id == order_id)
    return list(session.scalars(query))
