"""The event that the notification service emits, and its own view of those it reads."""

from __future__ import annotations

from datetime import datetime

from reference_impl.shared.events import Payload, Reading


class NotificationSent(Payload):
    """A channel took the message. Its key is the user's id; where it went and what it said is not for everybody."""

    notification_id: str
    user_id: str
    template: str
    channel: str


class UserRegisteredView(Reading):
    """What notification needs of UserRegistered."""

    user_id: str
    email: str
    name: str


class PasswordResetRequestedView(Reading):
    """What notification needs of PasswordResetRequested."""

    user_id: str
    token: str
    expires_at: datetime


class OrderCreatedView(Reading):
    """What notification needs of OrderCreated."""

    order_id: str
    customer_id: str | None


class OrderConfirmedView(Reading):
    """What notification needs of OrderConfirmed."""

    order_id: str
    total_cents: int
    currency: str


class OrderCancelledView(Reading):
    """What notification needs of OrderCancelled."""

    order_id: str
    reason: str


class PaymentDeclinedView(Reading):
    """What notification needs of PaymentDeclined."""

    order_id: str
    attempt: int
    code: str


class PaymentRefundedView(Reading):
    """What notification needs of PaymentRefunded."""

    order_id: str
    amount_cents: int
    currency: str


class ShipmentDispatchedView(Reading):
    """What notification needs of ShipmentDispatched."""

    order_id: str
    shipment_id: str
    carrier: str
    tracking_number: str


class ShipmentDeliveredView(Reading):
    """What notification needs of ShipmentDelivered."""

    order_id: str
    shipment_id: str
