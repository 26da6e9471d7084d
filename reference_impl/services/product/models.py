"""The product service's tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reference_impl.shared.database import UtcDateTime
from reference_impl.shared.events import now


class Base(DeclarativeBase):
    """Everything this service owns."""


class Product(Base):
    """Something one can buy. What is in stock is not its business."""

    __tablename__ = "products"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    """Position in the catalogue; the cursor of its pages."""
    sku: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    unit_price_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
