"""The product service: owns the catalogue and its prices."""

from reference_impl.services.product.api import build

__all__ = ["build"]
