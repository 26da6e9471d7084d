"""The gateway: the only door to the outside. It owns no data and decides nothing about the business."""

from reference_impl.services.gateway.api import build

__all__ = ["build"]
