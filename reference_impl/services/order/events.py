"""The events that the order service emits, and its own view of those it reads."""

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
    """The order's stock is reserved (or another card was given): take the money."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    card: str


class OrderConfirmed(Payload):
    """The order is paid."""

    order_id: str
    attempt: int


class OrderCancelled(Payload):
    """The order is off, for good."""

    order_id: str
    reason: str
    after_decline: bool
    """Whether a declined payment came before it."""


class InventoryReservedView(Reading):
    """What the order service needs of InventoryReserved."""

    order_id: str


class InventoryRejectedView(Reading):
    """What the order service needs of InventoryRejected."""

    order_id: str


class PaymentCapturedView(Reading):
    """What the order service needs of PaymentCaptured."""

    order_id: str
    attempt: int


class PaymentDeclinedView(Reading):
    """What the order service needs of PaymentDeclined."""

    order_id: str
    attempt: int
    code: str
