"""What the checks of commerce-schema share: rows that must be let in or refused, each on its own, and what the catalogue says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from labs.checks import LabUnderTest, require

VECTOR = """(
setweight(to_tsvector('english', a.name), 'A') || setweight(to_tsvector('english', c.name), 'B')
|| setweight(to_tsvector('english', coalesce(a.description, '')), 'C')
)"""
NOT_NULL, FOREIGN_KEY, UNIQUE, CHECK, EXCLUSION = "23502", "23503", "23505", "23514", "23P01"
GENERATED = "428C9"


class Gate:
    """Tries rows against the learner's tables, each in a savepoint of its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

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
            told = f"{error.sqlstate}, {type(error).__name__}"
            require(False, f"A row that obeys every rule was refused ({told}). It is about this: {rule}")
        self._connection.execute("RELEASE SAVEPOINT one_row")
        return row[0] if row else None

    def refuses(self, rule: str, states: str | Sequence[str], sql: str, *values: Any) -> None:
        """Require that the statement is refused, as a violated rule and not as any error; nothing is kept."""
        expected = (states,) if isinstance(states, str) else tuple(states)
        self._connection.execute("SAVEPOINT one_row")
        state = None
        try:
            self._connection.execute(sql, values)
            self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise
        except psycopg.Error as error:
            state = error.sqlstate
        self._connection.execute("ROLLBACK TO SAVEPOINT one_row")
        require(state is not None, f"A row that breaks a rule was let in. The rule: {rule}")
        require(
            state in expected,
            f"A row that breaks a rule was refused, but not by that rule (SQLSTATE {state}). The rule: {rule}",
        )


@contextmanager
def gate(lab: LabUnderTest) -> Iterator[tuple[Gate, Any]]:
    """A gate and its connection; whatever was let in is rolled back at the end."""
    with lab.sql() as connection:
        try:
            yield Gate(connection), connection
        finally:
            connection.rollback()


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
