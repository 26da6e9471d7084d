"""What the payment service counts, after the commit."""

from __future__ import annotations

from prometheus_client import Counter

CAPTURED = Counter("meridian_payment_captured_total", "Payments whose money was taken.")
CAPTURED_CENTS = Counter("meridian_payment_captured_cents_total", "Money taken, by currency.", ["currency"])
REFUNDED = Counter("meridian_payment_refunded_total", "Payments whose money was given back.")
VOIDED = Counter("meridian_payment_voided_total", "Payments that were let go before any money was taken.")
DECLINED = Counter("meridian_payment_declined_total", "Declined payments, by the gateway's code.", ["code"])
UNKNOWN = Counter(
    "meridian_payment_unknown_outcome_total", "Calls that the gateway did not answer.", ["operation"]
)
WEBHOOKS = Counter("meridian_payment_webhooks_total", "Webhooks, by what became of them.", ["result"])
