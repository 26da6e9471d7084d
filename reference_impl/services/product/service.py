"""What the product service does."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from reference_impl.services.product.models import Product
from reference_impl.shared.problems import Problem


class ProductService:
    """The catalogue, within one session of the caller's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *, sku: str, name: str, description: str, unit_price_cents: int, currency: str) -> Product:
        """Put a new product into the catalogue. Raises Problem 409 when the SKU is taken."""
        if self._session.scalar(select(Product).where(Product.sku == sku)) is not None:
            raise Problem(409, "sku-taken", "This SKU is taken", f"{sku} is in the catalogue already.", sku=sku)
        product = Product(
            sku=sku, name=name, description=description, unit_price_cents=unit_price_cents, currency=currency
        )
        self._session.add(product)
        self._session.flush()
        return product

    def get(self, sku: str) -> Product:
        """One product. Raises Problem 404."""
        product = self._session.scalar(select(Product).where(Product.sku == sku))
        if product is None:
            raise Problem(
                404, "unknown-product", "There is no such product", f"{sku} is not in the catalogue.", sku=sku
            )
        return product

    def page(self, *, after: int, limit: int, skus: Sequence[str] | None) -> list[Product]:
        """Products in catalogue order after a cursor; only those of `skus` when given."""
        query = select(Product).where(Product.id > after).order_by(Product.id).limit(limit)
        if skus is not None:
            query = query.where(Product.sku.in_(skus))
        return list(self._session.scalars(query))
