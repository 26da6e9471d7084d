"""Writes that come to nothing on purpose: a trigger in the sandbox's PostgreSQL lets the first so many writes of one row fail.

They are counted by a sequence: what it counts stays counted when its transaction is rolled back.
"""

from __future__ import annotations

from typing import Literal

from psycopg import sql

from labs.under_test import LabUnderTest

CHANGES_NOTHING = "RETURN NULL;"
"""The write changes no row, as if somebody had been faster. Not for `late` ones."""
DIES = "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5);"
"""The connection that writes is ended by the server."""
EVERY = 2**62
"""So many writes that all of them fail."""
_TRIGGER = """
CREATE SEQUENCE {name};
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- Counted once: BETWEEN would ask twice.
    number bigint := nextval({counter});
BEGIN
    IF number BETWEEN {first} AND {last} THEN
        {how}
    END IF;
    RETURN NEW;
END $$;
CREATE {constraint} TRIGGER {name} {moment} {verb} ON {table} {deferred}
    FOR EACH ROW WHEN (NEW.{column} = {value}) EXECUTE FUNCTION {name}();
"""


def raises(sqlstate: str) -> str:
    """The write fails with this SQLSTATE."""
    return f"RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}';"


def fail_writes(
    lab: LabUnderTest,
    verb: Literal["INSERT", "UPDATE"],
    table: str,
    row: tuple[str, str],
    how: str,
    times: int = 1,
    *,
    after: int = 0,
    late: bool = False,
) -> str:
    """Let so many writes of a row fail, `after` so many that go well; the name of what counts them all, for `writes_of`.

    `row` is the name of a column and the text that stands there. `how` is CHANGES_NOTHING, DIES or `raises(…)`; `late` failures
    come at the commit and not at the statement.
    """
    name = f"failing_{lab.random.getrandbits(48):012x}"
    text = sql.SQL(_TRIGGER).format(
        name=sql.Identifier(name),
        counter=sql.Literal(name),
        first=sql.Literal(after + 1),
        last=sql.Literal(after + times),
        how=sql.SQL(how),
        constraint=sql.SQL("CONSTRAINT" if late else ""),
        moment=sql.SQL("AFTER" if late else "BEFORE"),
        verb=sql.SQL(verb),
        table=sql.Identifier(table),
        deferred=sql.SQL("DEFERRABLE INITIALLY DEFERRED" if late else ""),
        column=sql.Identifier(row[0]),
        value=sql.Literal(row[1]),
    )
    with lab.sql() as connection:
        connection.execute(text)
    return name


def writes_of(lab: LabUnderTest, counter: str) -> int:
    """How many writes there were, those that failed and those that did not."""
    query = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}")
    with lab.sql() as connection:
        row = connection.execute(query.format(sql.Identifier(counter))).fetchone()
    return int(row[0]) if row else 0
