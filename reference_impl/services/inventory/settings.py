"""The inventory service's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reference_impl.shared.settings import Section


class InventorySettings(Section):
    """Each as `MERIDIAN_INVENTORY_<NAME>`."""

    section = "inventory"

    reservation_seconds: Annotated[float, Field(ge=0, le=604_800)] = 900.0
    """How long reserved units wait, after the payment window, for an order that nobody confirms or cancels; 0: for ever."""
    low_stock_units: Annotated[int, Field(ge=0, le=1_000_000)] = 5
    """With so many units available, or fewer, a SKU runs low."""
