"""The order service's tables.

States of an order, and who moves it::

    PENDING ──InventoryReserved──► PAYMENT_PENDING ──PaymentCaptured──► CONFIRMED
       │                              │      ▲
       │                PaymentDeclined      │ another card (POST …/payment)
       │                              ▼      │
       │                           PAYMENT_DECLINED
       │ InventoryRejected, timeout,     │ the payment window has passed (builtin),
       ▼ the customer                    ▼ the customer or a consumer outside (POST …/cancellation)
    CANCELLED ◄──────────────────────────┘

CONFIRMED and CANCELLED are final. While a payment is under way (PAYMENT_PENDING) an order can't be cancelled: money may be
moving. Every other arrow that an event asks for is ignored, which is what makes late and repeated events harmless.
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


class OrderStatus(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_DECLINED = "payment_declined"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Order(Base):
    """What a customer wants, and what has become of it."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total_cents >= 0", name="total_not_negative"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts up; the cursor of pages."""
    id: Mapped[str] = mapped_column(String(32), unique=True)
    """What everybody else calls the order; the key of its events."""
    customer_id: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[OrderStatus] = mapped_column(
        stored_as_value(OrderStatus), default=OrderStatus.PENDING, index=True
    )
    attempt: Mapped[int] = mapped_column(default=0)
    """The payment attempt under way or last made; 0 before the first."""
    card: Mapped[str] = mapped_column(String(64))
    """The card token of the next or current attempt."""
    total_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str | None] = mapped_column(String(100))
    """Why it was declined or cancelled."""
    pay_by: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """Until when a declined order may still be paid; None when nobody here watches the clock."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)
    lines: Mapped[list[OrderLine]] = relationship(back_populates="order", order_by="OrderLine.id", lazy="raise")


class OrderLine(Base):
    """Some units of one product at the price of the day."""

    __tablename__ = "order_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[int] = mapped_column(ForeignKey("orders.number"), index=True)
    sku: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[int]
    unit_price_cents: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines", lazy="raise")
