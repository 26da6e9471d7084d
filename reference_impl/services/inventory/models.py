"""The inventory service's tables.

Two books describe the same units and must agree: the counters of each SKU, and the lines that say which order holds what.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from reference_impl.shared.database import UtcDateTime, stored_as_value
from reference_impl.shared.events import now


class Base(DeclarativeBase):
    """Everything this service owns."""


class ReservationState(StrEnum):
    """What became of an order's claim on stock."""

    HELD = "held"
    """Its units are reserved."""
    REJECTED = "rejected"
    """There was too little of something; nothing is reserved."""
    SOLD = "sold"
    RELEASED = "released"
    """Its units are available again, because Meridian released them."""
    EXPIRED = "expired"
    """Its units are available again, because nobody confirmed or cancelled the order in time."""
    CANCELLED_FIRST = "cancelled_first"
    """The order's cancellation arrived before the order did: whatever comes later reserves nothing."""


class Stock(Base):
    """The counters of one SKU. available + reserved + sold = stocked."""

    __tablename__ = "stock"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available_not_negative"),
        CheckConstraint("reserved >= 0", name="reserved_not_negative"),
        CheckConstraint("sold >= 0", name="sold_not_negative"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(32), unique=True)
    stocked: Mapped[int] = mapped_column(default=0)
    """Units ever received, less those sent back."""
    available: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)
    """Units promised to orders that are not paid yet."""
    sold: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=0)
    """Goes up with every change."""


class Reservation(Base):
    """One order's claim on stock: at most one an order, whatever is delivered twice."""

    __tablename__ = "reservations"

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[ReservationState] = mapped_column(stored_as_value(ReservationState))
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """When its units become available again if it is still held; None: never."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)
    lines: Mapped[list[ReservationLine]] = relationship(
        back_populates="reservation", order_by="ReservationLine.sku", lazy="raise"
    )


class ReservationLine(Base):
    """The units of one SKU that an order claimed, and where they are: quantity = outstanding + released + sold."""

    __tablename__ = "reservation_lines"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("reservations.order_id"), index=True)
    sku: Mapped[str] = mapped_column(String(32), index=True)
    quantity: Mapped[int]
    released: Mapped[int] = mapped_column(default=0)
    sold: Mapped[int] = mapped_column(default=0)
    reservation: Mapped[Reservation] = relationship(back_populates="lines", lazy="raise")

    @property
    def outstanding(self) -> int:
        """Units still reserved for the order; negative when more was released than was ever held."""
        return self.quantity - self.released - self.sold


class Movement(Base):
    """One change of one SKU's counters: the audit trail."""

    __tablename__ = "movements"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(32), index=True)
    delta_stocked: Mapped[int] = mapped_column(default=0)
    delta_available: Mapped[int] = mapped_column(default=0)
    delta_reserved: Mapped[int] = mapped_column(default=0)
    delta_sold: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(100))
    order_id: Mapped[str | None] = mapped_column(String(32), index=True)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
