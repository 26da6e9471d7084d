"""The pool of connections that learners' functions borrow from."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from labkit import pool as pool_module
from labkit.pool import ConnectionPool
from psycopg.pq import TransactionStatus


class FakeConnection:
    """Counts what is done to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.closed = False
        self.rollbacks = 0
        self.autocommit = False
        self.isolation_level: Any = None
        self.row_factory: Any = None
        self.info = type("Info", (), {"transaction_status": TransactionStatus.INTRANS})()

    def rollback(self) -> None:
        self.rollbacks += 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeConnection]:
    """The connections that were opened."""
    connections: list[FakeConnection] = []

    def connect(url: str, **_: Any) -> FakeConnection:
        connections.append(FakeConnection(url))
        return connections[-1]

    monkeypatch.setattr(psycopg, "connect", connect)
    return connections


def test_a_connection_is_used_again_clean_and_rolled_back(made: list[FakeConnection]) -> None:
    pool = ConnectionPool()
    with pool.borrow("a") as connection:
        connection.autocommit = True
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    with pool.borrow("a") as again:
        assert again is connection
    assert len(made) == 1
    assert (made[0].rollbacks, made[0].autocommit, made[0].isolation_level) == (2, False, None)


def test_it_is_given_back_also_when_the_block_raises(made: list[FakeConnection]) -> None:
    pool = ConnectionPool(size=1)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="mine"), pool.borrow("a"):
            raise RuntimeError("mine")
    assert len(made) == 1


@pytest.mark.parametrize("state", ["closed", "busy"])
def test_a_connection_that_can_not_be_cleaned_is_not_handed_out_again(
    made: list[FakeConnection], state: str
) -> None:
    pool = ConnectionPool()
    with pool.borrow("a"):
        if state == "closed":
            made[0].closed = True
        else:
            made[0].info.transaction_status = TransactionStatus.ACTIVE
    with pool.borrow("a"):
        pass
    assert len(made) == 2
    assert made[0].closed


def test_connections_to_a_database_that_is_gone_are_forgotten(made: list[FakeConnection]) -> None:
    pool = ConnectionPool()
    with pool.borrow("old"):
        pass
    with pool.borrow("new") as connection:
        assert connection.url == "new"
    assert made[0].closed


def test_whoever_finds_no_free_connection_is_told_why(
    made: list[FakeConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "WAIT_SECONDS", 0.05)
    pool = ConnectionPool(size=1)
    with pool.borrow("a"), pytest.raises(TimeoutError, match="borrowed and never given back"), pool.borrow("a"):
        pass
