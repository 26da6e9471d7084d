"""The shipping service's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from reference_impl.shared.settings import Section

Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]


class ShippingSettings(Section):
    """Each as `MERIDIAN_SHIPPING_<NAME>`; times are in seconds, short ones, so that one can watch a parcel arrive."""

    section: ClassVar[str] = "shipping"

    pack_seconds: Seconds = 20.0
    """How long an order is packed: as long it can be cancelled."""
    handover_seconds: Seconds = 10.0
    """How long a dispatched parcel waits for the carrier's van."""
    transit_seconds: Seconds = 30.0
    """How long a parcel travels within the same city; twice as long in the country, four times abroad."""
    retry_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """How long to wait before a carrier that was away is asked again; each time twice as long."""
    longest_retry_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """The longest such wait."""
    tries_each_carrier: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a carrier is asked before the next cheapest one is."""
