"""What the payment service does with which event: commands in the orchestrated saga, facts in the choreographed one.

Each notes what is wanted in the transaction of the inbox, and asks the gateway afterwards. When the process dies in
between, the reconciliation finds the note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from reference_impl.services.payment import events
from reference_impl.services.payment.service import PaymentService, Task
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Handler, Inbox
from reference_impl.shared.settings import Saga


class Handlers:
    """The event handlers of one payment service."""

    def __init__(self, service: PaymentService, database: Database, inbox: Inbox) -> None:
        self._service = service
        self._database = database
        self._inbox = inbox

    def of(self, variant: Saga) -> Mapping[str, Handler]:
        """The handlers of a variant, by type of event."""
        if variant is Saga.CHOREOGRAPHED:
            return {"PaymentRequested": self._requested, "OrderCancelled": self._cancelled}
        return {
            "AuthorisePayment": self._authorise,
            "CapturePayment": self._capture,
            "VoidPayment": self._void,
            "RefundPayment": self._refund,
        }

    def _requested(self, event: Event) -> None:
        self._request(event, event.read(events.PaymentRequestedView))

    def _authorise(self, event: Event) -> None:
        self._request(event, event.read(events.AuthorisePaymentView))

    def _cancelled(self, event: Event) -> None:
        self._close(event, event.read(events.OrderCancelledView).order_id)

    def _void(self, event: Event) -> None:
        self._close(event, event.read(events.VoidPaymentView).order_id)

    def _refund(self, event: Event) -> None:
        self._close(event, event.read(events.RefundPaymentView).order_id)

    def _request(self, event: Event, wanted: events.AuthorisePaymentView | events.PaymentRequestedView) -> None:
        self._once(event, lambda session: [self._service.request(session, wanted)])

    def _capture(self, event: Event) -> None:
        wanted = event.read(events.CapturePaymentView)
        self._once(
            event, lambda session: [self._service.want_capture(session, wanted.order_id, wanted.attempt)]
        )

    def _close(self, event: Event, order_id: str) -> None:
        self._once(event, lambda session: self._service.close(session, order_id))

    def _once(self, event: Event, note: Callable[[Session], Sequence[Task | None]]) -> None:
        with self._database.write() as session:
            if not self._inbox.note(session, event):
                return
            tasks = note(session)
        for task in tasks:
            self._service.advance(task)
