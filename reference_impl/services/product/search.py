"""Full-text search: one interface, and what each database has for it.

A search text means the same everywhere, as in PostgreSQL's `websearch_to_tsquery`: all words have to be there; `or` between
words; `-word` must not be; `"several words"` side by side. An index finds words by their stem (kettles: kettle); the scan
without index finds pieces of words.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    DDL,
    Integer,
    Select,
    and_,
    case,
    cast,
    column,
    event,
    false,
    func,
    not_,
    or_,
    table,
    text,
)
from sqlalchemy import literal_column as literal
from sqlalchemy import select as select_columns
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.elements import ColumnElement

from reference_impl.services.product.models import Product
from reference_impl.shared.database import Database

LONGEST = 200
RANK_SCALE = 1_000_000
"""Ranks are whole numbers of this fineness, so that a cursor can name one exactly."""

_VECTOR = "setweight(to_tsvector('english', name), 'A') || setweight(to_tsvector('english', description), 'B')"
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')


@dataclass(frozen=True)
class Term:
    """A word or a phrase that has to be there, or must not."""

    text: str
    excluded: bool


def parse(text: str) -> list[list[Term]]:
    """A search text as alternatives, each a list of terms that all have to hold."""
    alternatives: list[list[Term]] = [[]]
    for sign, phrase, word in _TERM.findall(text[:LONGEST]):
        if word.lower() == "or" and not sign:
            alternatives.append([])
            continue
        words = re.findall(r"\w+", phrase or word)
        if words:
            alternatives[-1].append(Term(" ".join(words), bool(sign)))
    return [terms for terms in alternatives if terms]


class Search(ABC):
    """How one database searches."""

    plan: str
    """For metrics: `indexed` or `scan`."""

    @abstractmethod
    def apply(self, query: Select[Any], words: str) -> tuple[Select[Any], ColumnElement[int]]:
        """The query with only what matches, and the column that says how well: more is better."""


class PostgresSearch(Search):
    """The generated column and its GIN index."""

    plan = "indexed"
    _vector = "products.search"

    def apply(self, query: Select[Any], words: str) -> tuple[Select[Any], ColumnElement[int]]:
        wanted = func.websearch_to_tsquery(literal("'english'::regconfig"), words[:LONGEST])
        vector: ColumnElement[Any] = literal(self._vector)
        rank = cast(func.ts_rank_cd(vector, wanted) * RANK_SCALE, Integer)
        return query.where(vector.bool_op("@@")(wanted)), rank


class PostgresScan(PostgresSearch):
    """What a search is without its index: every row is parsed again, because no index stands on this expression."""

    plan = "scan"
    _vector = f"({_VECTOR})"


class Fts5Search(Search):
    """SQLite's full-text index, where it was built with one."""

    plan = "indexed"

    def apply(self, query: Select[Any], words: str) -> tuple[Select[Any], ColumnElement[int]]:
        wanted = _fts5(words)
        if not wanted:
            return query.where(false()), cast(0, Integer)
        index = table("products_fts", column("rowid"), column("rank"))
        matches = (
            select_columns(index.c.rowid, index.c.rank)
            .where(literal("products_fts").op("MATCH")(wanted))
            .subquery("matches")
        )
        # bm25 is the lower the better, and below zero.
        return query.join(matches, matches.c.rowid == Product.id), cast(-matches.c.rank * RANK_SCALE, Integer)


class LikeScan(Search):
    """Every row is looked at. What is left where there is no index, and what the fault `product.slow-query` does to SQLite."""

    plan = "scan"

    def apply(self, query: Select[Any], words: str) -> tuple[Select[Any], ColumnElement[int]]:
        alternatives = parse(words)
        if not alternatives:
            return query.where(false()), cast(0, Integer)
        wanted = [term for terms in alternatives for term in terms if not term.excluded]
        rank = sum(
            (
                case((_within(Product.name, term), 2), else_=0)
                + case((_within(Product.description, term), 1), else_=0)
                for term in wanted
            ),
            start=literal("0", Integer),
        )
        return query.where(or_(*(and_(*map(_holds, terms)) for terms in alternatives))), rank


def best_for(database: Database) -> Search:
    """The best search that this database can do."""
    if database.is_postgres:
        return PostgresSearch()
    with database.read() as session:
        found = session.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'products_fts'"))
    return Fts5Search() if found else LikeScan()


def worst_for(database: Database) -> Search:
    """The same search as if somebody had forgotten the index."""
    return PostgresScan() if database.is_postgres else LikeScan()


def _fts5(words: str) -> str:
    """A search text in the language of FTS5, in which every quoted string is a phrase."""
    alternatives = []
    for terms in parse(words):
        wanted = " AND ".join(f'"{term.text}"' for term in terms if not term.excluded)
        excluded = "".join(f' NOT "{term.text}"' for term in terms if term.excluded)
        if wanted:  # FTS5 can't look for what is only not there
            alternatives.append(f"(({wanted}){excluded})")
    return " OR ".join(alternatives)


def _within(place: Any, term: Term) -> ColumnElement[bool]:
    return func.lower(place).contains(term.text.lower(), autoescape=True)


def _holds(term: Term) -> ColumnElement[bool]:
    found = or_(_within(Product.name, term), _within(Product.description, term))
    return not_(found) if term.excluded else found


event.listen(
    Product.__table__,
    "after_create",
    DDL(f"ALTER TABLE products ADD COLUMN search tsvector GENERATED ALWAYS AS ({_VECTOR}) STORED").execute_if(
        dialect="postgresql"
    ),
)
event.listen(
    Product.__table__,
    "after_create",
    DDL("CREATE INDEX ix_products_search ON products USING gin (search) WITH (fastupdate = off)").execute_if(
        dialect="postgresql"
    ),
)

_FTS5_TRIGGERS = (
    "CREATE TRIGGER products_fts_added AFTER INSERT ON products BEGIN {add}; END",
    "CREATE TRIGGER products_fts_removed AFTER DELETE ON products BEGIN {remove}; END",
    "CREATE TRIGGER products_fts_changed AFTER UPDATE OF name, description ON products BEGIN {remove}; {add}; END",
)
_ADD = "INSERT INTO products_fts(rowid, name, description) VALUES (new.id, new.name, new.description)"
_REMOVE = (
    "INSERT INTO products_fts(products_fts, rowid, name, description)"
    " VALUES ('delete', old.id, old.name, old.description)"
)


@event.listens_for(Product.__table__, "after_create")
def _make_fts5(_table: Any, connection: Connection, **_options: Any) -> None:
    """The index of SQLite beside the table; triggers keep it in step."""
    if connection.dialect.name != "sqlite":
        return
    columns = "name, description, content='products', content_rowid='id', tokenize='porter unicode61'"
    try:
        connection.exec_driver_sql(f"CREATE VIRTUAL TABLE products_fts USING fts5({columns})")
    except OperationalError:
        return  # an SQLite without FTS5: `best_for` then scans
    for trigger in _FTS5_TRIGGERS:
        connection.exec_driver_sql(trigger.format(add=_ADD, remove=_REMOVE))
