"""What the checks share: hidden processes as tables, hidden sagas, runs that are killed, and the rows afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg
from psycopg import sql

from labs.checks import LabUnderTest, require
from labs.rivals import against_rival

PATIENCE, TRIES, MOST_DOUBLINGS = 10.0, 3, 5
MOST_POINTS = 60
RUN_SECONDS = 50.0
ALL_WAIT_SECONDS = 6.0
"""How long all calls have to come to where they wait. Less than the `lock_timeout` of the notebook's processes."""
LOOK_SECONDS = 0.01
HELD = "300ms"
"""A row that is not to be had for so long is held."""
THE_RULE = "the rule"
UNCOMMITTED = (
    "Was it committed? When a statement has opened a transaction, `with connection.transaction()` is only a savepoint in it, and "
    "its end commits nothing."
)
SHAPE = "The cells that run your functions in a process must stay as they were: take them from a fresh copy of the lab."

Row = tuple[Any, ...]
Result = TypeVar("Result")


@dataclass(frozen=True)
class End:
    """How a process ended."""

    end: str
    value: Any

    @property
    def killed(self) -> bool:
        """Whether it was killed before it was done."""
        return self.end == "killed"


def end_of(value: Any) -> End:
    """What `in_process` told."""
    require(isinstance(value, dict) and {"end", "value"} <= set(value), SHAPE)
    return End(str(value["end"]), value["value"])


@dataclass
class Bench:
    """Runs the learner's functions in processes, by the names that the notebook gives to that."""

    lab: LabUnderTest
    connection: psycopg.Connection[Any]
    """In autocommit mode: between two statements it holds nothing."""

    def __post_init__(self) -> None:
        self.mark = f"{self.lab.random.getrandbits(40):010x}"
        self.made = 0

    def name(self, kind: str = "o") -> str:
        """A new name."""
        self.made += 1
        return f"{kind}-{self.mark}-{self.made}"

    def sql(self, statement: str, *values: Any) -> list[Row]:
        """Rows of the learner's database."""
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def run(
        self,
        name: str,
        arguments: Sequence[Any],
        table: dict[str, Any] | None = None,
        killed_at: int | None = None,
    ) -> End:
        """One call in a process."""
        runner = "run" if table is None else "run_by_table"
        extra = [] if table is None else [table]
        return end_of(self.lab.call(runner, name, list(arguments), *extra, killed_at, timeout=RUN_SECONDS))

    def at_once(
        self, name: str, calls: Sequence[Sequence[Any]], table: dict[str, Any] | None = None
    ) -> list[End]:
        """Several calls at the same time, each in a process."""
        runner = "run" if table is None else "run_by_table"
        extra = [] if table is None else [table]
        outcomes = self.lab.call_many(
            runner, [[name, list(call), *extra] for call in calls], workers=len(calls), timeout=RUN_SECONDS
        )
        require(all(outcome.error is None for outcome in outcomes), SHAPE)
        return [end_of(outcome.value) for outcome in outcomes]

    def returned(self, end: End, what: str) -> Any:
        """The value of a call that nothing disturbed."""
        if end.end == "raised":
            require(False, f"{what} raised {self.lab.telling.name(str(end.value).partition(':')[0])}.")
        require(end.end == "returned", f"{what} did not come to an end.")
        return end.value

    def open(self, step: str, *, attempt: int = 1, deadline: float | None = None, version: int = 1) -> str:
        """A new saga."""
        order = self.name()
        self.sql(
            "INSERT INTO sagas (order_id, step, attempt, deadline, version) VALUES (%s, %s, %s, %s, %s)",
            order, step, attempt, deadline, version,
        )  # fmt: skip
        return order

    def saga(self, order: str) -> Row | None:
        """(step, attempt, deadline, version)"""
        rows = self.sql("SELECT step, attempt, deadline, version FROM sagas WHERE order_id = %s", order)
        return rows[0] if rows else None

    def outbox(self, order: str) -> list[str]:
        """The commands that wait, in order."""
        return [
            command
            for (command,) in self.sql("SELECT command FROM outbox WHERE order_id = %s ORDER BY id", order)
        ]

    def noted(self, answer: dict[str, str]) -> bool:
        """Whether this answer is in the inbox."""
        return bool(self.sql("SELECT FROM inbox WHERE answer_id = %s", answer["id"]))

    def while_held(
        self,
        order: str,
        name: str,
        arguments: Sequence[Any],
        table: dict[str, Any],
        change: tuple[str, float | None],
    ) -> tuple[bool, End]:
        """A call while another transaction has changed the saga (step, deadline) and is not over.

        It commits once the call waits for it or is over: (whether the call waited, how it ended).
        """
        met = against_rival(
            self.lab,
            lambda rival: rival.execute(
                "UPDATE sagas SET step = %s, attempt = 1, deadline = %s, version = version + 1 WHERE order_id = %s",
                [*change, order],
            ),
            lambda: self.run(name, arguments, table),
        )
        return met.waited, met.result

    def while_stopped(
        self,
        at: tuple[str, str | None],
        call: Callable[[], Result],
        look: Callable[[psycopg.Connection[Any]], object],
    ) -> Result:
        """A call that stops, with the locks it has, while a rival looks, who commits then; what the call came to.

        `at` is a table and an order: it stops where it has inserted a row of this order, or, without an order, where it is to
        commit any row that it has inserted into this table.
        """
        table, order = at
        number = self.lab.random.getrandbits(62)
        name = sql.Identifier(f"stop_{number:x}")
        trigger = sql.SQL(_STOP).format(
            name=name,
            number=sql.Literal(number),
            table=sql.Identifier(table),
            when=sql.SQL("true") if order is None else sql.SQL("NEW.order_id = {}").format(sql.Literal(order)),
            moment=sql.SQL("DEFERRABLE INITIALLY DEFERRED" if order is None else ""),
        )
        self.connection.execute(trigger)
        try:
            return against_rival(
                self.lab,
                lambda rival: rival.execute("SELECT pg_advisory_xact_lock(%s)", [number]),
                call,
                look,
            ).result
        finally:
            self.connection.execute(sql.SQL("DROP FUNCTION {}() CASCADE").format(name))

    def meeting(self, table: str, name: str, calls: Sequence[Sequence[Any]]) -> list[End]:
        """Several calls, of which each was at work before the first could commit what it had inserted into this table."""

        def all_wait(rival: psycopg.Connection[Any]) -> None:
            deadline = time.monotonic() + ALL_WAIT_SECONDS
            while time.monotonic() < deadline:
                row = rival.execute(_WAITING).fetchone()
                if row and row[0] >= len(calls):
                    break
                time.sleep(LOOK_SECONDS)

        return self.while_stopped((table, None), lambda: self.at_once(name, calls), all_wait)


def unless_held(rival: psycopg.Connection[Any], statement: str, *values: Any) -> list[Row]:
    """What a change returns, or nothing when somebody holds what it needs."""
    try:
        with rival.transaction():
            rival.execute("SELECT set_config('lock_timeout', %s, true)", [HELD])
            return rival.execute(statement.encode(), values).fetchall()
    except pg.LockNotAvailable:
        return []


# The shared lock is to be had by all at once when the rival has committed.
_STOP = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({number});
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER {name} AFTER INSERT ON {table} {moment}
    FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION {name}();
"""
_TAKE_FREE = """
UPDATE sagas SET step = %s, attempt = 1, deadline = NULL, version = version + 1
WHERE order_id IN (
    SELECT order_id FROM sagas WHERE order_id = ANY (%s) AND version = 4 FOR UPDATE SKIP LOCKED
)
RETURNING order_id
"""
_WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"


@contextmanager
def opened(lab: LabUnderTest) -> Iterator[Bench]:
    """A bench with one connection for all its looks."""
    with lab.sql(autocommit=True) as connection:
        yield Bench(lab, connection)


def words(lab: LabUnderTest, count: int) -> list[str]:
    """Names for the steps of a process that nobody has heard of."""
    return [f"{lab.random.choice('bdfgklmnprst')}{lab.random.getrandbits(24):06x}" for _ in range(count)]


def near(found: Any, wanted: float) -> bool:
    """Whether a deadline is this one."""
    return isinstance(found, int | float) and abs(found - wanted) < 1e-6


def at_each_point(run: Callable[[int], bool], message: str) -> None:
    """Kill at the first step, at the second, … until a run is not killed any more."""
    for point in range(MOST_POINTS):
        if not run(point):
            require(point > 1, message)
            return
    require(False, f"Your function makes more than {MOST_POINTS} steps for one call.")


NOT_KILLED = (
    "Your function was to be killed and was not: all it does must go through the connection that it is given."
)


class Process:
    """A hidden process: a, then b twice (parcel by parcel), then c, then an end."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.a, self.b, self.c, self.end, self.other = words(lab, 5)
        self.yes, self.more, self.stop = words(lab, 3)
        self.command_b, self.command_c, self.command_back = words(lab, 3)
        self.table: dict[str, Any] = {
            f"{self.a} {self.yes}": [self.b, self.command_b],
            f"{self.b} {self.more}": [self.b, self.command_b],
            f"{self.b} {self.yes}": [self.c, self.command_c],
            f"{self.c} {self.yes}": [self.end, None],
            f"{self.other} {self.stop}": [self.end, None],
            f"{self.other} {self.yes}": [self.other, self.command_back],
        }


def answer_about(bench: Bench, order: str, answer: str) -> dict[str, str]:
    return {"id": bench.name("a"), "order_id": order, "answer": answer}


def take(bench: Bench, process: Process, answer: dict[str, str], now: float, what: str = "take") -> Any:
    result = bench.returned(bench.run("take", [answer, THE_RULE, now], process.table), what)
    require(isinstance(result, bool), "take must return True or False.")
    return result


class Clock:
    """Sagas of a hidden process, and a clock that the check turns."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.at, self.back, self.command, self.undo, self.dead = words(bench.lab, 5)
        self.tries = bench.lab.random.randint(9, 11)
        self.table: dict[str, Any] = {
            f"{self.at} {attempt}": [self.at, self.command, attempt + 1]
            if attempt < self.tries
            else [self.back, self.undo, 1]
            for attempt in range(1, self.tries + 1)
        }
        self.now = bench.lab.random.uniform(1_000, 9_000)

    def sweep(self, limit: int, killed_at: int | None = None) -> Any:
        end = self.bench.run("sweep", [self.now, THE_RULE, limit], self.table, killed_at)
        return None if end.killed else self.bench.returned(end, "sweep")

    def clear(self) -> None:
        self.bench.sql("DELETE FROM sagas")
        self.bench.sql("DELETE FROM outbox")

    def due(self, attempt: int = 1, late: float = 1.0) -> str:
        return self.bench.open(self.at, attempt=attempt, deadline=self.now - late, version=4)

    def require_moved(self, order: str, attempt: int) -> None:
        """Require that this saga was taken once, at this attempt."""
        step, command, following = self.table[f"{self.at} {attempt}"]
        saga = self.bench.saga(order)
        require(saga is not None, "A saga has vanished.")
        assert saga is not None
        commands = self.bench.outbox(order)
        require(saga[3] != 4 or commands, "A saga whose deadline has passed was left alone.")
        require(
            len(commands) <= 1,
            "A saga was taken more than once: there are several commands of it in the outbox. Which row is locked, and until "
            "when? A commit ends all row locks of its transaction.",
        )
        require(len(commands) == 1, "A saga was taken, and there is no command of it in the outbox.")
        require(
            saga[3] == 5,
            "A saga was taken, and there is one command of it in the outbox, but its version is not one higher, exactly.",
        )
        require(
            saga[0] == step and commands == [command],
            "An overdue saga is not at the step that `overdue` says, or not with its command.",
        )
        require(saga[1] == following, "An overdue saga has not the attempt that `overdue` says.")
        wanted = self.now + PATIENCE * min(2 ** (following - 1), 2**MOST_DOUBLINGS)
        require(
            near(saga[2], wanted),
            "The new deadline is wrong: PATIENCE from `now` on for the first attempt, twice as long for each further one, and "
            "never more than 2 ** MOST_DOUBLINGS times PATIENCE. The attempt is the new one.",
        )

    def pauses(self) -> None:
        self.clear()
        orders = {
            attempt: self.due(attempt, self.bench.lab.random.uniform(1, 9))
            for attempt in range(1, self.tries + 1)
        }
        just = self.due(1, 0.0)
        resting = [
            self.bench.open(self.at, deadline=self.now + 0.5),
            self.bench.open(self.dead),
            self.bench.open(self.at, attempt=self.tries, deadline=self.now + 500),
        ]
        rows = {order: self.bench.saga(order) for order in resting}
        before = {order: self.bench.saga(order) for order in (*orders.values(), just)}
        count = self.sweep(100)
        require(
            not count
            or any(self.bench.outbox(order) or self.bench.saga(order) != before[order] for order in before),
            f"sweep returned, says that it took sagas, and nothing of it is in the database. {UNCOMMITTED}",
        )
        for attempt, order in orders.items():
            self.require_moved(order, attempt)
        require(
            all(self.bench.saga(order) == row and not self.bench.outbox(order) for order, row in rows.items()),
            "A saga was taken whose deadline is still to come, or that has none.",
        )
        self.require_moved(just, 1)
        require(count == len(orders) + 1, "sweep must return how many sagas it took.")
        require(self.sweep(100) == 0, "A second sweep at the same time must find nothing and return 0.")

    def for_days(self) -> None:
        """Nobody has answered for so long that two to the power of the attempts is more than a float can hold."""
        self.clear()
        attempt = self.bench.lab.random.randint(1_100, 1_900)
        self.table[f"{self.at} {attempt}"] = [self.at, self.command, attempt + 1]
        order = self.due(attempt)
        end = self.bench.run("sweep", [self.now, THE_RULE, 10], self.table)
        self.bench.returned(end, "sweep, for a saga that has been repeated for days,")
        self.require_moved(order, attempt)

    def limit(self) -> None:
        self.clear()
        lateness = self.bench.lab.random.sample(range(1, 500), 9)
        orders = {late: self.due(1, float(late)) for late in lateness}
        by_lateness = [orders[late] for late in sorted(orders, reverse=True)]
        require(self.sweep(4) == 4, "sweep must take at most `limit` sagas, and as many when there are more.")
        taken = [order for order in by_lateness if self.bench.outbox(order)]
        require(len(taken) == 4, "sweep must take at most `limit` sagas, and as many when there are more.")
        require(
            taken == by_lateness[:4],
            "With a limit, the longest overdue come first: otherwise some wait for ever when there is much to do.",
        )
        sizes = [self.sweep(4), self.sweep(4)]
        require(sizes == [4, 1], "Further sweeps must take the rest.")

    def killed(self) -> None:
        def killed(point: int) -> bool:
            self.clear()
            orders = [self.due(1, float(late)) for late in (3, 2)]
            end = self.sweep(10, point)
            for order in orders:
                saga = self.bench.saga(order)
                assert saga is not None
                commands = self.bench.outbox(order)
                require(
                    (saga[3] == 4) == (not commands),
                    "sweep was killed, and a saga has a new deadline without its command, or a command without a new deadline.",
                )
            self.sweep(10)
            for order in orders:
                self.require_moved(order, 1)
            return end is None

        at_each_point(killed, NOT_KILLED)

    def passed_over(self) -> None:
        """Somebody holds the most overdue saga."""
        self.clear()
        held, *others = [self.due(1, float(late)) for late in (9, 5, 3)]
        waited, end = self.bench.while_held(
            held, "sweep", [self.now, THE_RULE, 2], self.table, (self.dead, None)
        )
        require(
            not waited,
            "sweep waited for a saga that somebody else holds. One stuck worker then stops them all: pass over what is locked.",
        )
        result = self.bench.returned(end, "sweep, while somebody held a saga,")
        require(
            self.bench.saga(held) == (self.dead, 1, None, 5) and not self.bench.outbox(held),
            "Somebody else held a saga and moved it, and the sweep took it all the same.",
        )
        require(result == 2, "While one saga was held by somebody else, the others were not taken.")
        for order in others:
            self.require_moved(order, 1)

    def at_work(self) -> None:
        """Somebody else takes what is free while a sweep is in the midst of its sagas."""
        self.clear()
        orders = [self.due(1, float(late)) for late in (9, 5, 3)]
        taken: list[str] = []
        end = self.bench.while_stopped(
            ("outbox", orders[1]),
            lambda: self.bench.run("sweep", [self.now, THE_RULE, 10], self.table),
            lambda rival: taken.extend(order for (order,) in unless_held(rival, _TAKE_FREE, self.dead, orders)),
        )
        result = self.bench.returned(end, "sweep, while somebody else was at work,")
        require(
            all(
                self.bench.saga(order) == (self.dead, 1, None, 5) and not self.bench.outbox(order)
                for order in taken
            ),
            "While sweep was at work on one saga, somebody else took another that nobody held, and sweep took it all the same. "
            "A row must stay locked from where it is read to where it is written, and a commit ends all locks.",
        )
        for order in orders:
            if order not in taken:
                self.require_moved(order, 1)
        require(result == len(orders) - len(taken), "sweep must return how many sagas it took.")

    def race(self) -> None:
        """Several workers at once."""
        self.clear()
        orders = [self.due(1, 1.0 + number / 10) for number in range(24)]
        ends = self.bench.at_once("sweep", [[self.now, THE_RULE, 6]] * 4, self.table)
        counts = [self.bench.returned(end, "sweep, by several workers at once,") for end in ends]
        taken = [order for order in orders if self.bench.outbox(order)]
        for order in taken:
            self.require_moved(order, 1)
        require(
            sum(counts) == len(taken),
            "Several workers together say that they took more, or fewer, sagas than they did.",
        )
        while self.sweep(6):
            pass
        for order in orders:
            self.require_moved(order, 1)
