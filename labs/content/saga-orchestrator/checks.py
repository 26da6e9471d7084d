"""What each task of the lab has to hold: pure tables, and the rows that killed processes leave."""

from __future__ import annotations

from collections import Counter
from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices

from .support import (
    NOT_KILLED,
    PATIENCE,
    RUN_SECONDS,
    THE_RULE,
    TRIES,
    UNCOMMITTED,
    Bench,
    Clock,
    Process,
    answer_about,
    at_each_point,
    end_of,
    near,
    opened,
    take,
    unless_held,
    words,
)

STEPS = ("reserve", "authorise", "capture", "ship", "void", "release", "done", "cancelled")
ANSWERS = (
    "reserved", "rejected", "authorised", "declined", "captured", "shipped", "voided", "released",
)  # fmt: skip
FORWARD = {
    ("reserve", "reserved"): "authorise",
    ("reserve", "rejected"): "cancelled",
    ("authorise", "authorised"): "capture",
    ("authorise", "declined"): "release",
    ("capture", "captured"): "ship",
    ("ship", "shipped"): "done",
    ("void", "voided"): "release",
    ("release", "released"): "cancelled",
}
TURNED_UP = {
    ("void", "authorised"): "void",
    ("release", "authorised"): "void",
    ("cancelled", "authorised"): "void",
    ("release", "reserved"): "release",
    ("cancelled", "reserved"): "release",
}
ENDS = ("done", "cancelled")


@check("table")
def the_table_holds_for_every_pair(lab: LabUnderTest) -> None:
    """Each answer moves the saga from the step it belongs to and no other, silence is undone, and so is what turns up late."""
    unheard = [f"{lab.random.choice(ANSWERS)}-{lab.random.getrandbits(20):x}" for _ in range(2)]
    pairs = [(step, answer) for step in STEPS for answer in (*ANSWERS, *unheard)] * 2
    lab.random.shuffle(pairs)
    outcomes = lab.call_many("advance", [list(pair) for pair in pairs], workers=1)
    found: dict[tuple[str, str], Any] = {}
    answered = list(zip(pairs, outcomes, strict=True))
    require(
        all(outcome.error is None for pair, outcome in answered if pair in FORWARD or pair in TURNED_UP),
        "advance raised an exception for an answer that moves the saga.",
    )
    require(
        all(outcome.error is None for _, outcome in answered),
        "advance raised an exception for an answer that nobody waits for. Such answers come: they change nothing.",
    )
    for pair, outcome in answered:
        require(
            pair not in found or found[pair] == outcome.value,
            "advance gave two different results for the same step and answer. It must not remember anything.",
        )
        found[pair] = outcome.value
        shaped = isinstance(outcome.value, list) and len(outcome.value) == 2
        require(outcome.value is None or shaped, "advance must return (next step, command), or None.")
    for pair, following in FORWARD.items():
        move = found[pair]
        require(
            move is not None,
            "The answer that a step waits for does not move the saga: it stands still for ever.",
        )
        require(
            move[0] == following,
            "An answer leads to another step than in the picture. Has something been done by then that must be undone first?",
        )
    for pair, following in TURNED_UP.items():
        require(
            found[pair] is not None,
            "A saga was on its way back, or cancelled, and heard that somebody holds something for it after all. Nothing was "
            "undone: stock or money of a cancelled order is held for ever.",
        )
        require(
            found[pair][0] == following,
            "What turned up late on the way back leads to a wrong step: undo what the answer tells of, and go back from there.",
        )
    for pair, move in found.items():
        if pair not in FORWARD and pair not in TURNED_UP:
            require(
                move is None,
                "An answer moved a saga that does not wait for it. Late, repeated or unheard of, it changes nothing.",
            )
        elif move[0] in ENDS:
            require(move[1] is None, "At an end nobody is waited for: there must be no command.")
        else:
            require(move[1] == move[0], "The command of a step has the step's own name.")
    _silence(lab)


def _silence(lab: LabUnderTest) -> None:
    back = {"reserve": "release", "authorise": "void"}
    calls = [[step, attempt] for step in STEPS if step not in ENDS for attempt in [*range(1, TRIES + 3), 40]]
    lab.random.shuffle(calls)
    for (step, attempt), outcome in zip(calls, lab.call_many("overdue", calls, workers=1), strict=True):
        require(outcome.error is None, "overdue raised an exception.")
        result = outcome.value
        require(isinstance(result, list) and len(result) == 3, "overdue must return (step, command, attempt).")
        assert isinstance(result, list)
        if step not in back:
            require(
                result[0] == step,
                "The pivot, a step behind it, or one on the way back was given up. There is nothing else to try: repeat it.",
            )
        elif attempt < TRIES:
            require(result[0] == step, "A step was given up before TRIES commands had gone out.")
        else:
            require(
                result[0] != step,
                "A step before the pivot is repeated for ever: after TRIES commands without an answer, give up and go back.",
            )
            require(
                result[0] == back[str(step)],
                "After silence the way back begins at the wrong step. Nobody knows whether the command took effect: undo what "
                "may have happened.",
            )
        require(result[1] == result[0], "The command of a step has the step's own name.")
        wanted = int(attempt) + 1 if result[0] == step else 1
        require(
            result[2] == wanted,
            "The attempt is wrong: one more when the same command goes out again, and 1 for the first command of a step.",
        )


@check("one-transaction")
def all_or_nothing_at_every_step(lab: LabUnderTest) -> None:
    """Wherever it dies, whoever else changes the saga, and however often an answer comes: note, state and command together."""
    with opened(lab) as bench:
        _begins(bench)
        _takes(bench)
        _takes_once(bench)
        _killed_taking(bench)
        _held(bench)
        _written_off(bench)
        _unknown(bench)


def _begins(bench: Bench) -> None:
    pick = bench.lab.random
    first = words(bench.lab, 2)

    def begun(order: str, now: float, result: Any) -> None:
        require(result is True, "begin must return True for a new saga.")
        saga = bench.saga(order)
        require(saga is not None, f"begin returned, and there is no saga. {UNCOMMITTED}")
        assert saga is not None
        require(saga[0] == first[0] and saga[1] == 1, "A new saga is at its first step, with attempt 1.")
        require(near(saga[2], now + PATIENCE), "The deadline of a new saga is not `now + PATIENCE`.")
        require(bench.outbox(order) == [first[1]], "A new saga's first command, once, must be in the outbox.")

    order, now = bench.name(), pick.uniform(10, 900)
    begun(order, now, bench.returned(bench.run("begin", [order, first, now]), "begin"))
    before = bench.saga(order)
    again = bench.returned(
        bench.run("begin", [order, [*reversed(first)], now + 5]), "begin, called a second time,"
    )
    require(
        again is False and bench.saga(order) == before and bench.outbox(order) == [first[1]],
        "begin, called again for the same order, must change nothing, send nothing, and return False.",
    )
    order, now = bench.name(), pick.uniform(10, 900)
    results = [
        bench.returned(end, "begin, called while another process was beginning the same order,")
        for end in bench.meeting("sagas", "begin", [[order, first, now]] * 3)
    ]
    require(
        sum(result is True for result in results) == 1 and sum(result is False for result in results) == 2,
        "When several processes begin the same order at once, one of them must get True, and the others False.",
    )
    begun(order, now, True)

    def killed(point: int) -> bool:
        order, now = bench.name(), pick.uniform(10, 900)
        end = bench.run("begin", [order, first, now], killed_at=point)
        saga, commands = bench.saga(order), bench.outbox(order)
        require(
            (saga is None) == (not commands),
            "Killed in begin, there is a saga without its first command, or a command without a saga. Nobody will ever go on "
            "with it.",
        )
        result = bench.returned(bench.run("begin", [order, first, now]), "begin, after a crash,")
        begun(order, now, result is True or saga is not None)
        return end.killed

    at_each_point(killed, NOT_KILLED)


def _takes(bench: Bench) -> None:
    pick, process = bench.lab.random, Process(bench.lab)
    version = pick.randint(3, 40)
    order = bench.open(process.a, attempt=pick.randint(2, 5), deadline=3.0, version=version)
    bystander = bench.open(process.a, attempt=2, deadline=4.0)
    way: list[tuple[str, str, str | None]] = [
        (process.yes, process.b, process.command_b),
        (process.more, process.b, process.command_b),
        (process.stop, process.b, None),
        (process.yes, process.c, process.command_c),
        (process.yes, process.end, None),
        (process.more, process.end, None),
    ]
    commands: list[str] = []
    for said, step, command in way:
        before, now = bench.saga(order), pick.uniform(10, 900)
        answer = answer_about(bench, order, said)
        result = take(bench, process, answer, now)
        saga = bench.saga(order)
        require(saga is not None, "A saga has vanished.")
        assert saga is not None
        assert before is not None
        if step == before[0] and command is None:
            require(saga == before, "An answer that changes nothing at this step has changed the saga's row.")
            require(bench.outbox(order) == commands, "An answer that changes nothing has written a command.")
            require(result is False, "take must return False when the saga did not move.")
            continue
        commands += [command] if command else []
        require(
            result is True,
            "take must return True when the saga moved, also when it moved to the same step again.",
        )
        require(
            saga != before or bench.noted(answer),
            f"When take returned, nothing of it was in the database. {UNCOMMITTED}",
        )
        require(saga[0] == step, "After an answer the saga is not at the step that `advance` says.")
        require(saga[1] == 1, "At a new step the attempt must be 1 again.")
        require(
            saga[2] is None if command is None else near(saga[2], now + PATIENCE),
            "The deadline must be `now + PATIENCE` when a command goes out, and NULL when nobody is waited for.",
        )
        require(saga[3] == before[3] + 1, "Each change of a saga must make its version one higher, exactly.")
        require(bench.outbox(order) == commands, "The outbox must hold each command that `advance` said, once.")
    require(
        bench.saga(bystander) == (process.a, 2, 4.0, 1) and not bench.outbox(bystander),
        "An answer about one order has changed another order's saga.",
    )


def _takes_once(bench: Bench) -> None:
    process = Process(bench.lab)
    again: list[Any] = []
    for at_once in (False, True):
        order = bench.open(process.b)
        answer = answer_about(bench, order, process.more)
        if at_once:
            ends = bench.at_once("take", [[answer, THE_RULE, 1.0]] * 4, process.table)
            require(
                any(end.end == "returned" for end in ends),
                "take, given one answer several times at once, always raised.",
            )
        else:
            take(bench, process, answer, 1.0)
            again = [take(bench, process, answer, 1.0, "take, given an answer again,") for _ in range(2)]
        require(
            len(bench.outbox(order)) == 1 and bench.saga(order) == (process.b, 1, 1.0 + PATIENCE, 2),
            "An answer that was delivered several times has moved the saga several times. The step alone does not tell a repeat "
            "from news.",
        )
        require(not any(again), "take must return False for an answer that was taken before.")
    # What changed nothing was taken, too: it must not strike later.
    order = bench.open(process.a)
    answer = answer_about(bench, order, process.more)
    take(bench, process, answer, 1.0)
    bench.sql("UPDATE sagas SET step = %s WHERE order_id = %s", process.b, order)
    take(bench, process, answer, 2.0, "take, given an answer again,")
    require(
        not bench.outbox(order),
        "An answer that changed nothing came once more, when the saga was at another step, and moved it. It was taken already.",
    )


def _killed_taking(bench: Bench) -> None:
    process = Process(bench.lab)

    def killed(point: int) -> bool:
        order = bench.open(process.b, attempt=2, deadline=1.0)
        answer = answer_about(bench, order, process.more)
        end = bench.run("take", [answer, THE_RULE, 2.0], process.table, point)
        take(bench, process, answer, 2.0, "take, after a crash,")
        saga, commands = bench.saga(order), bench.outbox(order)
        require(saga is not None, "A saga has vanished.")
        assert saga is not None
        require(
            saga[3] > 1,
            "take was killed, the answer was delivered again, and the saga never moved: the answer was noted without its effect.",
        )
        require(
            len(commands) >= 1,
            "take was killed, the answer was delivered again, and there is no command: the saga waits for an answer to nothing.",
        )
        require(
            saga[3] == 2 and len(commands) == 1,
            "take was killed, the answer was delivered again, and the saga moved, or sent, twice for one answer.",
        )
        return end.killed

    at_each_point(killed, NOT_KILLED)


def _held(bench: Bench) -> None:
    """Somebody else changes the saga while take is at work."""
    process = Process(bench.lab)
    for said, moves in ((process.yes, True), (process.more, False)):
        order = bench.open(process.b)
        answer = answer_about(bench, order, said)
        _, end = bench.while_held(order, "take", [answer, THE_RULE, 5.0], process.table, (process.other, 77.0))
        if end.end == "raised":
            take(bench, process, answer, 5.0, "take, after another had changed the saga,")
        saga, commands = bench.saga(order), bench.outbox(order)
        wanted = (process.other, 1, 5.0 + PATIENCE, 3) if moves else (process.other, 1, 77.0, 2)
        require(
            saga == wanted and commands == ([process.command_back] if moves else []),
            "Somebody else moved the saga while take was at work, and take decided on the step that it had before. Lock the row "
            "before you read it, or compare its version when you write.",
        )


def _written_off(bench: Bench) -> None:
    """Somebody else changes the saga when take has decided that the answer changes nothing."""
    process = Process(bench.lab)
    order = bench.open(process.a)
    answer = answer_about(bench, order, process.more)
    moves: list[Any] = []
    end = bench.while_stopped(
        ("inbox", None),
        lambda: bench.run("take", [answer, THE_RULE, 5.0], process.table),
        lambda rival: moves.extend(
            unless_held(
                rival,
                "UPDATE sagas SET step = %s, version = version + 1 WHERE order_id = %s RETURNING version",
                process.b,
                order,
            )
        ),
    )
    if end.end == "raised":
        take(bench, process, answer, 5.0, "take, after another had changed the saga,")
    saga, commands = bench.saga(order), bench.outbox(order)
    wanted = (process.b, 1, 5.0 + PATIENCE, 3) if moves else (process.a, 1, None, 1)
    require(
        saga == wanted and len(commands) == len(moves),
        "While take was at work somebody else moved the saga to a step at which the answer changes something. take decided on "
        "the step before, at which it changes nothing, and noted the answer: it is lost. Such an answer, too, is decided on the "
        "step that the saga has at the commit: is its row locked by then, and has it still the version that you read?",
    )


def _unknown(bench: Bench) -> None:
    process = Process(bench.lab)
    order = bench.name()
    answer = answer_about(bench, order, process.yes)
    end = bench.run("take", [answer, THE_RULE, 1.0], process.table)
    require(
        end.end == "raised" and str(end.value).startswith("LookupError"),
        "An answer for an order without a saga must raise LookupError.",
    )
    bench.sql("INSERT INTO sagas (order_id, step) VALUES (%s, %s)", order, process.a)
    require(
        take(bench, process, answer, 1.0) is True,
        "An answer came before its saga was there and raised, as it should. When it was delivered again, it was taken as known.",
    )


HAPPY = ["reserved", "authorised", "captured", "shipped"]
COMMANDS = ["reserve", "authorise", "capture", "ship"]


@check("resume")
def nothing_lost_and_nothing_twice(lab: LabUnderTest) -> None:
    """Whatever lies in the outbox is sent, in order, wherever the relay dies; each command takes effect once."""
    with opened(lab) as bench:
        bench.sql("DELETE FROM outbox")
        bench.sql("DELETE FROM world.away")
        _quiet(bench)
        _killed_sending(bench)
        _sent_again(bench)
        _away(bench)


def _fill(bench: Bench, *rows: tuple[str, str]) -> None:
    for order, command in rows:
        bench.sql("INSERT INTO outbox (order_id, command) VALUES (%s, %s)", order, command)


def _relay(bench: Bench, killed_at: int | None = None) -> Any:
    """The number that the relay returned, or None when it was killed."""
    end = end_of(bench.lab.call("run_relay", killed_at, timeout=RUN_SECONDS))
    return None if end.killed else bench.returned(end, "relay")


def _effects(bench: Bench, order: str) -> list[str]:
    rows = bench.sql("SELECT effect FROM world.effects WHERE order_id = %s ORDER BY id", order)
    return [effect for (effect,) in rows]


def _asked(bench: Bench, order: str) -> int:
    rows = bench.sql("SELECT count(*) FROM world.answers WHERE order_id = %s", order)
    return int(rows[0][0])


def _quiet(bench: Bench) -> None:
    orders = [bench.name() for _ in range(3)]
    rows = [(order, command) for command in COMMANDS for order in orders]
    # The order in which rows lie in a table is not that of their ids.
    first = bench.lab.random.randint(1_000_000, 9_000_000)
    for number, (order, command) in reversed(list(enumerate(rows))):
        bench.sql(
            "INSERT INTO outbox (id, order_id, command) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s)",
            first + number, order, command,
        )  # fmt: skip
    count = _relay(bench)
    for order in orders:
        effects = _effects(bench, order)
        require(
            len(effects) == len(HAPPY),
            "Commands were sent, and a service took a new one for a repeat of another. Which commands have the same key?"
            if _asked(bench, order) == len(HAPPY)
            else "A command was not sent, or was sent more than once although nothing went wrong.",
        )
        require(
            effects == HAPPY,
            "The commands of one order did not go out in the order in which they were written.",
        )
        require(_asked(bench, order) == len(HAPPY), "A command was sent twice although nothing went wrong.")
    told = bench.sql("SELECT order_id FROM world.answers WHERE order_id = ANY (%s) ORDER BY id", orders)
    require(
        [order for (order,) in told] == [order for order, _ in rows],
        "The outbox was not sent in the order of id.",
    )
    require(count == len(rows), "relay does not return how many commands it sent.")
    require(not bench.sql("SELECT FROM outbox"), "The outbox is not empty though everything was sent.")
    require(_relay(bench) == 0, "With nothing in the outbox relay must send nothing and return 0.")


def _killed_sending(bench: Bench) -> None:
    def killed(point: int) -> bool:
        order, other = bench.name(), bench.name()
        sent = [(order, "reserve"), (other, "reserve"), (order, "authorise")]
        _fill(bench, *sent)
        end = _relay(bench, point)
        _relay(bench)
        for one, wanted in ((order, HAPPY[:2]), (other, HAPPY[:1])):
            effects = Counter(_effects(bench, one))
            require(
                all(effects[done] for done in wanted),
                "relay was killed, and a command never went out: it was taken out of the outbox before it was sent.",
            )
            require(
                max(effects.values()) == 1,
                "relay was killed, ran again, and a command took effect twice. What tells the service that it is the same one?",
            )
        require(not bench.sql("SELECT FROM outbox"), "After a crash and another run the outbox is not empty.")
        require(
            _asked(bench, order) + _asked(bench, other) <= len(sent) + 1,
            "After one crash more than one command was sent again: a row must be gone as soon as its command was sent.",
        )
        return end is None

    at_each_point(killed, NOT_KILLED)


def _sent_again(bench: Bench) -> None:
    order, other = bench.name(), bench.name()
    for command in COMMANDS[:2]:
        for one in (order, other, order):
            _fill(bench, (one, command))
        _relay(bench)
        _fill(bench, (order, command))
        _relay(bench)
    for one in (order, other):
        require(
            Counter(_effects(bench, one)) == Counter(HAPPY[:2]),
            "The same command of the same order was written into the outbox again, as a clock does, and took effect twice (or "
            "that of another order did not). The key must say which command of which order it is, and nothing else.",
        )
    require(
        _asked(bench, order) == 6,
        "A command in the outbox was not sent because it had been sent before: the service decides.",
    )


def _away(bench: Bench) -> None:
    for _ in range(2):
        stuck, first, last = bench.name(), bench.name(), bench.name()
        _fill(bench, (first, "ship"), (stuck, "authorise"), (stuck, "ship"), (last, "reserve"), (last, "ship"))
        bench.sql("INSERT INTO world.away VALUES ('payment')")
        try:
            count = _relay(bench)
        finally:
            bench.sql("DELETE FROM world.away")
        require(
            "shipped" not in _effects(bench, stuck),
            "A service was away, and a later command of the same order went out before the one that had to wait.",
        )
        require(
            bench.outbox(stuck) == ["authorise", "ship"],
            "A service was away, and a command that it did not take is gone from the outbox, or changed its place.",
        )
        require(
            _effects(bench, last) == ["reserved", "shipped"] and _effects(bench, first) == ["shipped"],
            "One service was away, and the orders behind did not go on, though they don't need it.",
        )
        require(count == 3, "relay must count the commands that were taken, and no others.")
        _relay(bench)
        require(
            _effects(bench, stuck) == ["authorised", "shipped"],
            "A service was away and came back, and the commands that had waited for it did not take effect at the next run.",
        )


@check("deadlines")
def overdue_sagas_go_on_once(lab: LabUnderTest) -> None:
    """Each overdue saga is taken by one worker, once, with its command; nobody waits for a row, and pauses grow to a bound."""
    with opened(lab) as bench:
        clock = Clock(bench)
        clock.pauses()
        clock.for_days()
        clock.limit()
        clock.killed()
        clock.passed_over()
        clock.at_work()
        clock.race()


@check("choices")
def chosen_with_reasons(lab: LabUnderTest) -> None:
    """Chooses for each case what the measurements on Meridian speak for."""
    wanted = {
        "messages": "choreographed",
        "killed": "with neither, if state and message are one transaction",
        "lost": "the paid order is not sent, and nobody is told",
        "noticed": "the deadline in the saga's row",
        "reorder": "what several services listen to, and release them in the right order",
        "capture_silent": "repeats at growing distances, and an alarm is raised",
        "newsletter": "a service that listens to OrderConfirmed",
    }
    where_to_look = {
        "messages": "section 5: the two lists of messages about one order",
        "killed": "section 5, the cell in which both shops are killed: what became of the orders after the restart",
        "lost": "section 5, the cell with the lost events: what became of paid orders without a leader",
        "noticed": "section 4: by what a process learns that nobody has answered",
        "reorder": "section 5, the list of messages without a leader: who listens to what, and where that is written",
        "capture_silent": "section 1, what is said of the pivot and of the steps behind it",
        "newsletter": "what a leader costs: who waits for this, and what is to be undone when it fails",
    }
    require_choices(lab, wanted, where_to_look, exact=True)
