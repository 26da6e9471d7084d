"""The events that the product service emits, and its own view of those it reads: they are its own."""

from __future__ import annotations

from reference_impl.shared.events import Payload, Reading


class ProductCreated(Payload):
    """A product is in the catalogue."""

    sku: str
    name: str
    unit_price_cents: int
    currency: str
    vendor_id: str | None
    product_version: int


class ProductUpdated(Payload):
    """Something about a product is different, its price perhaps: what others have copied of it is old."""

    sku: str
    product_version: int
    changed: list[str]
    """The names of the fields, as in v1."""
    retired: bool


class ProductPriceChanged(Payload):
    """A product costs something else from now on. ProductUpdated says so, too; this one has the numbers."""

    sku: str
    product_version: int
    old_unit_price_cents: int
    unit_price_cents: int
    currency: str


class ProductUpdatedView(Reading):
    """What is needed to forget a product."""

    sku: str


class ProductPriceChangedView(Reading):
    """What is needed to forget a product."""

    sku: str
