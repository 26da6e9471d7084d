"""The inventory service: owns stock and reservations, and never lets either go below zero."""

from reference_impl.services.inventory.building import build

__all__ = ["build"]
