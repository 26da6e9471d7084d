"""A small, bounded pool of connections: what an application server has, in sixty lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

SIZE = 40
WAIT_SECONDS = 15.0
LOCK_SECONDS = 10


def open_connection(url: str, address: tuple[str, int] | None = None) -> psycopg.Connection:
    """A new connection on which no statement waits for ever: a lock that somebody forgot is an error after ten seconds.

    `address` is a host and a port to reach the database by, in place of what the URL says.
    """
    import psycopg

    elsewhere = {"host": address[0], "port": address[1], "sslmode": "disable"} if address else {}
    return psycopg.connect(
        url,
        connect_timeout=10,
        application_name="notebook",
        options=f"-c lock_timeout={LOCK_SECONDS}s",
        **elsewhere,
    )


class ConnectionPool:
    """Hands out connections to one database at a time; `borrow` from any thread."""

    def __init__(self, size: int = SIZE) -> None:
        self._places = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[psycopg.Connection] = []
        self._url = ""

    @contextmanager
    def borrow(self, url: str) -> Iterator[psycopg.Connection]:
        """A connection in its default state; rolled back and given back at the end of the block."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise TimeoutError(
                f"No free connection within {WAIT_SECONDS:g} s: is one borrowed and never given back?"
            )
        try:
            connection = self._take(url)
            try:
                yield connection
            finally:
                self._give_back(connection, url)
        finally:
            self._places.release()

    def _take(self, url: str) -> psycopg.Connection:
        with self._lock:
            if url != self._url:
                self._forget_idle()
                self._url = url
            connection = self._idle.pop() if self._idle else None
        return connection or open_connection(url)

    def _give_back(self, connection: psycopg.Connection, url: str) -> None:
        import psycopg

        try:
            # Only a connection that nobody is in the middle of using can be cleaned; any other is closed.
            if connection.closed or connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                raise psycopg.OperationalError("in use or closed")
            connection.rollback()
            connection.autocommit = False
            connection.isolation_level = None
            connection.row_factory = psycopg.rows.tuple_row
        except psycopg.Error:
            with suppress(psycopg.Error):
                connection.close()
            return
        with self._lock:
            if url == self._url:
                self._idle.append(connection)
                return
        connection.close()

    def _forget_idle(self) -> None:
        import psycopg

        for connection in self._idle:
            with suppress(psycopg.Error):
                connection.close()
        self._idle.clear()


POOL = ConnectionPool()
