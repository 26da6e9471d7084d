"""The events that the order service emits, and its own view of those it reads.

Facts are told in both variants of the saga. Commands, events whose name is an order, are only given by the orchestrated
one, except for CancelShipment, which asks a question that only shipping can answer.
"""

from __future__ import annotations

from reference_impl.shared.events import Payload, Reading
from reference_impl.shared.types import Line


class OrderCreated(Payload):
    """A customer has placed an order."""

    order_id: str
    customer_id: str | None
    lines: list[Line]
    total_cents: int
    currency: str


class PaymentRequested(Payload):
    """The order's stock is reserved (or another card was given): the money is due."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    card: str


class OrderConfirmed(Payload):
    """The order is paid."""

    order_id: str
    attempt: int
    customer_id: str | None
    lines: list[Line]
    total_cents: int
    currency: str


class OrderCancelled(Payload):
    """The order is off, for good."""

    order_id: str
    reason: str
    after_decline: bool
    """Whether a declined payment came before it."""
    customer_id: str | None


class ReserveInventory(Payload):
    """Reserve all of these units or none. Answered by InventoryReserved or InventoryRejected."""

    order_id: str
    lines: list[Line]


class ReleaseInventory(Payload):
    """Put back whatever is reserved for or sold to this order, now and later. Answered by InventoryReleased."""

    order_id: str


class AuthorisePayment(Payload):
    """Have this amount set aside. Answered by PaymentAuthorised or PaymentDeclined."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    card: str


class CapturePayment(Payload):
    """Take what was set aside. Answered by PaymentCaptured or PaymentDeclined."""

    order_id: str
    attempt: int


class VoidPayment(Payload):
    """Let go of what is set aside, and take nothing for this order any more. Answered by PaymentVoided or PaymentRefunded."""

    order_id: str


class RefundPayment(Payload):
    """Give back what was taken, and take nothing for this order any more. Answered by PaymentRefunded or PaymentVoided."""

    order_id: str


class CreateShipment(Payload):
    """Send these units. Answered by ShipmentCreated, and later by ShipmentDispatched and ShipmentDelivered."""

    order_id: str
    customer_id: str | None
    lines: list[Line]


class CancelShipment(Payload):
    """Keep it in the house if it still is. Answered by ShipmentCancelled or, when it has left, by ShipmentDispatched."""

    order_id: str


class InventoryReservedView(Reading):
    """What the order service needs of InventoryReserved."""

    order_id: str


class InventoryRejectedView(Reading):
    """What the order service needs of InventoryRejected."""

    order_id: str


class InventorySoldView(Reading):
    """What the order service needs of InventorySold."""

    order_id: str


class InventoryReleasedView(Reading):
    """What the order service needs of InventoryReleased."""

    order_id: str


class PaymentAuthorisedView(Reading):
    """What the order service needs of PaymentAuthorised."""

    order_id: str
    attempt: int


class PaymentCapturedView(Reading):
    """What the order service needs of PaymentCaptured."""

    order_id: str
    attempt: int


class PaymentDeclinedView(Reading):
    """What the order service needs of PaymentDeclined."""

    order_id: str
    attempt: int
    code: str
    final: bool = False
    """Missing in events of before there was a difference."""


class PaymentVoidedView(Reading):
    """What the order service needs of PaymentVoided."""

    order_id: str


class PaymentRefundedView(Reading):
    """What the order service needs of PaymentRefunded."""

    order_id: str


class ShipmentCreatedView(Reading):
    """What the order service needs of ShipmentCreated."""

    order_id: str


class ShipmentDispatchedView(Reading):
    """What the order service needs of ShipmentDispatched."""

    order_id: str


class ShipmentDeliveredView(Reading):
    """What the order service needs of ShipmentDelivered."""

    order_id: str


class ShipmentCancelledView(Reading):
    """What the order service needs of ShipmentCancelled."""

    order_id: str
