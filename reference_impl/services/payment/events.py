"""The events that the payment service emits, and its own view of the one it reads."""

from __future__ import annotations

from reference_impl.shared.events import Payload, Reading


class PaymentCaptured(Payload):
    """The money of this attempt is ours."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str


class PaymentDeclined(Payload):
    """The gateway refused this attempt; no money moved. Which units are reserved for the order is inventory's to say."""

    order_id: str
    attempt: int
    code: str


class PaymentRequestedView(Reading):
    """What the payment service needs of PaymentRequested."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    card: str
