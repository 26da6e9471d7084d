"""What the product service does to its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.product.categories import by_slug
from reference_impl.services.product.events import ProductCreated, ProductPriceChanged, ProductUpdated
from reference_impl.services.product.metrics import CHANGES
from reference_impl.services.product.models import Product, filed_under
from reference_impl.shared.auth import Principal, forbidden
from reference_impl.shared.database import insert_into, table_of
from reference_impl.shared.events import now
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem

PATCHABLE = ("name", "description", "unit_price_cents", "currency")


@dataclass(frozen=True)
class NewRow:
    """A product to be added with many others."""

    sku: str
    name: str
    description: str
    unit_price_cents: int
    currency: str
    categories: Sequence[str]
    vendor_id: str | None


class ProductService:
    """The catalogue, within one session of the caller's."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox

    def add(
        self,
        who: Principal,
        *,
        sku: str,
        name: str,
        description: str,
        unit_price_cents: int,
        currency: str,
        categories: Sequence[str] = (),
        vendor_id: str | None = None,
    ) -> Product:
        """Put a new product into the catalogue; a vendor's own, unless an admin says whose.

        Raises Problem 403 for somebody else's, 409 when the SKU is taken, 422 for an unknown category.
        """
        if vendor_id is None and not who.everything:
            vendor_id = who.subject
        elif vendor_id is not None and not who.owns(vendor_id):
            raise forbidden("admin")
        product = Product(
            sku=sku,
            name=name,
            description=description,
            unit_price_cents=unit_price_cents,
            currency=currency,
            vendor_id=vendor_id,
            categories=by_slug(self._session, categories),
        )
        try:
            with self._session.begin_nested():
                self._session.add(product)
        except IntegrityError:
            detail = f"{sku} is in the catalogue already."
            raise Problem(409, "sku-taken", "This SKU is taken", detail, sku=sku) from None
        created = ProductCreated(
            sku=sku,
            name=name,
            unit_price_cents=unit_price_cents,
            currency=currency,
            vendor_id=vendor_id,
            product_version=product.version,
        )
        self._outbox.add(self._session, created, key=sku)
        CHANGES.labels("created").inc()
        return product

    def add_missing(self, wanted: Sequence[NewRow]) -> list[str]:
        """Put those products into the catalogue whose SKU is not taken; their SKUs. Raises Problem 422 for an unknown category.

        A few statements for all of them: a catalogue of thousands is filled in seconds.
        """
        slugs = sorted({slug for row in wanted for slug in row.categories})
        drawers = {category.slug: category.id for category in by_slug(self._session, slugs)}
        columns = ("sku", "name", "description", "unit_price_cents", "currency", "vendor_id")
        rows = {row.sku: row for row in sorted(wanted, key=lambda row: row.sku)}
        table = table_of(Product)
        added = (
            insert_into(self._session, table)
            .values([{name: getattr(row, name) for name in columns} for row in rows.values()])
            .on_conflict_do_nothing(index_elements=[table.c.sku])
            .returning(table.c.id, table.c.sku, table.c.version)
        )
        made = self._session.execute(added).all()
        filed = [
            {"product_id": product.id, "category_id": drawers[slug]}
            for product in made
            for slug in set(rows[product.sku].categories)
        ]
        if filed:
            self._session.execute(insert(filed_under), filed)
        self._outbox.add_all(
            self._session,
            {
                product.sku: ProductCreated(
                    sku=product.sku,
                    name=rows[product.sku].name,
                    unit_price_cents=rows[product.sku].unit_price_cents,
                    currency=rows[product.sku].currency,
                    vendor_id=rows[product.sku].vendor_id,
                    product_version=product.version,
                )
                for product in made
            },
        )
        CHANGES.labels("created").inc(len(made))
        return [product.sku for product in made]

    def get(self, sku: str) -> Product:
        """One product with its categories. Raises Problem 404, for a retired one too."""
        query = select(Product).where(Product.sku == sku, Product.retired.is_(False))
        product = self._session.scalar(
            query.options(selectinload(Product.categories)).execution_options(populate_existing=True)
        )
        if product is None:
            raise Problem(
                404, "unknown-product", "There is no such product", f"{sku} is not in the catalogue.", sku=sku
            )
        return product

    def update(
        self,
        who: Principal,
        sku: str,
        version: int | None,
        values: Mapping[str, Any],
        categories: Sequence[str] | None = None,
    ) -> Product:
        """Change fields of a product that still is at this version (None: whatever version it is at).

        Raises Problem 403 for somebody else's, 404, 412 when it has changed meanwhile, 422 for an unknown category.
        """
        before = self.get(sku)
        if not who.owns(before.vendor_id):
            raise forbidden("admin")
        old_price = (before.unit_price_cents, before.currency)
        changed = [field for field in PATCHABLE if field in values and values[field] != getattr(before, field)]
        self._advance(before, version, {field: values[field] for field in changed})
        product = self.get(sku)
        if categories is not None:
            filed = by_slug(self._session, categories)
            if {item.id for item in filed} != {item.id for item in product.categories}:
                product.categories = filed
                changed.append("categories")
                self._session.flush()
                product = self.get(sku)  # in the order of the catalogue, as everybody reads it
        self._tell(product, changed, retired=False)
        if old_price != (product.unit_price_cents, product.currency):
            priced = ProductPriceChanged(
                sku=sku,
                product_version=product.version,
                old_unit_price_cents=old_price[0],
                unit_price_cents=product.unit_price_cents,
                currency=product.currency,
            )
            self._outbox.add(self._session, priced, key=sku)
        CHANGES.labels("updated").inc()
        return product

    def retire(self, who: Principal, sku: str, version: int | None) -> None:
        """Take a product out of the catalogue. Raises as `update` does."""
        product = self.get(sku)
        if not who.owns(product.vendor_id):
            raise forbidden("admin")
        self._advance(product, version, {"retired": True})
        self._session.refresh(product, ["version"])
        self._tell(product, ["retired"], retired=True)
        CHANGES.labels("retired").inc()

    def page(self, *, after: int, limit: int, skus: Sequence[str] | None) -> list[Product]:
        """Products in catalogue order after a cursor; only those of `skus` when given: what many cost, by one query."""
        query = select(Product).where(Product.id > after, Product.retired.is_(False))
        if skus is not None:
            query = query.where(Product.sku.in_(skus))
        return list(self._session.scalars(query.order_by(Product.id).limit(limit)))

    def _advance(self, product: Product, version: int | None, values: Mapping[str, Any]) -> None:
        """Compare and set: of two who change the same version, the database lets one through."""
        changed = self._session.execute(
            update(Product)
            .where(
                Product.id == product.id, Product.version == (product.version if version is None else version)
            )
            .values(**values, version=Product.version + 1, updated_at=now())
            .returning(Product.version)
            .execution_options(synchronize_session=False)
        ).all()
        if not changed:
            CHANGES.labels("refused").inc()
            detail = f"{product.sku} is not what your If-Match names any more. Read it again, then repeat your change."
            raise Problem(
                412, "changed-meanwhile", "The product has changed meanwhile", detail, sku=product.sku
            )

    def _tell(self, product: Product, changed: list[str], *, retired: bool) -> None:
        event = ProductUpdated(
            sku=product.sku, product_version=product.version, changed=changed, retired=retired
        )
        self._outbox.add(self._session, event, key=product.sku)
