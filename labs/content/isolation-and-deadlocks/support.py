"""What the checks of isolation-and-deadlocks share: hidden wallets, jobs and days, and connections that die."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from labs.attempts import attempt
from labs.checks import LabUnderTest, require
from labs.failing_writes import DIES, fail_writes, raises

GATE_SECONDS = 8.0
"""How long several calls have to come to the gate where the check waits for them: less than their own patience with locks."""

NOTES = """
CREATE TABLE IF NOT EXISTS notes_of_level (wallet_id text NOT NULL, level text NOT NULL, pid integer NOT NULL);
CREATE OR REPLACE FUNCTION note_the_level() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notes_of_level VALUES (NEW.wallet_id, current_setting('transaction_isolation'), pg_backend_pid());
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER note_the_level AFTER INSERT ON movements FOR EACH ROW EXECUTE FUNCTION note_the_level();
"""
GATE_OF_PAYOUTS = """
CREATE TABLE IF NOT EXISTS gate_of_payouts ();
CREATE OR REPLACE FUNCTION pass_the_gate_of_payouts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE gate_of_payouts IN ACCESS SHARE MODE;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER pass_the_gate BEFORE INSERT ON payouts
    FOR EACH STATEMENT EXECUTE FUNCTION pass_the_gate_of_payouts();
"""


class Purse:
    """Hidden customers with two wallets each, and what became of them."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self.customers: dict[str, list[str]] = {}
        self.held: dict[str, int] = {}

    def customer(self, *balances: int) -> list[str]:
        """A new customer with wallets that hold these cents; the ids sort in no relation to their sequence."""
        name = f"{self.lab.random.getrandbits(48):012x}"
        wallets = [f"{self.lab.random.getrandbits(40):010x}-{name[:6]}" for _ in balances]
        with self.lab.sql() as connection:
            for wallet, cents in zip(wallets, balances, strict=True):
                connection.execute("INSERT INTO wallets VALUES (%s, %s, %s)", [wallet, name, cents])
        self.customers[name] = wallets
        self.held.update(zip(wallets, balances, strict=True))
        return wallets

    def now(self) -> dict[str, int]:
        """What the hidden wallets hold."""
        with self.lab.sql() as connection:
            found = connection.execute(
                "SELECT wallet_id, balance FROM wallets WHERE wallet_id = ANY(%s)", [list(self.held)]
            ).fetchall()
        require(len(found) == len(self.held), "A wallet disappeared: moving money never deletes rows.")
        return dict(found)

    def judge(self, wanted: dict[str, list[int]]) -> dict[str, int]:
        """Require that the books are right: `wanted` are the movements that were told of, by wallet. Returns the balances."""
        with self.lab.sql() as connection:
            found = connection.execute(
                "SELECT wallet_id, amount FROM movements WHERE wallet_id = ANY(%s)", [list(self.held)]
            ).fetchall()
        moved: dict[str, list[int]] = {wallet: [] for wallet in self.held}
        for wallet, amount in found:
            moved[wallet].append(amount)
        now = self.now()
        require(
            all(now[wallet] == self.held[wallet] + sum(moved[wallet]) for wallet in self.held),
            "A wallet's balance and its movements disagree: the balance must have changed by exactly the sum "
            "of its movements. "
            "Is there a path on which only one of them is written, or a balance that was written back from an "
            "older reading?",
        )
        require(
            all(sorted(moved[wallet]) == sorted(wanted.get(wallet, [])) for wallet in self.held),
            "The movements are not those of the calls that were told True: one row for each change of a "
            "wallet, negative for what was "
            "taken, committed before you return, and nothing where you did not say True.",
        )
        return now


def force(lab: LabUnderTest, wallet: str, state: str, often: int, *, late: bool = False) -> str:
    """Let changes of the wallet fail with this SQLSTATE, at the statement or (`late`) at the commit; returns what counts them."""
    return fail_writes(lab, "UPDATE", "wallets", ("wallet_id", wallet), raises(state), often, late=late)


class Queue:
    """Hidden jobs in an otherwise empty queue, and what became of them."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self.ids: dict[str, int] = {}
        self.amounts: dict[str, int] = {}
        try:
            with lab.sql() as connection:
                connection.execute("TRUNCATE jobs, payouts")
        except psycopg.errors.LockNotAvailable:  # a transaction of the notebook that was never ended
            with lab.sql() as connection:
                connection.execute("DELETE FROM jobs")
                connection.execute("DELETE FROM payouts")

    def name(self) -> str:
        return f"{self.lab.random.getrandbits(40):010x}"

    def add(
        self,
        wallet: str,
        *,
        minutes: int = 0,
        state: str = "ready",
        like: str | None = None,
        amount: int | None = None,
    ) -> None:
        amount = self.lab.random.randint(100, 90_000) if amount is None else amount
        due = datetime.now(UTC) + timedelta(minutes=minutes)
        with self.lab.sql() as connection:
            row = connection.execute(
                """
                INSERT INTO jobs (wallet_id, amount, state, due_at)
                SELECT %s, %s, %s, coalesce((SELECT due_at FROM jobs WHERE job_id = %s), %s) RETURNING job_id, due_at
                """,
                [wallet, amount, state, self.ids.get(like or ""), due],
            ).fetchone()
            if like is not None:
                # `like` was taken by nobody yet: both are due at the same instant, and the id decides.
                connection.execute("UPDATE jobs SET due_at = %s WHERE job_id = %s", [row[1], self.ids[like]])  # type: ignore[index]
        assert row is not None
        self.ids[wallet], self.amounts[wallet] = row[0], amount

    def add_many(self, count: int) -> None:
        """Jobs that are all due."""
        with self.lab.sql() as connection:
            connection.execute(
                """
                INSERT INTO jobs (wallet_id, amount, due_at)
                SELECT md5(n::text), 100 + n, now() - interval '1 minute' FROM generate_series(1, %s) AS n
                """,
                [count],
            )

    def lie_in_no_order(self) -> None:
        """Let the planner know how few jobs there are, so that it reads the table and not the index, which has an order."""
        with self.lab.sql() as connection:
            connection.execute("ANALYZE jobs")

    def require_all_paid(self) -> None:
        """Require that every job in the table is done and paid once."""
        with self.lab.sql() as connection:
            found = connection.execute(
                """
                SELECT state, (SELECT count(*) FROM payouts WHERE job_id = jobs.job_id AND amount = jobs.amount) FROM jobs
                """
            ).fetchall()
        require(
            all(paid <= 1 for _, paid in found), "With many workers at once, a job was paid more than once."
        )
        require(
            all(state == "done" and paid == 1 for state, paid in found),
            "With many workers at once, there are jobs left that are not done and paid, though work was called "
            "more often than there were jobs.",
        )

    def work(self) -> object:
        return self.lab.call("on_own_connection", "work", timeout=30.0)

    def job(self, wallet: str) -> Any:
        """state, attempts, last_error, seconds until it is due."""
        with self.lab.sql() as connection:
            row = connection.execute(
                "SELECT state, attempts, last_error, extract(epoch FROM due_at - now())::float FROM jobs WHERE job_id = %s",
                [self.ids[wallet]],
            ).fetchone()
        require(row is not None, "A job disappeared from the table: jobs are ticked off, not deleted.")
        return row

    def payouts(self, wallet: str) -> list[Any]:
        with self.lab.sql() as connection:
            return connection.execute(
                "SELECT job_id, amount FROM payouts WHERE wallet_id = %s", [wallet]
            ).fetchall()

    def pay_as_another(self, rival: Any, wallet: str) -> bool:
        """Do this job as another worker does once it gets the table: whether it could take it."""
        rival.execute("LOCK TABLE jobs IN EXCLUSIVE MODE")
        job = rival.execute(
            """
            UPDATE jobs SET state = 'done' WHERE job_id = %s AND state = 'ready' AND due_at <= now()
            RETURNING job_id, wallet_id, amount
            """,
            [self.ids[wallet]],
        ).fetchone()
        if job is not None:
            rival.execute("INSERT INTO payouts (job_id, wallet_id, amount) VALUES (%s, %s, %s)", job)
        rival.commit()
        return job is not None

    def require_paid(self, wallet: str) -> None:
        """Require that this job is done and paid once."""
        paid = self.payouts(wallet)
        require(paid, "A job was taken and never paid: was the payout committed?")
        require(len(paid) == 1, "A job was paid more than once.")
        require(
            paid == [(self.ids[wallet], self.amounts[wallet])],
            "A payout does not have the job_id or the amount of its job: call pay.",
        )
        state, attempts, _, _ = self.job(wallet)
        require(state == "done", "A job was paid but is not done, so it will be paid again.")
        require(attempts == 0, "A job that went well at once must not count an attempt that failed.")


class Days:
    """Hidden days, and a gate at which closing one of them can be held up."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        start = lab.random.randint(0, 3000)
        numbers = lab.random.sample(range(start, start + 400), 20)
        self._days = iter(f"{datetime(2031, 1, 1, tzinfo=UTC) + timedelta(days=n):%Y-%m-%d}" for n in numbers)
        with lab.sql() as connection:
            connection.execute(
                """
                CREATE TABLE IF NOT EXISTS gate ();
                CREATE OR REPLACE FUNCTION pass_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    LOCK TABLE gate IN ACCESS SHARE MODE;
                    RETURN NULL;
                END $$;
                CREATE OR REPLACE TRIGGER pass_the_gate BEFORE INSERT ON closings
                    FOR EACH STATEMENT EXECUTE FUNCTION pass_the_gate();
                CREATE TABLE IF NOT EXISTS gate_of_commits ();
                CREATE OR REPLACE FUNCTION pass_the_gate_of_commits() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    LOCK TABLE gate_of_commits IN ACCESS SHARE MODE;
                    RETURN NULL;
                END $$;
                DROP TRIGGER IF EXISTS pass_the_gate_of_commits ON closings;
                CREATE CONSTRAINT TRIGGER pass_the_gate_of_commits AFTER INSERT ON closings DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION pass_the_gate_of_commits();
                """
            )
            # Few customers are enough here, and each closing is quicker.
            connection.execute("DELETE FROM closings")
            connection.execute("DELETE FROM movements")
            connection.execute("DELETE FROM wallets")
            connection.execute(
                "INSERT INTO wallets SELECT n || '-gift', n::text, n FROM generate_series(1, %s) AS n",
                [lab.random.randint(40, 60)],
            )

    def new(self) -> str:
        return next(self._days)

    def die_at(self, day: str) -> None:
        """Let the first call that closes this day die while it writes."""
        fail_writes(self.lab, "INSERT", "closings", ("day", day), DIES, after=2)

    def raise_at(self, day: str) -> None:
        """Let the first call that closes this day be refused while it writes; its connection lives."""
        fail_writes(self.lab, "INSERT", "closings", ("day", day), raises("23514"), after=2)

    def settle(self, day: str) -> bool | str:
        return attempt(self.lab, "settle", day)

    def rows(self, day: str) -> tuple[int, int]:
        """How many rows the day has, and for how many customers."""
        with self.lab.sql() as connection:
            row = connection.execute(
                "SELECT count(*), count(DISTINCT customer_id) FROM closings WHERE day = %s", [day]
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    def require_closed(self, day: str) -> None:
        with self.lab.sql() as connection:
            row = connection.execute("SELECT count(DISTINCT customer_id) FROM wallets").fetchone()
        assert row is not None
        rows, customers = self.rows(day)
        require(rows > 0, "You returned True for a day that has no rows in closings: was it committed?")
        require(rows == customers, "A day was closed more than once: a customer has several rows for it.")
        require(customers == row[0], "A day was closed without all of the customers: call close_day.")

    def require_no_lock(self, when: str = "The call has ended") -> None:
        """Require that no advisory lock outlives the call that took it."""
        with self.lab.sql() as connection:
            row = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        require(
            row and row[0] == 0,
            f"{when} and its advisory lock is still held: it belongs to the session, which went back into the pool. Give it "
            "back on every way out, or take the kind that ends with the transaction.",
        )
