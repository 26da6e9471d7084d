"""What the payment service does with which event: commands in the orchestrated saga, facts in the choreographed one.

Each notes what is wanted in the transaction of the inbox, and asks the gateway afterwards. When the process dies in
between, the reconciliation finds the note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from reference_impl.services.payment import events
from reference_impl.services.payment.service import PaymentService, Task
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Effect, Handler, Inbox
from reference_impl.shared.settings import Saga


class Handlers:
    """The event handlers of one payment service."""

    def __init__(self, service: PaymentService, database: Database, inbox: Inbox) -> None:
        self._service = service
        self._database = database
        self._inbox = inbox

    def of(self, variant: Saga) -> Mapping[str, Handler]:
        """The handlers of a variant, by type of event."""
        effects: dict[str, Effect]
        if variant is Saga.CHOREOGRAPHED:
            effects = {"PaymentRequested": self._requested, "OrderCancelled": self._cancelled}
        else:
            effects = {
                "AuthorisePayment": self._authorise,
                "CapturePayment": self._capture,
                "VoidPayment": self._void,
                "RefundPayment": self._refund,
            }
        return {
            name: self._inbox.once(self._database, effect, after=self._advance)
            for name, effect in effects.items()
        }

    def _requested(self, session: Session, event: Event) -> list[Task]:
        return self._service.request(session, event.read(events.PaymentRequestedView))

    def _authorise(self, session: Session, event: Event) -> list[Task]:
        return self._service.request(session, event.read(events.AuthorisePaymentView))

    def _capture(self, session: Session, event: Event) -> list[Task]:
        wanted = event.read(events.CapturePaymentView)
        return self._service.want_capture(session, wanted.order_id, wanted.attempt)

    def _cancelled(self, session: Session, event: Event) -> list[Task]:
        return self._service.close(session, event.read(events.OrderCancelledView).order_id)

    def _void(self, session: Session, event: Event) -> list[Task]:
        return self._service.close(session, event.read(events.VoidPaymentView).order_id)

    def _refund(self, session: Session, event: Event) -> list[Task]:
        return self._service.close(session, event.read(events.RefundPaymentView).order_id)

    def _advance(self, noted: Sequence[list[Task]]) -> None:
        self._service.advance([task for tasks in noted for task in tasks])
