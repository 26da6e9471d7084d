"""The product service's tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from reference_impl.shared.database import UtcDateTime
from reference_impl.shared.events import now


class Base(DeclarativeBase):
    """Everything this service owns."""


filed_under = Table(
    "product_categories",
    Base.metadata,
    Column("product_id", ForeignKey("products.id"), primary_key=True),
    Column("category_id", ForeignKey("categories.id"), primary_key=True, index=True),
)


class Category(Base):
    """A drawer of the catalogue; drawers stand in drawers."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    """Its name in addresses: unique in the whole tree."""
    name: Mapped[str] = mapped_column(String(80))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    path: Mapped[str] = mapped_column(String(250), index=True)
    """The slugs from the root to here, `/kitchen/kettles/`: everything below is found by its beginning."""


class Product(Base):
    """Something one can buy. What is in stock is not its business."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("unit_price_cents >= 0", name="price_not_negative"),
        Index("ix_products_price", "unit_price_cents", "id"),
        Index("ix_products_name", "name", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    """Position in the catalogue; the cursor of v1's pages, and what breaks ties in v2's."""
    sku: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    unit_price_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    vendor_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """The user who sells it and may change it; None: Meridian itself."""
    retired: Mapped[bool] = mapped_column(default=False)
    """Not sold any more. The row stays, because orders speak of it and its SKU must not come to mean something else."""
    version: Mapped[int] = mapped_column(default=1)
    """Goes up with every change: what an ETag names and a change compares with."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    categories: Mapped[list[Category]] = relationship(
        secondary=filed_under, order_by=Category.path, lazy="raise"
    )
