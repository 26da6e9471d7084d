"""What is particular to PostgreSQL: making a service's database, and the limits that every connection has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from reference_impl.shared.settings import SettingsError

DRIVER = "postgresql+psycopg"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10.0
LONGEST_CONNECTION_SECONDS = 1800
MAKING_LOCK = 0x4D45_5249
"""The advisory lock under which databases and tables are made: many processes start at once."""
CONFLICTS = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected"""
TOO_SLOW = frozenset({"55P03", "57014"})
"""lock_not_available, query_canceled"""


def ensure_database(address: str, name: str) -> URL:
    """The URL of one database of this server, made when missing. Raises SettingsError, sqlalchemy.exc.DBAPIError."""
    server = _parsed(address)
    engine = create_engine(
        server.set(database=server.database or "postgres"),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args=connect_args("meridian-setup", 60.0),
    )
    with engine.connect() as connection:
        known = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.scalar(known, {"name": name}) is None:
            # Outside a transaction, as CREATE DATABASE has to be; the lock ends with the connection.
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MAKING_LOCK})
            if connection.scalar(known, {"name": name}) is None:
                connection.execute(text(f'CREATE DATABASE "{name}"'))
    return server.set(database=name)


def one_at_a_time(connection: Connection) -> None:
    """Until this transaction ends, no other process makes tables in this database."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKING_LOCK})


def connect_args(application: str, lock_seconds: float) -> dict[str, Any]:
    """The limits of a connection, so that nothing waits or keeps others waiting for ever."""
    limits = {
        "statement_timeout": max(STATEMENT_SECONDS, lock_seconds),
        "lock_timeout": lock_seconds,
        "idle_in_transaction_session_timeout": 30.0,
    }
    options = " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in limits.items())
    return {"application_name": application, "connect_timeout": CONNECT_SECONDS, "options": options}


def sqlstate(error: DBAPIError) -> str | None:
    """The five characters by which PostgreSQL names an error."""
    return getattr(error.orig, "sqlstate", None)


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise SettingsError("MERIDIAN_DATABASE_URL is not usable: it is no URL.") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"MERIDIAN_DATABASE_URL is not usable: it begins with {url.drivername}, write postgresql://user@host:port."
        )
    return url.set(drivername=DRIVER)
