"""The product service on PostgreSQL: two writers at one product, and what the planner does with a search."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects import postgresql

from reference_impl.services.product.api import OUTBOX
from reference_impl.services.product.models import Product
from reference_impl.services.product.search import PostgresScan, PostgresSearch, Search
from reference_impl.services.product.service import ProductService
from reference_impl.shared.auth import INTERNAL
from reference_impl.shared.database import Database
from reference_impl.shared.problems import Problem

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(make_server_shop: Any) -> Database:
    shop = make_server_shop()
    shop.stock("TEA", 1, cents=100)
    found: Database = next(
        service.database for service in shop.built.runtime.services if service.name == "product"
    )
    return found


def test_of_two_who_change_the_same_version_one_is_let_through(database: Database) -> None:
    """Both have read version 1 before either writes: the second waits for the first's row, and then finds no version 1."""
    both_have_read = threading.Barrier(2)

    class Waiting(ProductService):
        def get(self, sku: str) -> Product:
            found = super().get(sku)
            if not getattr(self, "_met", False):
                self._met = True
                both_have_read.wait(60)
            return found

    def change(cents: int) -> str:
        try:
            with database.write() as session:
                Waiting(session, OUTBOX).update(INTERNAL, "TEA", 1, {"unit_price_cents": cents})
        except Problem as problem:
            return problem.name
        return "changed"

    with ThreadPoolExecutor(2) as threads:
        outcomes = sorted(threads.map(change, (200, 300)))
    assert outcomes == ["changed", "changed-meanwhile"]
    with database.read() as session:
        assert session.scalars(select(Product.version)).all() == [2]


def plan(database: Database, search: Search) -> str:
    query, _rank = search.apply(select(Product.id), "kettle")
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    with database.read() as session:
        return "\n".join(session.scalars(text(f"EXPLAIN {compiled}".replace(":", r"\:"))))


def test_the_index_is_used_and_the_slow_query_really_has_none(database: Database) -> None:
    rows = [
        {"sku": f"P{number}", "name": f"Thing {number}", "unit_price_cents": 1, "description": "of no use"}
        for number in range(3000)
    ]
    with database.write() as session:
        session.execute(insert(Product), [*rows, {"sku": "K", "name": "Kettle", "unit_price_cents": 1}])
        session.execute(text("ANALYZE products"))
    assert "ix_products_search" in plan(database, PostgresSearch())
    slow = plan(database, PostgresScan())
    assert "Seq Scan on products" in slow
    assert "to_tsvector" in slow
    with database.read() as session:
        found, _rank = PostgresScan().apply(select(func.count()).select_from(Product), "kettle")
        assert session.scalar(found) == 1


def test_a_checkout_reads_its_prices_from_postgres(make_server_shop: Any) -> None:
    shop = make_server_shop()
    shop.stock("TEA", 5, cents=890)
    order = shop.place({"TEA": 2})
    shop.settle()
    assert (shop.status(order), shop.order(order)["total_cents"]) == ("confirmed", 1780)
    assert shop.counters("TEA") == (3, 0, 2)
