"""Changing the catalogue: one transaction each, then the cache of this process is told at once, and everybody's by the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from reference_impl.services.product.catalogue import Catalogue
from reference_impl.services.product.categories import add_category
from reference_impl.services.product.models import Category
from reference_impl.services.product.records import ProductRecord
from reference_impl.services.product.service import NewRow, ProductService
from reference_impl.shared.auth import Principal
from reference_impl.shared.database import Database
from reference_impl.shared.idempotency import IdempotencyKeys
from reference_impl.shared.outbox import Outbox


class Changes:
    """The writing side of the service."""

    def __init__(self, database: Database, outbox: Outbox, keys: IdempotencyKeys, catalogue: Catalogue) -> None:
        self._database = database
        self._outbox = outbox
        self._keys = keys
        self._catalogue = catalogue

    def add(
        self, who: Principal, request: BaseModel, values: Mapping[str, Any], key: str | None
    ) -> tuple[ProductRecord, bool]:
        """Add a product; whether that had been done under this key before. Raises as `ProductService.add`."""
        with self._database.write() as session:
            return self._keys.once(
                session,
                scope=f"POST /products {who.subject}"[:80],
                key=key,
                request=request,
                answer=ProductRecord,
                act=lambda: ProductRecord.of(ProductService(session, self._outbox).add(who, **values)),
            )

    def add_missing(self, wanted: Sequence[NewRow]) -> list[str]:
        """Add those that are not there yet. Raises as `ProductService.add_missing`."""
        with self._database.write() as session:
            return ProductService(session, self._outbox).add_missing(wanted)

    def update(
        self,
        who: Principal,
        sku: str,
        version: int | None,
        values: Mapping[str, Any],
        categories: Sequence[str] | None,
    ) -> ProductRecord:
        """Change a product that is still at this version. Raises as `ProductService.update`."""
        with self._database.write() as session:
            service = ProductService(session, self._outbox)
            record = ProductRecord.of(service.update(who, sku, version, values, categories))
        self._catalogue.forget(sku)
        return record

    def retire(self, who: Principal, sku: str, version: int | None) -> None:
        """Take a product out of the catalogue. Raises as `ProductService.retire`."""
        with self._database.write() as session:
            ProductService(session, self._outbox).retire(who, sku, version)
        self._catalogue.forget(sku)

    def add_category(self, *, slug: str, name: str, parent: str | None) -> Category:
        """Add a category. Raises as `categories.add_category`."""
        with self._database.write() as session:
            return add_category(session, slug=slug, name=name, parent=parent)
