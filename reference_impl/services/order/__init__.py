"""The order service: owns orders and decides, alone, what state an order is in."""

from reference_impl.services.order.building import build

__all__ = ["build"]
