"""The payment service: owns payments, talks to the gateway, and captures at most once an order."""

from reference_impl.services.payment.api import build

__all__ = ["build"]
