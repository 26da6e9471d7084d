"""INSERT … ON CONFLICT: SQLite and PostgreSQL both have it, SQLAlchemy spells it once for each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def insert_into(session: Session, model: type[DeclarativeBase]) -> tuple[Any, Table]:
    """An INSERT into this model's table that knows `on_conflict_do_…`, and the table."""
    table = model.__table__
    assert isinstance(table, Table)
    of_postgres = session.get_bind().dialect.name == "postgresql"
    return (postgresql.insert(table) if of_postgres else sqlite.insert(table)), table
