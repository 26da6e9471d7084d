"""Tables in a notebook and as text."""

from __future__ import annotations

from collections import namedtuple
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from labkit import display, tables


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was displayed: HTML and text."""
    kept: list[tuple[str, str]] = []
    monkeypatch.setattr(display, "show", lambda html, text: kept.append((html, text)))
    return kept


def test_mappings_give_columns_and_numbers_stand_to_the_right(shown: list[tuple[str, str]]) -> None:
    tables.show([{"sku": "LAMP", "left": 3}, {"sku": "BULB", "left": 1200, "note": None}], title="Stock")
    assert shown[0][1].splitlines() == [
        "Stock",
        "sku   left  note",
        "----  ----  ----",
        "LAMP     3",
        "BULB  1200  –",
    ]
    assert '<td style="text-align:right' in shown[0][0]


def test_sequences_named_tuples_and_single_values_are_rows(shown: list[tuple[str, str]]) -> None:
    point = namedtuple("point", "x y")
    tables.show([(1, "a"), (2, "b")], columns=["number", "letter"])
    tables.show([point(1, 2)])
    tables.show(["one", "two"])
    tables.show({"a": 1, "b": Decimal("2.50")}, columns=["key", "value"])
    texts = [text.splitlines() for _, text in shown]
    assert texts[0][0] == "number  letter"
    assert texts[1][0] == "x  y"
    assert texts[2][-2:] == ["one", "two"]
    assert texts[3][-1] == "b     2.50"


def test_rows_are_bounded_and_the_rest_is_counted(shown: list[tuple[str, str]]) -> None:
    tables.show([(n,) for n in range(1_000)], columns=["n"], most=5)
    tables.show(((n,) for n in range(50)), columns=["n"], most=5)
    assert shown[0][1].splitlines()[-1] == "… 995 more"
    assert shown[1][1].splitlines()[-1] == "… 45 more"
    assert shown[0][0].count("<tr>") == 6


def test_an_endless_iterable_ends(shown: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "COUNTED_ROWS", 100)
    tables.show(iter(int, 1), columns=["zero"])
    assert "… 100 more" in shown[0][1]


def test_nothing_is_said_to_be_nothing(shown: list[tuple[str, str]]) -> None:
    tables.show([], columns=["a"])
    tables.show([])
    assert shown[0][1].splitlines() == ["a", "-", "no rows"]
    assert shown[1] == ("<p>no rows</p>", "no rows")


def test_texts_are_escaped_and_cut(shown: list[tuple[str, str]]) -> None:
    tables.show([{"<th>": "<script>x</script>", "long": "x" * 1_000}], title="<title>")
    html, text = shown[0]
    assert "<script>" not in html
    assert "<th>&lt;th&gt;" not in html
    assert "&lt;th&gt;</th>" in html
    assert "&lt;title&gt;" in html
    assert max(len(line) for line in text.splitlines()) < 200


class FakeConnection:
    """A psycopg connection as far as a query needs it."""

    def __init__(
        self, status: str, rows: list[Any], description: Any = ("n",), autocommit: bool = False
    ) -> None:
        self.info = SimpleNamespace(transaction_status=SimpleNamespace(name=status))
        self.autocommit = autocommit
        self.rolled_back = 0
        self.rows = rows
        self.rowcount = len(rows)
        self.description = description and [SimpleNamespace(name=name) for name in description]

    def cursor(self) -> FakeConnection:
        return self

    def __enter__(self) -> FakeConnection:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, sql: str, parameters: Any) -> None:
        self.sql = sql

    def fetchmany(self, most: int) -> list[Any]:
        return self.rows[:most]

    def rollback(self) -> None:
        self.rolled_back += 1


def test_a_query_shows_its_rows_and_leaves_no_transaction_open(shown: list[tuple[str, str]]) -> None:
    connection = FakeConnection("IDLE", [(n,) for n in range(30)])
    tables.query(connection, "SELECT n FROM t", most=4)
    assert shown[0][1].splitlines() == ["n", "-", "0", "1", "2", "3", "… 26 more"]
    assert connection.rolled_back == 1


@pytest.mark.parametrize(
    "connection", [FakeConnection("INTRANS", []), FakeConnection("IDLE", [], autocommit=True)]
)
@pytest.mark.usefixtures("shown")
def test_a_transaction_that_is_not_its_own_goes_on(connection: FakeConnection) -> None:
    tables.query(connection, "SELECT 1")
    assert connection.rolled_back == 0


def test_a_statement_without_rows_is_refused_and_undone() -> None:
    connection = FakeConnection("IDLE", [], description=None)
    with pytest.raises(ValueError, match=r"connection\.execute"):
        tables.query(connection, "DELETE FROM t")
    assert connection.rolled_back == 1
