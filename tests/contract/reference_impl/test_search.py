"""What a search promises, whatever is underneath: PostgreSQL's index, SQLite's, or a scan of the table."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_impl.services.product.api import OUTBOX
from reference_impl.services.product.catalogue import Catalogue, Sort, Wanted
from reference_impl.services.product.models import Base, Category, Product
from reference_impl.services.product.search import (
    Fts5Search,
    LikeScan,
    PostgresScan,
    PostgresSearch,
    Search,
    best_for,
)
from reference_impl.shared.caches.memory import MemoryCache
from reference_impl.shared.database import Database
from reference_impl.shared.faults import Faults
from reference_impl.shared.problems import Problem
from reference_impl.shared.settings import Settings

GOODS = (
    ("KETTLE-1L", "Steel kettle", "Boils one litre of water in three minutes.", 4_900, "kettles"),
    ("KETTLE-GOOSE", "Gooseneck kettle", "Steel, for filter coffee.", 7_900, "kettles"),
    ("MUG-BLUE", "Blue stoneware mug", "Holds tea or coffee, 300 ml.", 1_250, "kitchen"),
    ("TEA-ASSAM", "Assam tea", "Strong black tea, 250 g.", 890, "pantry"),
    ("TEA-SENCHA", "Sencha tea", "Green tea from Japan.", 1_490, "pantry"),
    ("LAMP-DESK", "Desk lamp", "100% linen shade, under_score and all.", 5_900, None),
)


@pytest.fixture(scope="module", autouse=True)
def unhurried() -> Iterator[None]:
    """A server that stands still for some seconds does not fail a search."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reference_impl.shared.database.LOCK_SECONDS", 60.0)
        patch.setattr("reference_impl.shared.postgres.CONNECT_SECONDS", 60)
        yield


def databases(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    if kind == "sqlite":
        made = Database.in_directory(folder, "product", Base.metadata)
        yield made
        made.close()
        return
    server: Any = request.getfixturevalue("postgres")
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={server.socket_dir}"
    made = Database.of(
        Settings(database_url=url, database_prefix=prefix, database_pool=4), "product", Base.metadata
    )
    yield made
    made.close()
    with server.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE "{prefix}_product" WITH (FORCE)')


SEARCHES = [
    pytest.param(("sqlite", Fts5Search()), id="fts5"),
    pytest.param(("sqlite", LikeScan()), id="like"),
    pytest.param(("postgres", PostgresSearch()), id="gin", marks=pytest.mark.postgres),
    pytest.param(("postgres", PostgresScan()), id="unindexed", marks=pytest.mark.postgres),
]


@pytest.fixture(scope="module", params=SEARCHES)
def catalogue(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    kind, search = request.param
    for database in databases(kind, request, tmp_path_factory.mktemp("search")):
        made = Catalogue(database, OUTBOX, MemoryCache(), Faults(1), cache_seconds=60)
        made._indexed = search
        with database.write() as session:
            kitchen = Category(slug="kitchen", name="Kitchen", path="/kitchen/")
            session.add(kitchen)
            session.flush()
            drawers: dict[str | None, Category] = {
                "kitchen": kitchen,
                "kettles": Category(
                    slug="kettles", name="Kettles", path="/kitchen/kettles/", parent_id=kitchen.id
                ),
                "pantry": Category(slug="pantry", name="Pantry", path="/pantry/"),
            }
            for sku, name, description, cents, drawer in GOODS:
                filed = [drawers[drawer]] if drawer else []
                session.add(
                    Product(
                        sku=sku, name=name, description=description, unit_price_cents=cents, categories=filed
                    )
                )
            retired = Product(sku="OLD", name="Old kettle", unit_price_cents=1, retired=True)
            session.add(retired)
        yield made


def found(catalogue: Catalogue, limit: int = 50, **wanted: Any) -> list[str]:
    return [record.sku for record in catalogue.find(Wanted(**wanted), limit=limit, cursor=None)[0]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kettle", {"KETTLE-1L", "KETTLE-GOOSE"}),
        ("KETTLE steel", {"KETTLE-1L", "KETTLE-GOOSE"}),
        ("tea or lamp", {"MUG-BLUE", "TEA-ASSAM", "TEA-SENCHA", "LAMP-DESK"}),
        ("tea -coffee", {"TEA-ASSAM", "TEA-SENCHA"}),
        ('"steel kettle"', {"KETTLE-1L"}),
        ('"filter coffee" or "desk lamp"', {"KETTLE-GOOSE", "LAMP-DESK"}),
        ("unicorn", set()),
        ("kettle unicorn", set()),
        ("!!!", set()),
        ("%", set()),
        ("e%e", set()),
    ],
)
def test_what_is_found(catalogue: Catalogue, words: str, expected: set[str]) -> None:
    assert set(found(catalogue, words=words)) == expected


@pytest.mark.parametrize(
    "words", ['"', "' OR 1=1 --", "tea AND (", "NEAR(a b)", "name:tea*", "a\0b", "-", "or or", "\\", "x" * 5000]
)
def test_no_text_is_an_error(catalogue: Catalogue, words: str) -> None:
    found(catalogue, words=words)


def test_a_match_in_the_name_comes_first(catalogue: Catalogue) -> None:
    assert found(catalogue, words="tea")[-1] == "MUG-BLUE"


def test_search_and_filters_hold_together(catalogue: Catalogue) -> None:
    assert found(catalogue, words="kettle", most_cents=5_000) == ["KETTLE-1L"]
    assert found(catalogue, words="coffee", category="kitchen", sort=Sort.CHEAPEST) == [
        "MUG-BLUE",
        "KETTLE-GOOSE",
    ]
    assert found(catalogue, words="coffee", category="pantry") == []


def test_a_category_holds_what_is_below_it(catalogue: Catalogue) -> None:
    assert found(catalogue, category="kitchen") == ["KETTLE-1L", "KETTLE-GOOSE", "MUG-BLUE"]
    assert found(catalogue, category="kettles") == ["KETTLE-1L", "KETTLE-GOOSE"]
    assert found(catalogue, category="unknown") == []


@pytest.mark.parametrize("sort", list(Sort))
def test_pages_of_every_order_follow_without_gap_or_overlap(catalogue: Catalogue, sort: Sort) -> None:
    wanted = Wanted(words="tea or kettle or lamp" if sort is Sort.RELEVANCE else None, sort=sort)
    whole, end = catalogue.find(wanted, limit=50, cursor=None)
    assert end is None
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = catalogue.find(wanted, limit=2, cursor=cursor)
        seen += [record.sku for record in page]
        if cursor is None:
            break
    assert seen == [record.sku for record in whole]
    assert len(seen) == 6
    prices = [record.unit_price_cents for record in whole]
    if sort in (Sort.CHEAPEST, Sort.DEAREST):
        assert prices == sorted(prices, reverse=sort is Sort.DEAREST)


def test_a_cursor_belongs_to_its_question(catalogue: Catalogue) -> None:
    _, cursor = catalogue.find(Wanted(category="kitchen"), limit=1, cursor=None)
    assert cursor is not None
    for other in (Wanted(category="pantry"), Wanted(category="kitchen", sort=Sort.NAME)):
        with pytest.raises(Problem) as caught:
            catalogue.find(other, limit=1, cursor=cursor)
        assert caught.value.name == "invalid-cursor"


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "!!!!", "bnVsbA", "W10", "WzEsMiwzLDRd", "WzEsIngiLCJhIiwxXQ", "ÄÖ", "[" * 400, "eyJhIjoxfQ"],
)
def test_a_cursor_from_elsewhere_is_refused(catalogue: Catalogue, cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        catalogue.find(Wanted(), limit=1, cursor=cursor)
    assert caught.value.status == 422


def test_sqlite_uses_its_index_and_follows_changes(tmp_path: Path) -> None:
    database = Database.in_directory(tmp_path, "product", Base.metadata)
    search: Search = best_for(database)
    assert isinstance(search, Fts5Search)
    catalogue = Catalogue(database, OUTBOX, MemoryCache(), Faults(1), cache_seconds=60)
    with database.write() as session:
        session.add(Product(sku="A", name="Kettles of copper", unit_price_cents=1))
    assert found(catalogue, words="kettle") == ["A"], "by its stem"
    with database.write() as session:
        session.get_one(Product, 1).name = "Pan"
    assert (found(catalogue, words="kettle"), found(catalogue, words="pan")) == ([], ["A"])
    database.close()
