"""What the checks of commerce-schema share: rows that must be let in or refused, each on its own, and what the catalogue says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from labs.checks import LabUnderTest, require

VECTOR = """(
setweight(to_tsvector('english', a.name), 'A') || setweight(to_tsvector('english', c.name), 'B')
|| setweight(to_tsvector('english', coalesce(a.description, '')), 'C')
)"""
# What of `search` is wrong, as far as its words say so: none at all, then those of each weight.
WRONG_WORDS = """
SELECT count(*), bool_or(a.search IS NULL),
    bool_or(tsvector_to_array(ts_filter(a.search, '{a}')) <> tsvector_to_array(to_tsvector('english', a.name))),
    bool_or(tsvector_to_array(ts_filter(a.search, '{b}')) <> tsvector_to_array(to_tsvector('english', c.name))),
    bool_or(tsvector_to_array(ts_filter(a.search, '{c}'))
        <> tsvector_to_array(to_tsvector('english', coalesce(a.description, '')))),
    bool_or(tsvector_to_array(ts_filter(a.search, '{d}')) <> '{}')
FROM articles a JOIN categories c USING (category_id)
WHERE a.category_id = ANY(%s) AND a.search IS DISTINCT FROM """
WHAT_IS_WRONG = (
    "it is NULL",
    "the words with weight A are not those of the article's name",
    "the words with weight B are not those of its category's name",
    "the words with weight C are not those of its description",
    "some words have no weight of A, B or C",
)
WHOLE = ("integer", "bigint", "smallint")
"""What may stand for an integer: money in whole cents, counts."""
_TYPES = {
    *WHOLE, "numeric", "real", "double precision", "money", "text", "character varying", "date", "daterange", "tsrange",
    "tstzrange", "timestamp without time zone", "timestamp with time zone",
}  # fmt: skip
"""Types that a message may name; any other name could be the learner's."""
TIME = "timestamp with time zone"
NOT_NULL, FOREIGN_KEY, UNIQUE, CHECK, EXCLUSION = "23502", "23503", "23505", "23514", "23P01"
GENERATED, RAISED = "428C9", "P0001"


class Gate:
    """Tries rows against the learner's tables, each in a savepoint of its own."""

    def __init__(self, connection: Any, words: Collection[str]) -> None:
        """`words` are the names in the notebook's code: a constraint is named only when it is one of them."""
        self._connection = connection
        self._words = words

    def accepts(self, rule: str, sql: str, *values: Any) -> Any:
        """Require that the statement is let in, and keep its effect; the first column of its first row, if it returns any."""
        self._connection.execute("SAVEPOINT one_row")
        try:
            cursor = self._connection.execute(sql, values)
            row = cursor.fetchone() if cursor.description else None
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise
        except psycopg.Error as error:
            self._connection.execute("ROLLBACK TO SAVEPOINT one_row")
            told = f"{error.sqlstate}, {type(error).__name__}{self._by(error)}"
            require(False, f"A row that obeys every rule was refused ({told}). It is about this: {rule}")
        self._connection.execute("RELEASE SAVEPOINT one_row")
        return row[0] if row else None

    def refuses(self, rule: str, states: str | Sequence[str], sql: str, *values: Any) -> None:
        """Require that the statement is refused, as a violated rule and not as any error; nothing is kept."""
        expected = (states,) if isinstance(states, str) else tuple(states)
        self._connection.execute("SAVEPOINT one_row")
        state, by = None, ""
        try:
            self._connection.execute(sql, values)
            self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise
        except psycopg.Error as error:
            state, by = error.sqlstate, self._by(error)
        self._connection.execute("ROLLBACK TO SAVEPOINT one_row")
        require(state is not None, f"A row that breaks a rule was let in. The rule: {rule}")
        require(
            state in expected,
            f"A row that breaks a rule was refused, but not by that rule (SQLSTATE {state}{by}). The rule: {rule}",
        )

    def refuses_or_mends(
        self, rule: str, states: Sequence[str], wrong: str, of: Any, sql: str, *values: Any
    ) -> None:
        """Require that the statement is refused, or that what it left is right: the query `wrong` of that has no row."""
        self._connection.execute("SAVEPOINT one_row")
        state, by, left_wrong = None, "", False
        try:
            self._connection.execute(sql, values)
            left_wrong = self._connection.execute(wrong, [of]).fetchone() is not None
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise
        except psycopg.Error as error:
            state, by = error.sqlstate, self._by(error)
        self._connection.execute("ROLLBACK TO SAVEPOINT one_row")
        require(not left_wrong, f"A statement left a value that breaks a rule. The rule: {rule}")
        require(
            state is None or state in states,
            f"A statement that breaks a rule was refused, but not by that rule (SQLSTATE {state}{by}). The rule: {rule}",
        )

    def _by(self, error: psycopg.Error) -> str:
        name = error.diag.constraint_name
        return f", by `{name}`" if name and name in self._words else ""


@contextmanager
def gate(lab: LabUnderTest) -> Iterator[tuple[Gate, Any]]:
    """A gate and its connection; whatever was let in is rolled back at the end."""
    with lab.sql() as connection:
        try:
            yield Gate(connection, lab.telling.words), connection
        finally:
            connection.rollback()


def require_types(
    connection: Any, table: str, identity: str, columns: Mapping[str, str | Sequence[str]]
) -> None:
    """Require a bigint identity and these types of a table's columns; of a domain, the type below it."""
    rows = connection.execute(
        """
        SELECT a.attname, coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text, a.attidentity <> ''
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
        """,
        [table],
    ).fetchall()
    found = {name: kind for name, kind, _ in rows}
    wanted = {identity: "bigint", **columns} if identity else columns
    for column, kinds in wanted.items():
        require(column in found, f"The table {table} has no column {column}.")
        allowed = (kinds,) if isinstance(kinds, str) else kinds
        require(
            found[column] in allowed,
            f"The column {table}.{column} is not of the type that the task names, but {_told_type(found[column])}.",
        )
    require(
        not identity or any(name == identity and made for name, _, made in rows),
        f"The column {table}.{identity} is no identity column: GENERATED … AS IDENTITY.",
    )


def _told_type(kind: str) -> str:
    return f"`{kind}`" if kind in _TYPES else "another one"


def tables_of(node: dict[str, Any]) -> set[str]:
    """The tables that a plan touches."""
    found = {node["Relation Name"]} if "Relation Name" in node else set()
    return found.union(*(tables_of(child) for child in node.get("Plans", [])))


def nodes_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield node
    for child in node.get("Plans", []):
        yield from nodes_of(child)


def explained(connection: Any, sql: str, *values: Any) -> dict[str, Any]:
    """The plan of a statement that ran."""
    row = connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, list(values)).fetchone()
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def word(lab: LabUnderTest) -> str:
    """A word that stands nowhere else and that stemming leaves alone."""
    return "".join(lab.random.choice("bcdfgklmnprtvxz") for _ in range(9))


def months_of(connection: Any) -> list[str]:
    """The names of the partitions of orders, sorted."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'orders'::regclass"
    ).fetchall()
    return sorted(row[0] for row in rows)
