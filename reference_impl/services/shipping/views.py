"""Shipments as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from reference_impl.services.shipping.carriers import Zone
from reference_impl.services.shipping.models import ShipmentState
from reference_impl.shared.types import Line, View


class ShipmentView(View):
    """What is sent for one order."""

    id: str
    order_id: str
    customer_id: str | None
    state: ShipmentState
    lines: Annotated[list[Line], Field(description="Empty when the order was cancelled before its shipment.")]
    zone: Zone | None
    weight_grams: int | None
    carrier: str | None
    rate_cents: Annotated[int | None, Field(description="What the carrier takes from us.")]
    tracking_number: Annotated[str | None, Field(description="From the dispatch on.")]
    attempts: Annotated[int, Field(description="How often a carrier was asked in vain.")]
    last_error: str | None
    created_at: datetime
    updated_at: datetime


class ShipmentPage(View):
    """Some shipments, and where to go on."""

    shipments: list[ShipmentView]
    next: int | None


class TrackingEntryView(View):
    """One thing that happened to a parcel."""

    state: ShipmentState
    happened_at: datetime


class TrackingView(View):
    """A parcel's way so far."""

    shipment_id: str
    order_id: str
    state: ShipmentState
    carrier: str | None
    tracking_number: str | None
    expected_at: Annotated[
        datetime | None,
        Field(description="When it will arrive, once it is with a carrier; null before and after."),
    ]
    history: list[TrackingEntryView]
