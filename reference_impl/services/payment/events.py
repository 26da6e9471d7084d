"""The events that the payment service emits, and its own view of those it reads."""

from __future__ import annotations

from reference_impl.shared.events import Payload, Reading


class PaymentAuthorised(Payload):
    """The money of this attempt is set aside. Told in the orchestrated saga only: elsewhere the capture follows at once."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str


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
    final: bool
    """Whether this card will be declined whenever it is tried (a hard decline)."""


class PaymentVoided(Payload):
    """Nothing was taken for this order, and nothing will be."""

    order_id: str


class PaymentRefunded(Payload):
    """What was taken for this order is given back, and nothing more will be taken."""

    order_id: str
    amount_cents: int
    currency: str


class PaymentRequestedView(Reading):
    """What the payment service needs of PaymentRequested."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    card: str


class AuthorisePaymentView(Reading):
    """What the payment service needs of AuthorisePayment."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    card: str


class CapturePaymentView(Reading):
    """What the payment service needs of CapturePayment."""

    order_id: str
    attempt: int


class VoidPaymentView(Reading):
    """What the payment service needs of VoidPayment."""

    order_id: str


class RefundPaymentView(Reading):
    """What the payment service needs of RefundPayment."""

    order_id: str


class OrderCancelledView(Reading):
    """What the payment service needs of OrderCancelled."""

    order_id: str
