"""Writes that come to nothing on purpose, on a real server."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors as pg

from labs.failing_writes import CHANGES_NOTHING, DIES, EVERY, fail_writes, raises, writes_of
from labs.under_test import LabUnderTest

pytestmark = pytest.mark.postgres
LAMP = ("name", "lamp")


def sell(stock: LabUnderTest, name: str = "lamp") -> int:
    """A write of the learner's: how many rows it changed."""
    with stock.sql() as connection:
        return connection.execute("UPDATE stock SET units = units - 1 WHERE name = %s", [name]).rowcount


def units(stock: LabUnderTest, name: str = "lamp") -> int | None:
    with stock.sql() as connection:
        row = connection.execute("SELECT units FROM stock WHERE name = %s", [name]).fetchone()
    return row and int(row[0])


def test_the_first_writes_change_nothing_and_the_next_one_does(stock: LabUnderTest) -> None:
    counter = fail_writes(stock, "UPDATE", "stock", LAMP, CHANGES_NOTHING, 2)
    assert [sell(stock) for _ in range(4)] == [0, 0, 1, 1]
    assert (units(stock), writes_of(stock, counter)) == (8, 4)


def test_other_rows_and_other_writes_are_left_alone(stock: LabUnderTest) -> None:
    update = fail_writes(stock, "UPDATE", "stock", LAMP, CHANGES_NOTHING)
    insert = fail_writes(stock, "INSERT", "stock", ("name", "chair"), raises("40001"))
    assert sell(stock, "table") == 1
    with stock.sql() as connection:
        connection.execute("INSERT INTO stock VALUES ('bench', 1)")
    assert (writes_of(stock, update), writes_of(stock, insert)) == (0, 0)
    with pytest.raises(pg.SerializationFailure), stock.sql() as connection:
        connection.execute("INSERT INTO stock VALUES ('chair', 1)")
    assert (writes_of(stock, update), writes_of(stock, insert)) == (0, 1)


def test_a_failure_is_counted_although_it_is_rolled_back(stock: LabUnderTest) -> None:
    counter = fail_writes(stock, "UPDATE", "stock", LAMP, raises("23514"), EVERY)
    for number in range(3):
        with pytest.raises(pg.CheckViolation):
            sell(stock)
        assert writes_of(stock, counter) == number + 1
    assert units(stock) == 10


def test_a_late_failure_comes_at_the_commit(stock: LabUnderTest) -> None:
    counter = fail_writes(stock, "UPDATE", "stock", LAMP, raises("40001"), late=True)
    with stock.sql() as connection:
        connection.execute("UPDATE stock SET units = 1 WHERE name = 'lamp'")
        assert writes_of(stock, counter) == 0
        with pytest.raises(pg.SerializationFailure):
            connection.commit()
    assert (units(stock), writes_of(stock, counter)) == (10, 1)
    assert (sell(stock), units(stock)) == (1, 9)


def test_the_connection_dies_at_a_later_write(stock: LabUnderTest) -> None:
    counter = fail_writes(stock, "UPDATE", "stock", LAMP, DIES, after=1)
    assert sell(stock) == 1
    with pytest.raises(psycopg.OperationalError):
        sell(stock)
    assert (sell(stock), units(stock), writes_of(stock, counter)) == (1, 8, 3)


def test_two_failures_of_one_row_count_apart(stock: LabUnderTest) -> None:
    one = fail_writes(stock, "UPDATE", "stock", LAMP, CHANGES_NOTHING)
    other = fail_writes(stock, "UPDATE", "stock", ("name", "it's"), CHANGES_NOTHING)
    with stock.sql() as connection:
        connection.execute("INSERT INTO stock VALUES ('it''s', 1)")
    assert (sell(stock, "it's"), sell(stock)) == (0, 0)
    assert (writes_of(stock, one), writes_of(stock, other)) == (1, 1)
