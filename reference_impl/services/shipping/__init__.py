"""The shipping service: owns shipments, at most one an order, and knows whether a parcel is still in the house."""

from reference_impl.services.shipping.api import build

__all__ = ["build"]
