"""The shipping service's tables.

The states of a shipment; only the first one can still be cancelled::

    CREATED ──► DISPATCHED ──► IN_TRANSIT ──► DELIVERED
       └──► CANCELLED

An order that is cancelled before anybody asked to send it gets a row, too, CANCELLED from its beginning: whatever comes
late then finds it and sends nothing.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from reference_impl.shared.database import UtcDateTime, stored_as_value
from reference_impl.shared.events import new_id, now


class Base(DeclarativeBase):
    """Everything this service owns."""


class ShipmentState(StrEnum):
    """Where a parcel is."""

    CREATED = "created"
    """Being packed."""
    DISPATCHED = "dispatched"
    """With a label on it, out of our hands."""
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Shipment(Base):
    """What is sent for one order: at most one, whatever is delivered twice."""

    __tablename__ = "shipments"
    __table_args__ = (
        Index("ix_shipments_due", "due_at"),
        Index("ix_shipments_customer", "customer_id", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts shipments: the cursor of pages, and what tracking numbers are made from."""
    id: Mapped[str] = mapped_column(String(32), unique=True, default=new_id)
    order_id: Mapped[str] = mapped_column(String(32), unique=True)
    """Unique: the database itself refuses a second shipment."""
    customer_id: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[ShipmentState] = mapped_column(stored_as_value(ShipmentState))
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What is in the parcel, each as {"sku", "quantity"}; empty when nothing was ever to be sent."""
    zone: Mapped[str | None] = mapped_column(String(16))
    weight_grams: Mapped[int | None] = mapped_column(BigInteger)
    carrier: Mapped[str | None] = mapped_column(String(32))
    """Who carries it, or is asked to; None: there is nothing to carry."""
    rate_cents: Mapped[int | None] = mapped_column(BigInteger)
    tracking_number: Mapped[str | None] = mapped_column(String(13), unique=True)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a carrier was asked in vain."""
    last_error: Mapped[str | None] = mapped_column(String(200))
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the clock moves it on; None: never again."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)
    history: Mapped[list[TrackingEntry]] = relationship(order_by="TrackingEntry.id", lazy="raise")


class TrackingEntry(Base):
    """One thing that happened to a parcel, as its receiver reads it."""

    __tablename__ = "tracking_entries"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    shipment_number: Mapped[int] = mapped_column(ForeignKey("shipments.number"), index=True)
    state: Mapped[ShipmentState] = mapped_column(stored_as_value(ShipmentState))
    happened_at: Mapped[datetime] = mapped_column(UtcDateTime)
