"""Rows as a table that reads well in a notebook, and as text elsewhere.

from labkit import tables

tables.show([{"sku": "LAMP", "available": 3}, {"sku": "BULB", "available": 120}], title="Stock")
tables.query(connection, "SELECT sku, available FROM stock ORDER BY sku")
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labkit import display
from labkit.svg import escape

MOST_ROWS = 20
MOST_COLUMNS = 20
MOST_LETTERS = 120
COUNTED_ROWS = 100_000
"""Of an iterable without a length no more are counted."""


def show(
    rows: Iterable[Any], columns: Sequence[str] | None = None, title: str = "", most: int = MOST_ROWS
) -> None:
    """Show rows as a table: numbers to the right, the first `most` rows, then how many more there are.

    A row is a mapping, a sequence, or one value. `columns` names the columns to show; for mappings it also chooses them, and
    without it their keys are the columns.
    """
    shown, more = _take(rows, max(1, most))
    names, cells = _cells(shown, columns)
    display.show(html(names, cells, title, more), text(names, cells, title, more))


def query(connection: Any, sql: str, parameters: Any = None, title: str = "", most: int = MOST_ROWS) -> None:
    """Run one SQL query on a psycopg connection and show its rows.

    A transaction that this begins is rolled back at once, so nothing stays locked; one that is open already goes on.
    """
    idle = connection.info.transaction_status.name == "IDLE"
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            if cursor.description is None:
                raise ValueError(
                    "tables.query shows rows, and this statement gives none: run it by connection.execute()."
                )
            names = [column.name for column in cursor.description]
            found = cursor.fetchmany(max(1, most) + 1)
            count = max(cursor.rowcount, len(found))
    finally:
        if idle and not connection.autocommit:
            connection.rollback()
    shown = found[: max(1, most)]
    named, cells = _cells(shown, names)
    more = count - len(shown)
    display.show(html(named, cells, title, more), text(named, cells, title, more))


def html(names: Sequence[str], cells: Sequence[Sequence[Any]], title: str = "", more: int = 0) -> str:
    """The table as HTML; every text in it is escaped."""
    styles = [
        f"text-align:{'right' if right else 'left'};padding:2px 10px;font-variant-numeric:tabular-nums"
        for right in _right_aligned(names, cells)
    ]
    head = "".join(
        f'<th scope="col" style="{style}">{escape(name)}</th>'
        for name, style in zip(names, styles, strict=True)
    )
    body = "".join(f"<tr>{_row(row, styles)}</tr>" for row in cells)
    caption = (
        f'<caption style="caption-side:top;text-align:left;font-weight:600">{escape(title)}</caption>'
        if title
        else ""
    )
    header = f"<thead><tr>{head}</tr></thead>" if any(names) else ""
    rest = f"<p>{escape(_rest(more, cells))}</p>" if more or not cells else ""
    table = f'<table style="margin-left:0;color:inherit">{caption}{header}<tbody>{body}</tbody></table>'
    return (table if names else "") + rest


def text(names: Sequence[str], cells: Sequence[Sequence[Any]], title: str = "", more: int = 0) -> str:
    """The table as lines of text."""
    right = _right_aligned(names, cells)
    written = [[str(name) for name in names], *[[_written(value) for value in row] for row in cells]]
    widths = [max(len(row[index]) for row in written) for index in range(len(names))]
    lines = [title] if title else []
    if names:
        lines += [
            "  ".join(_padded(*each) for each in zip(row, widths, right, strict=True)).rstrip()
            for row in written
        ]
        head = len(lines) - len(cells)
        lines[head - 1 : head] = (
            [lines[head - 1], "  ".join("-" * width for width in widths)] if any(names) else []
        )
    if more or not cells:
        lines.append(_rest(more, cells))
    return "\n".join(lines)


def _take(rows: Iterable[Any], most: int) -> tuple[list[Any], int]:
    if isinstance(rows, Mapping):
        rows = list(rows.items())
    if isinstance(rows, Sequence):
        return list(rows[:most]), max(0, len(rows) - most)
    iterator = iter(rows)
    shown = list(itertools.islice(iterator, most))
    return shown, sum(1 for _ in itertools.islice(iterator, COUNTED_ROWS))


def _cells(rows: Sequence[Any], columns: Sequence[str] | None) -> tuple[list[str], list[list[Any]]]:
    mappings = bool(rows) and all(isinstance(row, Mapping) for row in rows)
    if mappings:
        names = (
            list(columns) if columns is not None else list(dict.fromkeys(key for row in rows for key in row))
        )
        cells = [[row.get(name, "") for name in names] for row in rows]
    else:
        cells = [list(row) if _is_row(row) else [row] for row in rows]
        width = max((len(row) for row in cells), default=len(columns or ()))
        given = list(columns) if columns is not None else list(getattr(rows[0], "_fields", ())) if rows else []
        names = [*given, *[""] * (width - len(given))][: max(width, len(given))]
        cells = [[*row, *[""] * (len(names) - len(row))] for row in cells]
    return [str(name) for name in names[:MOST_COLUMNS]], [row[:MOST_COLUMNS] for row in cells]


def _is_row(row: Any) -> bool:
    return isinstance(row, Sequence) and not isinstance(row, str | bytes | bytearray)


def _right_aligned(names: Sequence[str], cells: Sequence[Sequence[Any]]) -> list[bool]:
    """Which columns hold numbers only."""
    sides = []
    for index in range(len(names)):
        values = [row[index] for row in cells if row[index] is not None and row[index] != ""]
        sides.append(bool(values) and all(_is_number(value) for value in values))
    return sides


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Number) and not isinstance(value, bool)


def _written(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    words = str(value)
    return words if len(words) <= MOST_LETTERS else words[: MOST_LETTERS - 2] + " …"


def _row(row: Sequence[Any], styles: Sequence[str]) -> str:
    return "".join(
        f'<td style="{style}">{escape(_written(value))}</td>' for value, style in zip(row, styles, strict=True)
    )


def _padded(words: str, width: int, right: bool) -> str:
    return words.rjust(width) if right else words.ljust(width)


def _rest(more: int, cells: Sequence[Sequence[Any]]) -> str:
    return f"… {more:,} more" if more else "no rows" if not cells else ""
