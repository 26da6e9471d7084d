"""Checks of isolation-and-deadlocks: hidden wallets, jobs and days, judged by what the tables and the server's locks say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from labs.attempts import (
    GAVE_UP,
    MAX_ATTEMPTS,
    attempt,
    attempt_with_pauses,
    require_end,
    require_random,
    require_schedule,
    rush,
)
from labs.checks import LabUnderTest, check, require
from labs.failing_writes import DIES, EVERY, fail_writes, raises, writes_of
from labs.rivals import Rival, against_rival, rows_to_have
from sandboxes.interface import LearnerCodeError

from .support import GATE_OF_PAYOUTS, GATE_SECONDS, NOTES, Days, Purse, Queue, force

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
WAITS_FOR_JOBS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND relation = 'jobs'::regclass AND NOT granted)
"""


@contextmanager
def _where(**meanings: str) -> Iterator[None]:
    """Say what it means here when the learner's code raises one of these errors; `any` stands for all others."""
    try:
        yield
    except LearnerCodeError as error:
        meaning = meanings.get(error.name, meanings.get("any"))
        require(meaning is None, f"{meaning}".replace("THE ERROR", error.name))
        raise


@check("write-skew")
def the_interleaving_shows_what_each_level_lets_through(lab: LabUnderTest) -> None:
    """Write skew goes through at Read Committed and Repeatable Read, and one session is refused at Serializable."""
    with lab.sql() as connection:
        connection.execute(NOTES)
    for level in LEVELS:
        purse = Purse(lab)
        gift, bonus = lab.random.randint(300, 900), lab.random.randint(300, 900)
        wallets = purse.customer(gift, bonus)
        amount = lab.random.randint((gift + bonus) // 2 + 1, gift + bonus)
        outcomes = _skew(lab, wallets, amount, level)
        now = purse.now()
        together = sum(now.values())
        if level == "SERIALIZABLE":
            require(
                together == gift + bonus - amount,
                "At Serializable exactly one of the two withdrawals must have been committed. Are both "
                "sessions at that level, and has "
                "each read both wallets before the first one wrote?",
            )
            require(
                sorted(outcomes) == ["40001", "committed"],
                "At Serializable one session commits and the other is refused: give the SQLSTATE of its error "
                "as its outcome.",
            )
        else:
            require(
                together == gift + bonus - 2 * amount,
                f"At {level.title()} both withdrawals go through, and the wallets together end below zero: that "
                "is the anomaly. Yours "
                "did not show it. Do both sessions read before the first one writes, and does each take from "
                "its own wallet?",
            )
            require(
                outcomes == ["committed", "committed"],
                f"At {level.title()} both sessions were committed, and your outcomes say something else.",
            )
        taken = [-amount if outcome == "committed" else 0 for outcome in outcomes]
        require(
            [now[wallet] - purse.held[wallet] for wallet in wallets] == taken,
            "The first session takes from wallets[0] and the second from wallets[1], and the outcomes are in that order.",
        )
        purse.judge({wallet: [change] for wallet, change in zip(wallets, taken, strict=True) if change})
        with lab.sql() as connection:
            notes = connection.execute(
                "SELECT level, pid FROM notes_of_level WHERE wallet_id = ANY(%s)", [wallets]
            ).fetchall()
        require(
            all(noted == level.lower() for noted, _ in notes),
            "A session wrote at another isolation level than the one that was asked for.",
        )
        require(
            len({pid for _, pid in notes}) == len(notes),
            "Both withdrawals were made by one session: the second belongs to `second`.",
        )
    purse = Purse(lab)
    gift, bonus = lab.random.randint(100, 300), lab.random.randint(100, 300)
    wallets = purse.customer(gift, bonus)
    outcomes = _skew(lab, wallets, gift + bonus + 1, lab.random.choice(LEVELS))
    require(
        outcomes == ["refused", "refused"],
        'When the wallets together hold less than the amount, both sessions are "refused".',
    )
    purse.judge({})
    exact = Purse(lab)
    wallets = exact.customer(gift, bonus)
    outcomes = _skew(lab, wallets, gift + bonus, LEVELS[0])
    require(
        outcomes == ["committed", "committed"],
        "A customer whose wallets hold exactly the amount may take it: refuse only when they hold less.",
    )


def _skew(lab: LabUnderTest, wallets: list[str], amount: int, level: str) -> list[str]:
    left = "THE ERROR left write_skew: an error of the database is a session's outcome, told by its SQLSTATE."
    with _where(SerializationFailure=left, InFailedSqlTransaction=left):
        outcomes = lab.call("on_two_connections", "write_skew", wallets, amount, level, timeout=30.0)
    require(
        isinstance(outcomes, list) and len(outcomes) == 2 and all(isinstance(one, str) for one in outcomes),
        "write_skew must return a list of two texts: the outcome of the first session and that of the second.",
    )
    assert isinstance(outcomes, list)
    return [str(one) for one in outcomes]


@check("serializable-retry")
def withdrawals_hold_the_rule_and_retry_with_measure(lab: LabUnderTest) -> None:
    """Holds a rule that spans rows, retries what deserves it and nothing else, and gives up cleanly."""
    left = (
        "THE ERROR left withdraw, and deserved another attempt. It may come from any statement and from COMMIT: is each of "
        "them inside what you retry?"
    )
    with _where(SerializationFailure=left, DeadlockDetected=left):
        _withdraws(lab)


def _withdraws(lab: LabUnderTest) -> None:
    function = "withdraw"
    purse = Purse(lab)
    wanted: dict[str, list[int]] = {}
    first, second = purse.customer(lab.random.randint(200, 400), lab.random.randint(200, 400))
    purse.customer(5000)
    together = purse.held[first] + purse.held[second]
    amount = purse.held[first] + lab.random.randint(1, 50)
    ask = _asking(purse, function, wanted)
    ask(
        first,
        amount,
        True,
        "The wallets together hold enough, so the withdrawal must succeed, also when this one wallet goes below zero.",
    )
    ask(
        second,
        together - amount + 1,
        False,
        "When the wallets together hold less than the amount, return False.",
    )
    ask(second, together - amount, True, "Exactly what the wallets hold together may be taken.")
    ask(second, 1, False, "When nothing is left in the wallets together, return False.")
    none = f"none-{lab.random.getrandbits(32):08x}"
    with _where(any="For a wallet that does not exist return False: THE ERROR came out."):
        require(attempt(lab, function, none, 1) is False, "For a wallet that does not exist return False.")

    _meets_a_serializable_rival(lab, function)
    for state, late in (("40001", False), ("40P01", False), ("40001", True)):
        purse = Purse(lab)
        wallet, _ = purse.customer(lab.random.randint(500, 900), 10)
        force(lab, wallet, state, 2, late=late)
        amount = lab.random.randint(5, 50)
        place = "at the commit" if late else "at a statement"
        result = attempt(lab, function, wallet, amount)
        require(
            result is True,
            f"After two refusals with SQLSTATE {state} {place} there was nothing in the way any more, and yet "
            "you did not withdraw.",
        )
        purse.judge({wallet: [-amount]})
    _passes_other_errors_on(lab, function)
    _gives_up(lab, function)
    _holds_under_load(lab, function)


def _asking(purse: Purse, function: str, wanted: dict[str, list[int]]) -> Callable[[str, int, bool, str], None]:
    def ask(wallet: str, amount: int, expected: bool, message: str) -> None:
        require(attempt(purse.lab, function, wallet, amount) is expected, message)
        if expected:
            wanted.setdefault(wallet, []).append(-amount)
        purse.judge(wanted)

    return ask


def _meets_a_serializable_rival(lab: LabUnderTest, function: str) -> None:
    """Another serializable transaction has read both wallets and changed the other one, and commits last."""
    purse = Purse(lab)
    mine, other = purse.customer(lab.random.randint(300, 500), lab.random.randint(300, 500))
    amount = (purse.held[mine] + purse.held[other]) // 2 + 1

    def rival_withdraws(rival: Rival) -> None:
        rival.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        rival.execute("SELECT sum(balance) FROM wallets WHERE wallet_id = ANY(%s)", [[mine, other]])
        rival.execute("UPDATE wallets SET balance = balance - %s WHERE wallet_id = %s", [amount, other])
        rival.execute("INSERT INTO movements (wallet_id, amount) VALUES (%s, %s)", [other, -amount])

    met = against_rival(lab, rival_withdraws, lambda: attempt(lab, function, mine, amount))
    wanted = {mine: [-amount]} if met.result is True else {}
    if met.committed:
        wanted[other] = [-amount]
    require(
        not (met.committed and met.result is True),
        "Two withdrawals from one customer at the same time both went through, and the wallets together are "
        "below zero. The other one was "
        "SERIALIZABLE. Is yours, for all of its statements?",
    )
    purse.judge(wanted)


def _passes_other_errors_on(lab: LabUnderTest, function: str) -> None:
    for state, name in (("23514", "CheckViolation"), ("55P03", "LockNotAvailable")):
        purse = Purse(lab)
        wallet, _ = purse.customer(lab.random.randint(500, 900), 10)
        counter = force(lab, wallet, state, MAX_ATTEMPTS + 10)
        try:
            result: object = attempt(lab, function, wallet, 5, timeout=60.0)
        except LearnerCodeError as error:
            result = error.name
        require(
            writes_of(lab, counter) <= 1,
            "You ran the transaction again after an error that is neither a serialization failure nor a deadlock.",
        )
        require(
            result == name,
            "An error that is neither a serialization failure nor a deadlock must reach the caller as it is.",
        )
        purse.judge({})


def _gives_up(lab: LabUnderTest, function: str) -> None:
    schedules = []
    for late in (False, True):
        purse = Purse(lab)
        wallet, _ = purse.customer(lab.random.randint(500, 900), 10)
        counter = force(lab, wallet, "40001", MAX_ATTEMPTS + 10, late=late)
        result, pauses = attempt_with_pauses(lab, function, wallet, 5, timeout=60.0)
        tries = writes_of(lab, counter)
        require_end(tries)
        purse.judge({})
        require(
            result == GAVE_UP,
            "When every attempt is refused, raise GaveUp: the customer's money is not the reason.",
        )
        schedule = require_schedule(tries, pauses)
        require(
            len(schedule) == tries - 1,
            "Pause before every attempt but the first: not before the first one, and not after the last one.",
        )
        schedules.append(schedule)
    require_random(*schedules)


def _holds_under_load(lab: LabUnderTest, function: str) -> None:
    purse = Purse(lab)
    customers = [purse.customer(lab.random.randint(300, 500), lab.random.randint(300, 500)) for _ in range(8)]
    calls = [
        (lab.random.choice(wallets), lab.random.randint(60, 160)) for wallets in customers for _ in range(14)
    ]
    lab.random.shuffle(calls)
    results = rush(lab, function, calls, workers=8)
    told: dict[str, list[int]] = {}
    for (wallet, amount), result in zip(calls, results, strict=True):
        if result is True:
            told.setdefault(wallet, []).append(-amount)
    now = purse.judge(told)
    left = {wallet: sum(now[each] for each in wallets) for wallets in customers for wallet in wallets}
    require(
        all(cents >= 0 for cents in left.values()),
        "With 8 connections at once a customer's wallets together ended below zero.",
    )
    require(
        not any(
            result is False and amount <= left[wallet]
            for (wallet, amount), result in zip(calls, results, strict=True)
        ),
        "You refused a withdrawal although the wallets held enough for it, from first to last.",
    )
    require(
        sum(result == GAVE_UP for result in results) <= len(calls) // 5,
        "With 8 connections at once too many withdrawals gave up. Allow more attempts, with longer pauses.",
    )


@check("lock-order")
def transfers_cannot_deadlock(lab: LabUnderTest) -> None:
    """Locks wallets in a sequence that can't deadlock, decides on what it holds, and hinders nobody else."""
    function = "transfer"
    purse = Purse(lab)
    source, target = purse.customer(lab.random.randint(200, 400), 0)
    (other,) = purse.customer(lab.random.randint(200, 400))
    wanted: dict[str, list[int]] = {}

    def ask(giver: str, taker: str, amount: int, expected: bool, message: str) -> None:
        require(attempt(lab, function, giver, taker, amount) is expected, message)
        if expected:
            wanted.setdefault(giver, []).append(-amount)
            wanted.setdefault(taker, []).append(amount)
        purse.judge(wanted)

    some = lab.random.randint(20, 100)
    ask(
        source,
        other,
        some,
        True,
        "With enough in the source wallet and nobody else about, a transfer must succeed.",
    )
    ask(
        source,
        target,
        purse.held[source] - some + 1,
        False,
        "A source wallet that holds less than the amount: False.",
    )
    ask(source, target, purse.held[source] - some, True, "A wallet may give exactly what it holds.")
    ask(
        source,
        other,
        1,
        False,
        "An empty wallet can't give, whatever the customer's other wallet holds: False.",
    )
    none = f"none-{lab.random.getrandbits(32):08x}"
    with _where(any="A wallet that does not exist must give False: THE ERROR came out."):
        ask(other, none, 1, False, "When the target wallet does not exist, return False and change nothing.")
        ask(none, other, 1, False, "When the source wallet does not exist, return False and change nothing.")
    ask(other, other, 1, False, "A transfer from a wallet to itself must return False and change nothing.")

    _hinders_nobody(lab, function)
    _locks_in_one_sequence(lab, function)
    _decides_under_the_lock(lab, function)

    purse = Purse(lab)
    wallets = [wallet for _ in range(3) for wallet in purse.customer(9_000, 9_000)]
    calls = [(*lab.random.sample(wallets, 2), lab.random.randint(1, 60)) for _ in range(160)]
    results = rush(lab, function, calls, workers=12)
    require(
        all(result is True for result in results),
        "With plenty in every wallet, each transfer must return True.",
    )
    moved: dict[str, list[int]] = {}
    for giver, taker, amount in calls:
        moved.setdefault(giver, []).append(-amount)
        moved.setdefault(taker, []).append(amount)
    purse.judge(moved)


def _locks_in_one_sequence(lab: LabUnderTest, function: str) -> None:
    """Hold one of the two rows and see whether the call has the other one when it waits: the direction must not matter."""
    purse = Purse(lab)
    one, two = sorted(purse.customer(lab.random.randint(200, 400), lab.random.randint(200, 400)))
    wanted: dict[str, list[int]] = {}
    for held_row in (one, two):
        seen: list[bool] = []

        def look(rival: Rival, held_row: str = held_row, seen: list[bool] = seen) -> None:
            free = rows_to_have(
                rival,
                "SELECT wallet_id FROM wallets WHERE wallet_id = ANY (%s) FOR NO KEY UPDATE SKIP LOCKED",
                [[one, two]],
            )
            seen.append(len(free) < 2)

        for giver, taker in ((one, two), (two, one)):
            met = against_rival(
                lab,
                lambda rival, held_row=held_row: rival.execute(
                    "SELECT FROM wallets WHERE wallet_id = %s FOR NO KEY UPDATE", [held_row]
                ),
                lambda giver=giver, taker=taker: attempt(lab, function, giver, taker, 10),
                look,
            )
            require(
                met.waited,
                "While another transaction held one of the two wallets, your transfer did not wait for it.",
            )
            require(met.result is True, "A transfer that had to wait for a wallet must succeed afterwards.")
            wanted.setdefault(giver, []).append(-10)
            wanted.setdefault(taker, []).append(10)
        require(
            len(set(seen)) == 1,
            "Two transfers in opposite directions can deadlock: which wallet you lock first depends on the direction. "
            "Lock them in a sequence that is the same for everybody.",
        )
    purse.judge(wanted)


def _decides_under_the_lock(lab: LabUnderTest, function: str) -> None:
    """Another transaction takes the money while the transfer waits for the wallet."""
    purse = Purse(lab)
    source, target = purse.customer(lab.random.randint(200, 400), 0)

    def rival_takes(rival: Rival) -> None:
        rival.execute(
            "UPDATE wallets SET balance = balance - %s WHERE wallet_id = %s", [purse.held[source], source]
        )
        rival.execute(
            "INSERT INTO movements (wallet_id, amount) VALUES (%s, %s)", [source, -purse.held[source]]
        )

    met = against_rival(
        lab,
        rival_takes,
        lambda: attempt(lab, function, source, target, purse.held[source] // 2),
    )
    require(
        met.result is False,
        "Another transaction emptied the source wallet while you waited for it, and you still gave from it. "
        "Decide on what you read "
        "under the lock.",
    )
    purse.judge({source: [-purse.held[source]]})


def _hinders_nobody(lab: LabUnderTest, function: str) -> None:
    """A transfer of two wallets goes through while somebody else has changed a third one."""
    purse = Purse(lab)
    source, target = purse.customer(500, 0)
    (third,) = purse.customer(100)
    met = against_rival(
        lab,
        lambda rival: rival.execute("UPDATE wallets SET balance = balance WHERE wallet_id = %s", [third]),
        lambda: attempt(lab, function, source, target, 50),
    )
    require(
        not met.waited,
        "A transfer waited for somebody who had changed a wallet that is neither its source nor its target: lock the two "
        "rows, and no more.",
    )
    require(met.result is True, "With enough in the source wallet, a transfer must succeed.")


@check("job-queue")
def every_job_is_done_once_whatever_dies(lab: LabUnderTest) -> None:
    """Takes due jobs in order, waits for nobody, pays each job exactly once whatever dies, and puts hopeless jobs aside."""
    queue = Queue(lab)
    late, soon, early, done, dead, same = (queue.name() for _ in range(6))
    queue.add(soon, minutes=-lab.random.randint(5, 9))
    queue.add(late, minutes=lab.random.randint(1, 30))
    queue.add(early, minutes=-lab.random.randint(20, 40))
    queue.add(done, minutes=-60, state="done")
    queue.add(dead, minutes=-60, state="dead")
    queue.add(same, like=soon)
    queue.lie_in_no_order()
    for name in (early, soon, same):
        taken = queue.work()
        require(taken is not None, "There was a job that is ready and due, and work returned None.")
        require(
            taken not in (queue.ids[done], queue.ids[dead]),
            "You took a job that is done or dead: only ready ones are to be taken.",
        )
        require(taken != queue.ids[late], "You took a job that is not due yet.")
        require(
            taken == queue.ids[name],
            "You did not take the job that is due for the longest time, by due_at and then job_id. Without ORDER BY, or with a "
            "part of it, rows come as they lie, or as an index has them.",
        )
        queue.require_paid(name)
    require(queue.work() is None, "With no job that is ready and due, return None.")

    queue = Queue(lab)
    first, second = queue.name(), queue.name()
    queue.add(first, minutes=-10)
    queue.add(second, minutes=-5)
    met = against_rival(
        lab,
        lambda rival: rival.execute("SELECT FROM jobs WHERE job_id = %s FOR UPDATE", [queue.ids[first]]),
        queue.work,
    )
    require(
        not met.waited,
        "Another worker held the first job, and you waited for it: pass over jobs that others hold.",
    )
    require(met.result == queue.ids[second], "While another worker holds the first job, take the next one.")
    queue.require_paid(second)
    require(
        queue.work() == queue.ids[first],
        "A job that its worker gave back untouched must be taken by the next one.",
    )

    _holds_its_own_job_alone(lab)
    for table in ("payouts", "jobs"):
        _survives_a_death(lab, table)
    _puts_hopeless_jobs_aside(lab)
    _notes_a_failure_before_anybody_else(lab)

    queue = Queue(lab)
    queue.add_many(48)
    outcomes = lab.call_many("on_own_connection", [["work"] for _ in range(60)], workers=12, timeout=90.0)
    raised = [outcome.error.split(":")[0] for outcome in outcomes if outcome.error]
    require(not raised, f"With 12 workers at once, work raised {raised[0] if raised else ''}.")
    queue.require_all_paid()


def _holds_its_own_job_alone(lab: LabUnderTest) -> None:
    """Hold a worker up while it pays, and see which jobs others could take meanwhile."""
    queue = Queue(lab)
    queue.add_many(4)
    free: list[int] = []
    with lab.sql() as connection:
        connection.execute(GATE_OF_PAYOUTS)

    def look(keeper: Rival) -> None:
        rows = rows_to_have(keeper, "SELECT job_id FROM jobs WHERE state = 'ready' FOR UPDATE SKIP LOCKED")
        free.append(len(rows))

    met = against_rival(
        lab,
        lambda keeper: keeper.execute("LOCK TABLE gate_of_payouts IN ACCESS EXCLUSIVE MODE"),
        queue.work,
        look,
    )
    with lab.sql() as connection:
        connection.execute("DROP TRIGGER pass_the_gate ON payouts")
    require(met.waited and free, "work did not write a payout for a job that is ready and due: call pay.")
    require(
        free[0] >= 3, "While a worker pays one job it keeps others from being taken: lock one job and no more."
    )
    require(free[0] == 3, "While a worker pays a job, another one could take the same job: nothing holds it.")


def _survives_a_death(lab: LabUnderTest, table: str) -> None:
    """The worker's connection dies when it writes to the table for the first time."""
    queue = Queue(lab)
    name = queue.name()
    fail_writes(lab, "INSERT" if table == "payouts" else "UPDATE", table, ("wallet_id", name), DIES)
    queue.add(name, minutes=-5)
    try:
        queue.work()
    except LearnerCodeError as error:
        if error.name == "NotImplementedError":
            raise
    paid = queue.payouts(name)
    if paid:
        queue.require_paid(name)
        return
    state, attempts, _, seconds = queue.job(name)
    require(
        state != "done",
        "A worker died before it had paid, and its job is done all the same: nobody will ever pay it.",
    )
    require(
        state == "ready" and seconds <= 0,
        "A worker died in the middle of a job, and the next one can't take it: the job is not ready and due "
        "any more. What was "
        "committed before the work was through?",
    )
    require(attempts == 0, "A worker died. That is not the job's failure, and must not be counted as one.")
    require(
        queue.work() == queue.ids[name],
        "The job of a worker that died must be taken by the next worker at once.",
    )
    queue.require_paid(name)


def _puts_hopeless_jobs_aside(lab: LabUnderTest) -> None:
    queue = Queue(lab)
    by_database, by_bank, behind = queue.name(), queue.name(), queue.name()
    fail_writes(lab, "INSERT", "payouts", ("wallet_id", by_database), raises("23514"), EVERY)
    queue.add(by_database, minutes=-20)
    queue.add(by_bank, minutes=-10, amount=lab.random.randint(100_001, 900_000))
    queue.add(behind, minutes=-5)
    for name, error in ((by_database, "CheckViolation"), (by_bank, "Refused")):
        for failure in (1, 2, 3):
            with _where(
                InFailedSqlTransaction="`pay` raised an error of the database, and what `work` did next raised "
                "InFailedSqlTransaction: such an error spoils the transaction, until it is rolled back as a whole or to a "
                "savepoint.",
                any="`pay` raised an error, and THE ERROR left `work`: any error of `pay` is a failure of the job, to be noted.",
            ):
                taken = queue.work()
            require(
                taken == queue.ids[name],
                "After a job whose payment raised, work did not take it, or did not return its job_id. A "
                "failure of `pay` is noted in the job "
                "and does not reach the caller.",
            )
            require(not queue.payouts(name), "`pay` raised, and what it had written is still there: undo it.")
            state, attempts, last_error, seconds = queue.job(name)
            require(attempts == failure, "After a failure the job must have exactly one more in attempts.")
            require(last_error == error, "After a failure last_error must be the name of the error's class.")
            if failure < 3:
                require(state == "ready", "After a first and a second failure the job must still be ready.")
                require(
                    15 <= seconds <= 30,
                    "After a failure the job must be due again 30 seconds later, counted from now.",
                )
                with lab.sql() as connection:
                    connection.execute(
                        "UPDATE jobs SET due_at = now() - interval '50 minutes' WHERE job_id = %s",
                        [queue.ids[name]],
                    )
            else:
                require(state == "dead", "With its third failure a job must be dead.")
    require(queue.work() == queue.ids[behind], "Dead jobs must not keep those behind them from being taken.")
    queue.require_paid(behind)


def _notes_a_failure_before_anybody_else(lab: LabUnderTest) -> None:
    """Another worker is there at the very moment at which the one whose payment fails lets the job go.

    It waits for the table, and gets it within the worker's commit or rollback: before the worker's next statement.
    """
    queue = Queue(lab)
    name = queue.name()
    queue.add(name, minutes=-5, amount=lab.random.randint(100_001, 900_000))
    with lab.sql() as connection:
        connection.execute(GATE_OF_PAYOUTS)
    with ThreadPoolExecutor(1) as pool, lab.sql() as rival:
        paying: list[Future[bool]] = []

        def look(keeper: Rival) -> None:
            paying.append(pool.submit(queue.pay_as_another, rival, name))
            deadline = time.monotonic() + GATE_SECONDS
            while time.monotonic() < deadline and not paying[0].done():
                (waits,) = keeper.execute(WAITS_FOR_JOBS, [rival.info.backend_pid]).fetchone() or (False,)
                if waits:
                    break
                time.sleep(0.01)

        met = against_rival(
            lab,
            lambda keeper: keeper.execute("LOCK TABLE gate_of_payouts IN ACCESS EXCLUSIVE MODE"),
            queue.work,
            look,
        )
        paid = bool(paying) and paying[0].result()
    with lab.sql() as connection:
        connection.execute("DROP TRIGGER pass_the_gate ON payouts")
    require(met.waited, "work did not write a payout for a job that is ready and due: call pay.")
    state, attempts, _, _ = queue.job(name)
    if paid:
        require(
            state == "done" and len(queue.payouts(name)) == 1,
            "Between undoing a failed payment and noting the failure the job was free: another worker took it and paid it, and "
            "then you wrote over that, so it can be paid twice. Undo only what `pay` wrote, and keep the row locked.",
        )
    else:
        require(
            state == "ready" and attempts == 1 and not queue.payouts(name),
            "After a failure the job must still be ready, with one more in attempts, and nothing paid.",
        )


@check("advisory-lock")
def a_day_is_closed_exactly_once(lab: LabUnderTest) -> None:
    """Closes a day exactly once, waits for nobody, hinders no other day, and leaves no lock behind."""
    days = Days(lab)
    first, second = days.new(), days.new()
    require(days.settle(first) is True, "A day that nobody has closed must be closed: True.")
    days.require_closed(first)
    days.require_no_lock()
    require(days.settle(first) is False, "A day that is closed already must not be closed again: False.")
    days.require_closed(first)
    days.require_no_lock()
    require(days.settle(second) is True, "After one day was closed, another one must still be closed: True.")
    days.require_closed(second)

    for gate in ("gate", "gate_of_commits"):
        _one_of_many_closes(lab, days, gate)

    refused = days.new()
    days.raise_at(refused)
    try:
        told = days.settle(refused)
    except LearnerCodeError:
        told = False
    require(told is not True, "close_day raised, and you returned True.")
    require(days.rows(refused) == (0, 0), "close_day raised in the middle, and a part of that day is written.")
    days.require_no_lock("close_day raised, the call has ended")
    require(
        days.settle(refused) is True,
        "After a call whose close_day raised, the next one must close the day: True.",
    )
    days.require_closed(refused)

    broken = days.new()
    days.die_at(broken)
    try:
        days.settle(broken)
    except LearnerCodeError as error:
        if error.name == "NotImplementedError":
            raise
    require(
        days.rows(broken) == (0, 0), "A call died in the middle of its work, and a part of that day is written."
    )
    days.require_no_lock()
    require(
        days.settle(broken) is True,
        "After a call that died in the middle, the next one must close the day: True.",
    )
    days.require_closed(broken)

    many = [days.new() for _ in range(6)]
    calls = [(day,) for day in many for _ in range(4)]
    lab.random.shuffle(calls)
    results = rush(lab, "settle", calls, workers=12)
    told = [day for (day,), result in zip(calls, results, strict=True) if result is True]
    for day in many:
        days.require_closed(day)
        require(told.count(day) == 1, "Of several calls for one day exactly one must return True.")
    days.require_no_lock()


STATE_OF_THE_GATE = """
SELECT count(*) FILTER (WHERE relation = %s::regclass), count(*) FILTER (WHERE locktype = 'advisory')
FROM pg_locks WHERE NOT granted
"""


def _one_of_many_closes(lab: LabUnderTest, days: Days, gate: str) -> None:
    """Hold up the call that closes one day: the others must all come back, and another day must get as far as the gate.

    `gate` stands before its writing, `gate_of_commits` in its commit, where nothing of it can be seen yet.
    """
    busy, other = days.new(), days.new()
    calls = [["settle", day] for day in (busy, busy, busy, busy, other)]
    with ThreadPoolExecutor(1) as pool, lab.sql() as keeper:
        keeper.execute(f"LOCK TABLE {gate} IN ACCESS EXCLUSIVE MODE")
        pending = pool.submit(lab.call_many, "on_own_connection", calls, workers=2, timeout=60.0)
        at_gate = waiting = 0
        deadline = time.monotonic() + GATE_SECONDS
        while time.monotonic() < deadline and not pending.done():
            at_gate, waiting = keeper.execute(STATE_OF_THE_GATE, [gate]).fetchone() or (0, 0)
            if at_gate == 2 or waiting:
                break
            time.sleep(0.01)
        with lab.sql() as connection:
            inside = connection.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            ).fetchone()
        keeper.rollback()
        outcomes = pending.result()
    values = [outcome.value for outcome in outcomes]
    raised = [outcome.error.split(":")[0] for outcome in outcomes if outcome.error]
    require(
        not waiting,
        "While one call closes the day, another one waits for it. Ask for the lock in a way that answers at once.",
    )
    require(not raised, f"While one call closes a day, another call raised {raised[0] if raised else ''}.")
    require(
        values[:4].count(True) <= 1,
        "While one call was closing a day, another one began to close the same day. What keeps them apart, and "
        "for how long is it held?",
    )
    require(values[:4].count(True) == 1, "Of several calls for one day exactly one must return True.")
    require(
        values[4] is True and at_gate == 2,
        "While one day was being closed, another day could not be: give each day a lock of its own.",
    )
    require(
        inside and inside[0] == 2,
        "The calls that close a day hold no advisory lock while they work: it must last until their commit.",
    )
    for day in (busy, other):
        days.require_closed(day)
    days.require_no_lock()
