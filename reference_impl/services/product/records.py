"""A product as the service itself passes it on and caches it: what every version of the API is made from."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from reference_impl.services.product.models import Product


class CategoryRecord(BaseModel):
    """Where a product is filed."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    slug: str
    name: str
    path: str


class ProductRecord(BaseModel):
    """One product, with its categories."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: int
    sku: str
    name: str
    description: str
    unit_price_cents: int
    currency: str
    vendor_id: str | None
    categories: list[CategoryRecord]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, product: Product) -> ProductRecord:
        """The record of a row whose categories are loaded."""
        return cls.model_validate(product)
