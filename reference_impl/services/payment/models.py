"""The payment service's tables."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reference_impl.shared.database import UtcDateTime, stored_as_value
from reference_impl.shared.events import now


class Base(DeclarativeBase):
    """Everything this service owns."""


class PaymentStatus(StrEnum):
    """How far a payment attempt got."""

    REQUESTED = "requested"
    """The gateway was asked, or is about to be; after a crash it is asked again under the same key."""
    CAPTURED = "captured"
    DECLINED = "declined"


class Payment(Base):
    """One attempt to take the money of one order."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "attempt", name="one_row_an_attempt"),
        Index(
            "one_capture_an_order",
            "order_id",
            unique=True,
            sqlite_where=text("status = 'captured'"),
            postgresql_where=text("status = 'captured'"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts up; the cursor of pages."""
    order_id: Mapped[str] = mapped_column(String(32), index=True)
    attempt: Mapped[int]
    amount_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[PaymentStatus] = mapped_column(
        stored_as_value(PaymentStatus), default=PaymentStatus.REQUESTED
    )
    gateway_reference: Mapped[str | None] = mapped_column(String(64))
    """The gateway's name for the authorisation."""
    decline_code: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)
