"""What the other services' events mean for an order. The same in both variants: they differ in who asked, not in the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from reference_impl.services.order import events
from reference_impl.services.order.history import decisions
from reference_impl.services.order.history.decisions import Decision
from reference_impl.shared.events import Event, now


def _declined(event: Event, window: timedelta | None) -> Decision:
    payment = event.read(events.PaymentDeclinedView)
    return decisions.declined(
        payment.attempt,
        payment.code,
        final=payment.final,
        pay_by=None if window is None else now() + window,
        at_once=window is not None and not window,
    )


MEANING: Mapping[str, Callable[[Event, timedelta | None], Decision]] = {
    "InventoryReserved": lambda event, window: decisions.stock_reserved,
    "InventoryRejected": lambda event, window: decisions.stock_rejected,
    "InventoryReleased": lambda event, window: decisions.stock_returned,
    "PaymentAuthorised": lambda event, window: decisions.authorised(
        event.read(events.PaymentAuthorisedView).attempt
    ),
    "PaymentCaptured": lambda event, window: decisions.captured(event.read(events.PaymentCapturedView).attempt),
    "PaymentDeclined": _declined,
    "PaymentVoided": lambda event, window: decisions.money_returned,
    "PaymentRefunded": lambda event, window: decisions.money_returned,
    "ShipmentDispatched": lambda event, window: decisions.shipped,
    "ShipmentDelivered": lambda event, window: decisions.delivered,
    "ShipmentCancelled": lambda event, window: decisions.shipment_stopped,
}
"""Type of event → the decision it asks for; the second argument is how long a declined order waits for another card."""

ORDER_OF: Mapping[str, type[events.Reading]] = {
    "InventoryReserved": events.InventoryReservedView,
    "InventoryRejected": events.InventoryRejectedView,
    "InventorySold": events.InventorySoldView,
    "InventoryReleased": events.InventoryReleasedView,
    "PaymentAuthorised": events.PaymentAuthorisedView,
    "PaymentCaptured": events.PaymentCapturedView,
    "PaymentDeclined": events.PaymentDeclinedView,
    "PaymentVoided": events.PaymentVoidedView,
    "PaymentRefunded": events.PaymentRefundedView,
    "ShipmentCreated": events.ShipmentCreatedView,
    "ShipmentDispatched": events.ShipmentDispatchedView,
    "ShipmentDelivered": events.ShipmentDeliveredView,
    "ShipmentCancelled": events.ShipmentCancelledView,
}


def order_of(event: Event) -> str:
    """The order that an event is about. Raises pydantic's ValidationError."""
    return str(event.read(ORDER_OF[event.type]).model_dump()["order_id"])
