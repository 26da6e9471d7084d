"""Reading the catalogue: one product through the cache, many by search, filters and cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import selectinload

from reference_impl.services.product.categories import all_categories
from reference_impl.services.product.cursors import Cursor
from reference_impl.services.product.metrics import CACHE_READS, SEARCHES
from reference_impl.services.product.models import Category, Product, filed_under
from reference_impl.services.product.records import CategoryRecord, ProductRecord
from reference_impl.services.product.search import best_for, worst_for
from reference_impl.services.product.service import ProductService
from reference_impl.shared.cache import Cache
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id
from reference_impl.shared.faults import Faults
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem
from reference_impl.shared.single_flight import SingleFlight


class Sort(StrEnum):
    """The order of a list."""

    RELEVANCE = "relevance"
    """Best match first; only with a search text."""
    CATALOGUE = "catalogue"
    """Oldest first."""
    NEWEST = "newest"
    NAME = "name"
    CHEAPEST = "price"
    DEAREST = "-price"


@dataclass(frozen=True)
class Wanted:
    """What a list shall have."""

    words: str | None = None
    category: str | None = None
    """The slug of a category; what is filed below it counts too."""
    vendor: str | None = None
    least_cents: int | None = None
    most_cents: int | None = None
    currency: str | None = None
    sort: Sort | None = None
    """None: by relevance with a search text, else as in the catalogue."""


class Catalogue:
    """The reading side of the service."""

    def __init__(
        self, database: Database, outbox: Outbox, cache: Cache, faults: Faults, *, cache_seconds: float
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._faults = faults
        self._indexed = best_for(database)
        self._scan = worst_for(database)
        self._flight = SingleFlight(
            cache,
            ttl_seconds=cache_seconds,
            protected=lambda: not faults.hits("product.stampede", new_id()),
            observe=lambda read: CACHE_READS.labels(read).inc(),
        )

    def read(self, sku: str) -> ProductRecord:
        """One product, as it was at most `cache_seconds` ago. Raises Problem 404."""
        return ProductRecord.model_validate_json(self._flight.get(_key(sku), lambda: self._load(sku)))

    def forget(self, sku: str) -> None:
        """This product has changed."""
        self._flight.invalidate(_key(sku))

    def find(self, wanted: Wanted, *, limit: int, cursor: str | None) -> tuple[list[ProductRecord], str | None]:
        """A page of what is wanted, and the cursor of the next one. Raises Problem 422."""
        words = (wanted.words or "").replace("\0", " ").strip()
        sort = wanted.sort or (Sort.RELEVANCE if words else Sort.CATALOGUE)
        if sort is Sort.RELEVANCE and not words:
            raise Problem(
                422, "nothing-to-rank", "There is no search text to sort by", "Send `q`, or another sort."
            )
        query: Select[Any] = _filtered(select(Product), wanted)
        key, descending, kind = _SORTS[sort]
        slow = bool(words) and self._faults.hits("product.slow-query", new_id())
        search = self._scan if slow else self._indexed
        if words:
            query, rank = search.apply(query, words)
            key = rank if sort is Sort.RELEVANCE else key
        belongs_to = f"{wanted!r}{sort}"
        if cursor is not None:
            place = Cursor.decode(cursor, belongs_to, kind)
            query = query.where(_behind(key, place, descending))
        first = key.desc() if descending else key.asc()
        query = query.add_columns(key).order_by(first, Product.id).limit(limit + 1)
        with self._database.read() as session:
            options = selectinload(Product.categories)
            if words:
                with SEARCHES.labels(search.plan).time():
                    rows = session.execute(query.options(options)).all()
            else:
                rows = session.execute(query.options(options)).all()
            records = [ProductRecord.of(row[0]) for row in rows[:limit]]
        if len(rows) <= limit:
            return records, None
        return records, Cursor(rows[limit - 1][1], records[-1].id).encode(belongs_to)

    def many(self, *, after: int, limit: int, skus: Sequence[str] | None) -> list[Product]:
        """Products in catalogue order, past the cache: what an order is charged comes from the table, never from a copy."""
        with self._database.read() as session:
            return ProductService(session, self._outbox).page(after=after, limit=limit, skus=skus)

    def categories(self) -> list[CategoryRecord]:
        """Every category, parents before their children."""
        with self._database.read() as session:
            return [CategoryRecord.model_validate(category) for category in all_categories(session)]

    def _load(self, sku: str) -> bytes:
        with self._database.read() as session:
            return ProductRecord.of(ProductService(session, self._outbox).get(sku)).model_dump_json().encode()


_SORTS: dict[Sort, tuple[Any, bool, type[int] | type[str]]] = {
    Sort.RELEVANCE: (None, True, int),  # the column depends on the search
    Sort.CATALOGUE: (Product.id, False, int),
    Sort.NEWEST: (Product.id, True, int),
    Sort.NAME: (Product.name, False, str),
    Sort.CHEAPEST: (Product.unit_price_cents, False, int),
    Sort.DEAREST: (Product.unit_price_cents, True, int),
}


def _filtered(query: Select[Any], wanted: Wanted) -> Select[Any]:
    query = query.where(Product.retired.is_(False))
    if wanted.category is not None:
        top = select(Category.path).where(Category.slug == wanted.category).scalar_subquery()
        below = (
            select(filed_under.c.product_id)
            .join(Category, Category.id == filed_under.c.category_id)
            .where(Category.path.like(top.concat("%")))
        )
        query = query.where(Product.id.in_(below))
    if wanted.vendor is not None:
        query = query.where(Product.vendor_id == wanted.vendor)
    if wanted.least_cents is not None:
        query = query.where(Product.unit_price_cents >= wanted.least_cents)
    if wanted.most_cents is not None:
        query = query.where(Product.unit_price_cents <= wanted.most_cents)
    if wanted.currency is not None:
        query = query.where(Product.currency == wanted.currency)
    return query


def _behind(key: Any, place: Cursor, descending: bool) -> Any:
    """The rows behind a place, ties in the order of their ids."""
    further = key < place.key if descending else key > place.key
    return or_(further, and_(key == place.key, Product.id > place.id))


def _key(sku: str) -> str:
    return f"product:{sku}"
