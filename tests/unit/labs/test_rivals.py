"""Races with a rival's transaction, on a real server."""

from __future__ import annotations

import psycopg
import pytest

from labs.rivals import Rival, against_rival, rows_to_have
from labs.under_test import LabUnderTest

pytestmark = pytest.mark.postgres


def takes(rival: Rival) -> None:
    rival.execute("UPDATE stock SET units = units - 4 WHERE name = 'lamp'")


def units(stock: LabUnderTest, name: str = "lamp") -> int:
    with stock.sql() as connection:
        row = connection.execute("SELECT units FROM stock WHERE name = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


def halves(stock: LabUnderTest, name: str = "lamp") -> int:
    """A learner's call: reads, and writes what it reckoned from that."""
    before = units(stock, name)
    with stock.sql() as connection:
        connection.execute("UPDATE stock SET units = %s WHERE name = %s", [before // 2, name])
    return before


def test_the_call_reads_before_the_rival_commits_and_writes_after_it(stock: LabUnderTest) -> None:
    met = against_rival(stock, takes, lambda: halves(stock))
    assert (met.result, met.waited, met.committed) == (10, True, True)
    assert units(stock) == 5


def test_a_rival_that_does_not_commit_changes_nothing(stock: LabUnderTest) -> None:
    met = against_rival(stock, takes, lambda: halves(stock, "lamp"), commits=False)
    assert (met.waited, met.committed) == (True, False)
    assert units(stock) == 5
    against_rival(stock, takes, lambda: None, commits=False)
    assert units(stock) == 5


def test_a_call_that_meets_nobody_ends_it(stock: LabUnderTest) -> None:
    looked: list[Rival] = []
    met = against_rival(stock, takes, lambda: halves(stock, "table"), looked.append)
    assert (met.result, met.waited, met.committed) == (10, False, True)
    assert not looked
    assert (units(stock), units(stock, "table")) == (6, 5)


def test_who_waits_for_somebody_else_does_not_wait_for_the_rival(stock: LabUnderTest) -> None:
    with stock.sql() as third:
        third.execute("UPDATE stock SET units = 1 WHERE name = 'table'")

        def call() -> int:
            with stock.sql() as connection:
                connection.execute("SET lock_timeout = '2s'")
                with pytest.raises(psycopg.errors.LockNotAvailable), connection.transaction():
                    connection.execute("UPDATE stock SET units = 2 WHERE name = 'table'")
            return 3

        looked: list[Rival] = []
        met = against_rival(stock, takes, call, looked.append, seconds=0.5)
    assert (met.result, met.waited, met.committed) == (3, False, True)
    assert not looked


def test_a_rival_that_cannot_commit_is_no_error(stock: LabUnderTest) -> None:
    def reads_both(rival: Rival) -> None:
        rival.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        rival.execute("SELECT sum(units) FROM stock")
        takes(rival)

    def call() -> None:
        with stock.sql() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            connection.execute("SELECT sum(units) FROM stock")
            connection.execute("UPDATE stock SET units = 0 WHERE name = 'table'")

    met = against_rival(stock, reads_both, call)
    assert (met.waited, met.committed) == (False, False)
    assert (units(stock), units(stock, "table")) == (10, 0)


def test_what_the_call_raises_is_raised_and_the_rival_is_over(stock: LabUnderTest) -> None:
    def call() -> None:
        halves(stock)
        raise LookupError("no such product")

    with pytest.raises(LookupError, match="no such product"):
        against_rival(stock, takes, call)
    assert units(stock) == 5


def test_what_the_rival_does_wrong_is_raised_before_the_call(stock: LabUnderTest) -> None:
    called: list[bool] = []
    with pytest.raises(psycopg.errors.UndefinedTable):
        against_rival(stock, lambda rival: rival.execute("SELECT FROM nothing"), lambda: called.append(True))
    assert not called


def test_looking_sees_what_the_call_holds_and_holds_nothing(stock: LabUnderTest) -> None:
    free: list[list[tuple[object, ...]]] = []

    def look(rival: Rival) -> None:
        query = "SELECT name FROM stock WHERE name = ANY (%s) ORDER BY name FOR UPDATE SKIP LOCKED"
        free.append(rows_to_have(rival, query, [["lamp", "table"]]))
        with stock.sql() as other:
            free.append(rows_to_have(other, "SELECT name FROM stock FOR UPDATE SKIP LOCKED"))

    def call() -> None:
        with stock.sql() as connection:
            connection.execute("UPDATE stock SET units = 1 WHERE name = 'table'")
            connection.execute("UPDATE stock SET units = 1 WHERE name = 'lamp'")

    assert against_rival(stock, takes, call, look).waited
    # The rival has the lamp itself, the call the table; a third one finds neither, and would find what looking had kept.
    assert free == [[("lamp",)], []]
    with stock.sql() as connection:
        assert len(rows_to_have(connection, "SELECT name FROM stock FOR UPDATE SKIP LOCKED")) == 2
        with stock.sql() as other:
            assert len(rows_to_have(other, "SELECT name FROM stock FOR UPDATE SKIP LOCKED")) == 2
