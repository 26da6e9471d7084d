"""What the checks of event-sourcing share: hidden streams, the rules of an order, rivals, and the takings as they should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from labs.checks import LabUnderTest, require
from sandboxes.interface import LearnerCodeError

Event = dict[str, Any]
State = dict[str, Any]
Command = dict[str, Any]

CONFLICT, REFUSED, BROKEN, UNREADABLE = "Conflict", "Refused", "BrokenHistory", "Unreadable"
SETTLE_SECONDS = 15.0
MEET_SECONDS = 5.0
"""How long a call has to come to where it waits for a rival."""
MOST_CATCH_UPS = 60

INSERT = (
    "INSERT INTO events (stream, version, type, schema, payload, occurred_at) VALUES (%s, %s, %s, %s, %s, %s)"
)

ALWAYS_TAKEN = """
GRANT TRIGGER ON events TO CURRENT_USER;  -- an owner who has taken all privileges from itself can still give
CREATE SEQUENCE {counter};
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Somebody else takes this very version a moment before; a sequence counts also what is rolled back.
    IF pg_trigger_depth() = 1 AND NEW.stream = {stream} AND nextval({counted}::regclass) <= {most} THEN
        INSERT INTO events (stream, version, type, payload) VALUES (NEW.stream, NEW.version, 'OrderCancelled', '{{}}');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER {name} BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION {name}();
"""

FAILING = """
CREATE OR REPLACE FUNCTION fails_for_the_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the process dies here'; END $$;
CREATE TRIGGER fails_for_the_check BEFORE INSERT OR UPDATE{further} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION fails_for_the_check();
"""


class Streams:
    """New streams, and what is in them."""

    def __init__(self, lab: LabUnderTest, connection: psycopg.Connection[Any]) -> None:
        """`connection` commits each statement by itself."""
        self.lab = lab
        self.sql = connection
        self._mark = f"{lab.random.getrandbits(40):010x}"
        self._count = 0

    @contextmanager
    def begin(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction, committed when the block ends well."""
        with self.sql.transaction():
            yield self.sql

    def has_events(self) -> bool:
        """Whether there is a table of events."""
        row = self.sql.execute("SELECT to_regclass('events') IS NOT NULL").fetchone()
        return bool(row and row[0])

    def new(self) -> str:
        """A stream that nobody has used."""
        self._count += 1
        return f"order-{self.lab.random.getrandbits(24):06x}-{self._mark}-{self._count}"

    def moment(self) -> datetime:
        """Some moment of the last years."""
        return datetime(2023, 1, 1, tzinfo=UTC) + timedelta(seconds=self.lab.random.randrange(80_000_000))

    def plant(
        self, connection: Any, stream: str, version: int, kind: str, payload: Any, schema: int = 1
    ) -> None:
        """Write one event past the learner's functions."""
        connection.execute(INSERT, [stream, version, kind, schema, Jsonb(payload), self.moment()])

    def rows(self, stream: str) -> list[tuple[int, str, int, Any]]:
        """(version, type, schema, payload) of a stream, in order."""
        return self.sql.execute(
            "SELECT version, type, schema, payload FROM events WHERE stream = %s ORDER BY version, position",
            [stream],
        ).fetchall()

    def events(self, stream: str) -> list[Event]:
        """A stream as `read` gives it."""
        rows = self.sql.execute(
            "SELECT version, type, schema, payload, occurred_at FROM events WHERE stream = %s ORDER BY version",
            [stream],
        ).fetchall()
        names = ("version", "type", "schema", "payload")
        return [
            {"stream": stream, **dict(zip(names, row[:4], strict=True)), "occurred_at": row[4].isoformat()}
            for row in rows
        ]


@contextmanager
def new_streams(lab: LabUnderTest) -> Iterator[Streams]:
    """Streams of one check, with a connection for it."""
    with lab.sql(autocommit=True) as connection:
        yield Streams(lab, connection)


def told(error: LearnerCodeError, *expected: str) -> str:
    """The name of an exception that may be raised; every other one goes on."""
    if error.name in expected:
        return error.name
    raise error


def call(lab: LabUnderTest, function: str, *arguments: Any, own: bool = True, timeout: float = 15.0) -> Any:
    """One call of a learner's function (`own`: with a connection of its own): what it returned, or the exception's name if it is
    one of the lab's four."""
    try:
        if own:
            return lab.call("on_own_connection", function, *arguments, timeout=timeout)
        return lab.call(function, *arguments, timeout=timeout)
    except LearnerCodeError as error:
        return told(error, CONFLICT, REFUSED, BROKEN, UNREADABLE)


@contextmanager
def always_taken(lab: LabUnderTest, stream: str, most: int) -> Iterator[Callable[[], int]]:
    """Let every append to the stream lose its race, `most` times; yields what counts the tries."""
    name = f"taken_{lab.random.getrandbits(40):010x}"
    parts = {
        "name": sql.Identifier(name),
        "counter": sql.Identifier(f"{name}_tries"),
        "counted": sql.Literal(f"{name}_tries"),
        "stream": sql.Literal(stream),
        "most": sql.Literal(most),
    }
    with lab.sql() as connection:
        connection.execute(sql.SQL(ALWAYS_TAKEN).format(**parts))

    def tries() -> int:
        with lab.sql() as connection:
            query = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {counter}")
            row = connection.execute(query.format(**parts)).fetchone()
        return int(row[0]) if row else 0

    try:
        yield tries
    finally:
        with lab.sql() as connection:
            connection.execute(
                sql.SQL("DROP FUNCTION {name}() CASCADE; DROP SEQUENCE {counter}").format(**parts)
            )


@contextmanager
def failing(lab: LabUnderTest, table: str, *, deletes: bool = True) -> Iterator[None]:
    """Let every write to a table raise, as if the process died there."""
    further = " OR DELETE" if deletes else ""
    with lab.sql() as connection:
        query = sql.SQL(FAILING).format(table=sql.Identifier(table), further=sql.SQL(further))  # type: ignore[arg-type]
        connection.execute(query)
    try:
        yield
    finally:
        with lab.sql() as connection:
            connection.execute("DROP FUNCTION fails_for_the_check() CASCADE")


def goes_through(connection: psycopg.Connection[Any], statement: str, arguments: list[Any]) -> int | None:
    """How many rows a statement would change, or None when the database refuses it. Nothing stays changed."""
    changed: int | None = None
    try:
        with connection.transaction(force_rollback=True):
            changed = connection.execute(statement, arguments).rowcount  # type: ignore[arg-type]
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return None
    return changed


# --- the rules of an order, as the check knows them ---


def evolved(state: State | None, event: Event) -> State:
    """The order after one more event."""
    payload = event["payload"]
    common = {"version": event["version"], "updated_at": event["occurred_at"]}
    if state is None:
        return {
            **common,
            "status": "placed",
            "lines": payload["lines"],
            "total_cents": payload["total_cents"],
            "paid_cents": 0,
            "refunded_cents": 0,
            "parcel": None,
            "reason": None,
        }
    new = {**state, **common}
    match event["type"]:
        case "PaymentReceived":
            new["paid_cents"] += payload["amount_cents"]
            if new["status"] == "placed" and new["paid_cents"] >= new["total_cents"]:
                new["status"] = "paid"
        case "MoneyRefunded":
            new["refunded_cents"] += payload["amount_cents"]
        case "OrderShipped":
            new |= {"status": "shipped", "parcel": payload["parcel"]}
        case "OrderCancelled":
            new |= {"status": "cancelled", "reason": payload["reason"]}
    return new


def decided(state: State | None, command: Command) -> list[tuple[str, Any]] | str:
    """(type, payload) of what follows from a command, or REFUSED."""
    status = state["status"] if state else None
    match command["do"], status:
        case "place", None if command["lines"] and command["total_cents"] > 0:
            return [("OrderPlaced", {"lines": command["lines"], "total_cents": command["total_cents"]})]
        case "pay", "placed":
            assert state is not None
            amount = command["amount_cents"]
            if 0 < amount <= state["total_cents"] - state["paid_cents"]:
                return [("PaymentReceived", {"amount_cents": amount})]
        case "ship", "paid":
            return [("OrderShipped", {"parcel": command["parcel"]})]
        case "cancel", "cancelled":
            return []
        case "cancel", "placed" | "paid":
            assert state is not None
            refund = [("MoneyRefunded", {"amount_cents": state["paid_cents"]})] if state["paid_cents"] else []
            return [("OrderCancelled", {"reason": command["reason"]}), *refund]
    return REFUSED


# --- the takings ---

Takings = dict[str, tuple[int, int]]


def takings(connection: Any) -> Takings:
    """What the table says."""
    rows = connection.execute("SELECT day::text, received_cents, refunded_cents FROM takings").fetchall()
    return {day: (received, refunded) for day, received, refunded in rows if received or refunded}


def takings_due(connection: Any) -> Takings:
    """What the events say."""
    rows = connection.execute(
        """
        SELECT ((occurred_at AT TIME ZONE 'UTC')::date)::text,
            coalesce(sum((payload ->> 'amount_cents')::bigint) FILTER (WHERE type = 'PaymentReceived'), 0)::bigint,
            coalesce(sum((payload ->> 'amount_cents')::bigint) FILTER (WHERE type = 'MoneyRefunded'), 0)::bigint
        FROM events WHERE type IN ('PaymentReceived', 'MoneyRefunded') GROUP BY 1
        """
    ).fetchall()
    return {day: (received, refunded) for day, received, refunded in rows if received or refunded}


def sum_of(table: Takings) -> int:
    """Everything that was received."""
    return sum(received for received, _ in table.values())


def catch_up(lab: LabUnderTest, limit: int | None = 500) -> int:
    """One call of `catch_up`; None leaves the limit to the learner's function."""
    arguments = [] if limit is None else [limit]
    passed = lab.call("on_own_connection", "catch_up", *arguments, timeout=10)
    right = isinstance(passed, int) and not isinstance(passed, bool) and 0 <= passed <= (limit or passed)
    require(right, "catch_up must return how many events it passed, at most `limit`.")
    assert isinstance(passed, int)
    return passed


def drained(streams: Streams, limit: int = 500, extra: Takings | None = None) -> bool:
    """Catch up until nothing is left; whether the takings are then what the events say (and `extra`)."""
    deadline = None
    while True:
        # A short transaction of the server's own can hold the horizon back for a moment.
        ended = _all_ended(streams.sql)
        through = any(catch_up(streams.lab, limit) == 0 for _ in range(MOST_CATCH_UPS))
        due, found = takings_due(streams.sql), takings(streams.sql)
        for day, (received, refunded) in (extra or {}).items():
            there = due.get(day, (0, 0))
            due[day] = (there[0] + received, there[1] + refunded)
        if found == due:
            return True
        # From here, for a busy machine may need long for the first round.
        deadline = deadline or time.monotonic() + SETTLE_SECONDS
        if (ended and through) or time.monotonic() > deadline or sum_of(found) > sum_of(due):
            return False
        time.sleep(0.1)


def _all_ended(connection: Any) -> bool:
    """Whether every event's transaction lies below the horizon: nothing is left to wait for."""
    query = "SELECT NOT EXISTS (SELECT FROM events WHERE txid >= pg_snapshot_xmin(pg_current_snapshot()))"
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def one_digit_more(connection: Any) -> None:
    """Use up numbers of transactions until the next one is longer than the last. They cost little: nothing is written."""
    row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    left = 10 ** len(row[0]) - int(row[0])
    connection.execute(
        f"DO $$ BEGIN FOR n IN 1..{left} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    )
