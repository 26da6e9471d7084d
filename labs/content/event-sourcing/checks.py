"""Checks of event-sourcing: hidden orders, commands, rivals and old events, judged by what the tables hold afterwards."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from labs.checks import LabUnderTest, check, require
from labs.rivals import Rival, against_rival, comes_to_wait
from sandboxes.interface import LearnerCodeError

from .support import (
    BROKEN,
    CONFLICT,
    MEET_SECONDS,
    REFUSED,
    UNREADABLE,
    Command,
    Event,
    State,
    Streams,
    Takings,
    always_taken,
    call,
    catch_up,
    decided,
    drained,
    evolved,
    failing,
    goes_through,
    new_streams,
    one_digit_more,
    sum_of,
    takings,
    takings_due,
)

RIVALS = 8
PAYERS, PLACES = 12, 10
ATTEMPTS, MOST_TRIES = 30, 45
LIMIT = 500
READER_WAITS_MS = 500
"""How long a reader waits for a lock before it says so; who needs no lock does not notice."""
DAY_OF_OURS = "2001-02-03"
KINDS = ("OrderPlaced", "PaymentReceived", "MoneyRefunded", "OrderShipped", "OrderCancelled")
MARK_OF_OTHERS = "a-mark-of-another-projection"
RESTORE = "Restore the cell that defines evolve."


@check("store")
def nobody_rewrites_what_happened(lab: LabUnderTest) -> None:
    """Takes events, each version of a stream once, and refuses every statement that would change or remove one."""
    with new_streams(lab) as streams:
        _stores(streams)


def _stores(streams: Streams) -> None:
    _made(streams)
    stream, other = streams.new(), streams.new()
    with streams.begin() as connection:
        for version in (1, 2):
            connection.execute(
                "INSERT INTO events (stream, version, type, payload) VALUES (%s, %s, 'OrderShipped', '{}')",
                [stream, version],
            )
        row = connection.execute(
            """
            SELECT bool_and(txid = pg_current_xact_id()), count(DISTINCT position), bool_and(schema = 1),
                bool_and(occurred_at = now()) FROM events WHERE stream = %s
            """,
            [stream],
        ).fetchone()
    require(
        row == (True, 2, True, True),
        "A column's default is wrong: look at position, txid, schema and "
        "occurred_at of an event that names none of them.",
    )
    before = streams.events(stream)
    insert = "INSERT INTO events (stream, version, type, schema, payload, occurred_at) VALUES (%s, %s, %s, %s, %s::jsonb, %s)"
    good: list[Any] = [other, 1, "OrderShipped", 1, "{}", "2024-01-01"]
    with streams.begin() as connection:
        require(goes_through(connection, insert, good) == 1, "An event that is complete must be taken.")
        for column, name in enumerate(("stream", "version", "type", "schema", "payload", "occurred_at")):
            nothing = [None if index == column else value for index, value in enumerate(good)]
            require(goes_through(connection, insert, nothing) is None, f"An event without {name} was taken.")
        no_txid = "INSERT INTO events (stream, version, type, payload, txid) VALUES (%s, 1, 'OrderShipped', '{}', NULL)"
        require(goes_through(connection, no_txid, [other]) is None, "An event without txid was taken.")
        zero = [other, 0, *good[2:]]
        require(
            goes_through(connection, insert, zero) is None,
            "Versions count from 1: version 0 was taken. Add a CHECK to the table that refuses it.",
        )
        twice = [stream, 2, *good[2:]]
        require(
            goes_through(connection, insert, twice) is None,
            "A stream took the same version twice: two writers who decided on the same "
            "history would both be stored.",
        )
        named = None
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(insert, twice)
        except psycopg.errors.IntegrityError as error:
            named = error.diag.constraint_name
        require(
            named == "one_event_per_version",
            "The constraint on (stream, version) is not named one_event_per_version.",
        )
        attempts: dict[str, tuple[str, list[Any]]] = {
            "UPDATE": ("UPDATE events SET type = 'OrderPaid' WHERE stream = %s", [stream]),
            "DELETE": ("DELETE FROM events WHERE stream = %s", [stream]),
            "INSERT … ON CONFLICT … DO UPDATE": (
                insert + " ON CONFLICT (stream, version) DO UPDATE SET payload = '{\"a\": 1}'",
                twice,
            ),
            "TRUNCATE": ("TRUNCATE events", []),
        }
        for name, (statement, arguments) in attempts.items():
            changed = goes_through(connection, statement, arguments)
            require(
                changed != 0,
                f"{name} changed nothing, and nobody was told: refuse it with an error, or its sender believes that it worked.",
            )
            require(changed is None, f"{name} rewrites history: it went through on stored events.")
    require(streams.events(stream) == before, "Stored events have changed.")


def _made(streams: Streams) -> None:
    """Without a table, create_store is called: whoever has not begun hears so, and who has hears of what it raises."""
    if not streams.has_events():
        streams.lab.call("on_own_connection", "create_store")
        require(streams.has_events(), "create_store ended well, and there is no table events: does it commit?")


def _payload(lab: LabUnderTest) -> dict[str, Any]:
    return {"note": f"{lab.random.getrandbits(40):010x}", "n": lab.random.randrange(1000)}


def _batch(lab: LabUnderTest, size: int) -> list[Event]:
    kinds = ("OrderShipped", "PaymentFailed", "NoteAdded", "OrderCancelled")
    return [{"type": lab.random.choice(kinds), "payload": _payload(lab)} for _ in range(size)]


def _stored(events: list[Event], after: int = 0) -> list[tuple[int, str, int, Any]]:
    return [
        (version, event["type"], event.get("schema", 1), event["payload"])
        for version, event in enumerate(events, after + 1)
    ]


@check("append")
def appends_only_behind_what_was_read(lab: LabUnderTest) -> None:
    """Appends all events of a decision or none, only behind the expected version, and calls nothing else a conflict."""
    with new_streams(lab) as streams:
        _appends(streams)


def _appends(streams: Streams) -> None:
    lab = streams.lab
    stream = streams.new()
    first, second = _batch(lab, lab.random.randint(2, 4)), _batch(lab, lab.random.randint(2, 3))
    second[0]["schema"] = lab.random.randint(2, 9)
    wanted = _stored(first)
    answer = call(lab, "append", stream, 0, first)
    require(answer != CONFLICT, "append raised Conflict for a new stream of which nothing was expected.")
    require(answer == len(first), "append must return the stream's new version.")
    require(
        streams.rows(stream) == wanted,
        "After an append the stream does not hold exactly its events, in their order.",
    )
    require(
        call(lab, "append", stream, len(first), second) == len(first) + len(second),
        "append must return the stream's new version.",
    )
    wanted += _stored(second, len(first))
    require(
        streams.rows(stream) == wanted,
        "After a second append the stream does not hold exactly its events: look at "
        "versions, payloads, and at `schema`.",
    )
    now = len(wanted)
    for expected in (0, now - 1, now - 2):
        answer = call(lab, "append", stream, expected, _batch(lab, lab.random.randint(1, 4)))
        require(
            answer == CONFLICT,
            "A writer who had not read the last events appended: that must be a Conflict. "
            "Compare what the stream holds with `expected`.",
        )
        require(
            streams.rows(stream) == wanted,
            "An append that ended in a Conflict left events behind, or changed some.",
        )
    for target, expected in (
        (stream, now + lab.random.randint(1, 3)),
        (streams.new(), lab.random.randint(1, 4)),
    ):
        answer = call(lab, "append", target, expected, _batch(lab, 2))
        rows = streams.rows(target)
        require(
            [row[0] for row in rows] == list(range(1, len(rows) + 1)),
            "A stream has a gap: somebody expected a version that the stream has not "
            "reached, and it was appended behind it.",
        )
        require(
            answer == CONFLICT, "Who expects a version that the stream has not reached must get a Conflict."
        )

    _other_errors_are_no_conflict(lab, streams)
    _rivals(lab, streams)
    _many_writers(lab, streams)


def _other_errors_are_no_conflict(lab: LabUnderTest, streams: Streams) -> None:
    stream = streams.new()
    wanted = _batch(lab, 2)
    call(lab, "append", stream, 0, wanted)
    broken = [*_batch(lab, 2), {"type": None, "payload": {}}]
    index = f"once_{lab.random.getrandbits(40):010x}"
    reference = f"{lab.random.getrandbits(40):010x}"
    with streams.begin() as connection:
        connection.execute(
            f"CREATE UNIQUE INDEX {index} ON events ((payload ->> 'note')) WHERE payload ->> 'note' = '{reference}'"
        )
    try:
        twice = [*_batch(lab, 1), *({"type": "NoteAdded", "payload": {"note": reference}} for _ in range(2))]
        for events, cause in ((broken, "an event that is incomplete"), (twice, "another unique index")):
            answer = ""
            try:
                answer = call(lab, "append", stream, 2, events)
            except LearnerCodeError as error:
                answer = error.name
            require(
                answer != CONFLICT,
                f"You call it a Conflict when {cause} is the cause: deciding again will never cure that.",
            )
            require(
                answer in ("NotNullViolation", "UniqueViolation"),
                f"An error of the database (the cause was {cause}) did not pass through as it is.",
            )
            require(
                streams.rows(stream) == _stored(wanted),
                "An append failed half-way and left events behind: all events of one append or none, so commit once, at the end.",
            )
    finally:
        with streams.begin() as connection:
            connection.execute(f"DROP INDEX {index}")


def _rivals(lab: LabUnderTest, streams: Streams) -> None:
    for commits in (True, False):
        stream = streams.new()
        events, ours = _batch(lab, 1), _batch(lab, 2)
        call(lab, "append", stream, 0, events)

        try:
            answer = against_rival(
                lab,
                lambda rival, stream=stream: streams.plant(rival, stream, 2, "NoteAdded", {"rival": True}),
                lambda stream=stream, ours=ours: call(lab, "append", stream, 1, ours),
                commits=commits,
                seconds=MEET_SECONDS,
            ).result
            raised = "an answer"
        except LearnerCodeError as error:
            answer = raised = error.name
        rows = streams.rows(stream)
        if commits:
            require(
                answer == CONFLICT,
                "A rival appended between your look and your write: that must be a Conflict. "
                f"What came out was {raised}.",
            )
            require(
                len(rows) == 2,
                "After a Conflict with a rival the stream holds something else than the rival's event.",
            )
        else:
            require(
                answer == 3 and rows == _stored([*events, *ours]),
                "A rival took the version and rolled back. Nothing has happened then: the append must succeed.",
            )


def _many_writers(lab: LabUnderTest, streams: Streams) -> None:
    stream, version = streams.new(), 0
    wanted: list[tuple[int, str, int, Any]] = []
    for _ in range(2):
        batches = [_batch(lab, lab.random.randint(1, 3)) for _ in range(RIVALS)]
        calls = [["append", stream, version, batch] for batch in batches]
        outcomes = lab.call_many("on_own_connection", calls, workers=RIVALS, timeout=30)
        won = [index for index, outcome in enumerate(outcomes) if outcome.error is None]
        others = {outcome.error.split(":")[0] for outcome in outcomes if outcome.error is not None}
        require(
            others <= {CONFLICT},
            f"With {RIVALS} writers at once, an append ended in something else than a Conflict.",
        )
        require(
            len(won) == 1,
            f"Of {RIVALS} writers who expected the same version, not exactly one was told that it appended.",
        )
        wanted += _stored(batches[won[0]], version)
        version = len(wanted)
        require(
            streams.rows(stream) == wanted,
            f"With {RIVALS} writers at once, the stream does not hold exactly what was "
            "confirmed: an event is lost, doubled, or not the winner's.",
        )


# --- decide and evolve ---


def _command(lab: LabUnderTest, state: State | None) -> Command:
    """Some command, mostly one that makes sense."""
    pick = lab.random
    due = state["total_cents"] - state["paid_cents"] if state else 500
    do = pick.choice(["pay"] * 3 + ["ship", "cancel", "place"]) if state else "place"
    match do:
        case "place":
            lines = {f"sku-{pick.getrandbits(20):05x}": pick.randint(1, 4) for _ in range(pick.randint(1, 3))}
            return {"do": do, "lines": lines, "total_cents": pick.randint(300, 9000)}
        case "pay":
            return {"do": do, "amount_cents": pick.choice([due, due, due + 1, due // 2, due // 3, 0, -due])}
        case "ship":
            return {"do": do, "parcel": f"P{pick.getrandbits(30)}"}
        case _:
            return {"do": do, "reason": f"because {pick.getrandbits(20)}"}


def _recorded(streams: Streams, stream: str, version: int, kind: str, payload: Any) -> Event:
    return {
        "stream": stream,
        "version": version,
        "type": kind,
        "schema": 3 if kind == "OrderPlaced" else 1,
        "payload": payload,
        "occurred_at": streams.moment().isoformat(),
    }


Decision = list[tuple[str, Any]] | str


def _found(answer: Any) -> Decision:
    """What `decide` came to."""
    if answer == REFUSED:
        return REFUSED
    shaped = isinstance(answer, list) and all(
        isinstance(one, dict) and {"type", "payload"} <= set(one) for one in answer
    )
    require(shaped, "decide must return a list of events with type and payload, or raise Refused.")
    placed = [one.get("schema", 1) for one in answer if one["type"] == "OrderPlaced"]
    require(placed in ([], [3]), "OrderPlaced must be written with schema 3: its payload has that form.")
    return [(one["type"], one["payload"]) for one in answer]


def _judge_decisions(lab: LabUnderTest, cases: list[tuple[State | None, Command]]) -> None:
    answers = lab.call("outcomes", cases, timeout=20)  # type: ignore[arg-type]
    require(isinstance(answers, list) and len(answers) == len(cases), "`outcomes` must stay as it was given.")
    assert isinstance(answers, list)
    for (state, command), answer in zip(cases, answers, strict=True):
        right, found = decided(state, command), _found(answer)
        what = f"decide, command {command['do']!r}, status {state['status'] if state else None!r}"
        require(found != REFUSED or right == REFUSED, f"{what}: refused, but the table allows it.")
        require(
            right != REFUSED or found == REFUSED,
            f"{what}: allowed, but the table forbids it. Look at amounts, too.",
        )
        if found == right:
            continue
        assert isinstance(found, list)
        kinds = [kind if kind in KINDS else "an unknown type" for kind, _ in found]
        told = " and ".join(kinds) or "no event"
        require(
            False,
            f"{what}: other events than the table says, or other details in them. You answered with {told}.",
        )


def _walk(lab: LabUnderTest, streams: Streams) -> tuple[list[Event], list[tuple[State | None, Command]]]:
    """A life of an order: its events, and what was asked of it in which state."""
    stream, state = streams.new(), None
    events: list[Event] = []
    cases: list[tuple[State | None, Command]] = []
    for _ in range(9):
        command = _command(lab, state)
        cases.append((state, command))
        right = decided(state, command)
        for kind, payload in right if isinstance(right, list) else []:
            events.append(_recorded(streams, stream, len(events) + 1, kind, payload))
            state = evolved(state, events[-1])
    return events, cases


def _judge_states(lab: LabUnderTest, events: list[Event], message: str) -> None:
    right: list[State] = []
    for event in events:
        right.append(evolved(right[-1] if right else None, event))
    found = call(lab, "states", events, own=False)
    if found == right:
        return
    require(found != BROKEN, f"{message} evolve raised BrokenHistory for events that happened. {RESTORE}")
    require(
        isinstance(found, list) and len(found) == len(right),
        f"{message} evolve did not return a state. {RESTORE}",
    )
    if found[-1] == right[-1]:
        require(
            False,
            "An earlier state of an order has changed while later events were folded: "
            f"evolve must return a new state. {RESTORE}",
        )
    wrong = sorted(
        key
        for key in right[-1]
        for one, two in zip(found, right, strict=True)
        if not isinstance(one, dict) or one.get(key) != two[key]
    )
    require(not wrong, f"{message} The state is wrong: look at {wrong[0] if wrong else ''!r}. {RESTORE}")
    require(False, f"{message} The state has other keys than the given evolve makes. {RESTORE}")


@check("decide")
def decides_on_what_happened_and_again_after_a_conflict(lab: LabUnderTest) -> None:
    """Allows what the rules allow and nothing else, and decides again when somebody was faster."""
    with new_streams(lab) as streams:
        _decides(streams)


def _decides(streams: Streams) -> None:
    lab = streams.lab
    require(lab.call("fold", []) is None, "An order without events has no state: fold([]) is None.")
    lives = [_walk(lab, streams) for _ in range(7)]
    _judge_decisions(lab, _each_rule_once(lab, streams) + [case for _, cases in lives for case in cases])
    for events, _ in lives:
        _judge_states(lab, events, "A life that the rules allow:")
    life = _whole_life(lab, streams)
    _judge_states(lab, life, "A life from placing to refund:")
    _judge_states(
        lab, _forbidden_today(lab, streams), "Events that today's rules would forbid, but which happened:"
    )
    _broken_histories(lab, life)
    _handles(lab, streams)


def _whole_life(lab: LabUnderTest, streams: Streams) -> list[Event]:
    part = lab.random.randint(100, 900)
    facts: list[tuple[str, Any]] = [
        ("OrderPlaced", {"lines": {f"sku-{lab.random.getrandbits(20):05x}": 2}, "total_cents": 3 * part}),
        ("PaymentReceived", {"amount_cents": part}),
        ("PaymentReceived", {"amount_cents": 2 * part}),
        ("OrderCancelled", {"reason": f"because {lab.random.getrandbits(20)}"}),
        ("MoneyRefunded", {"amount_cents": part}),
        ("MoneyRefunded", {"amount_cents": 2 * part}),
    ]
    stream = streams.new()
    return [_recorded(streams, stream, version, *fact) for version, fact in enumerate(facts, 1)]


def _forbidden_today(lab: LabUnderTest, streams: Streams) -> list[Event]:
    price = lab.random.randint(100, 900)
    facts: list[tuple[str, Any]] = [
        ("OrderPlaced", {"lines": {}, "total_cents": price}),
        ("PaymentReceived", {"amount_cents": price + 1}),
        ("OrderShipped", {"parcel": f"P{lab.random.getrandbits(30)}"}),
        ("PaymentReceived", {"amount_cents": 5}),
        ("OrderCancelled", {"reason": "came back"}),
        ("PaymentReceived", {"amount_cents": 7}),
        ("OrderShipped", {"parcel": f"P{lab.random.getrandbits(30)}"}),
    ]
    stream = streams.new()
    return [_recorded(streams, stream, version, *fact) for version, fact in enumerate(facts, 1)]


def _each_rule_once(lab: LabUnderTest, streams: Streams) -> list[tuple[State | None, Command]]:
    """Every command in every status, and the edges of the amounts."""
    life = _whole_life(lab, streams)
    by_status: list[State | None] = [None]
    for event in life[:4]:
        by_status.append(evolved(by_status[-1], event))
    paid = by_status[3]
    shipped = evolved(paid, _recorded(streams, life[0]["stream"], 4, "OrderShipped", {"parcel": "P1"}))
    cases: list[tuple[State | None, Command]] = []
    for state in (*by_status, shipped):
        due = state["total_cents"] - state["paid_cents"] if state else 100
        commands: list[Command] = [
            {"do": "place", "lines": {"a": 1}, "total_cents": 1},
            {"do": "place", "lines": {}, "total_cents": 500},
            {"do": "place", "lines": {"a": 1}, "total_cents": 0},
            {"do": "ship", "parcel": f"P{lab.random.getrandbits(20)}"},
            {"do": "cancel", "reason": f"because {lab.random.getrandbits(20)}"},
            {"do": "polish"},
            *({"do": "pay", "amount_cents": amount} for amount in (due, due + 1, max(1, due - 1), 1, 0, -1)),
        ]
        cases += [(state, command) for command in commands]
    return cases


def _broken_histories(lab: LabUnderTest, life: list[Event]) -> None:
    gap = [*life[:2], *life[3:]]
    twice = [*life[:3], life[2], *life[3:]]
    again = [*life[:2], {**life[0], "version": 3}]
    late = [{**life[0], "version": 2}]
    unknown = [*life[:2], {**life[2], "type": f"Order{lab.random.choice(['Polished', 'Sung', 'Painted'])}"}]
    for events, message in (
        (
            gap,
            "A version was missing in the middle, and evolve went on: a lost event must "
            "be noticed, not folded over.",
        ),
        (twice, "The same event came twice, and evolve counted it twice."),
        (life[1:], "A history that does not begin with OrderPlaced was folded."),
        (late, "A history that begins with version 2 was folded: its first event is missing."),
        (again, "An order was placed a second time in its life, and evolve went on."),
        (unknown, "An event of a type that nobody knows was folded as if it were nothing."),
    ):
        require(
            call(lab, "fold", events, own=False) == BROKEN,
            f"{message} The given evolve raises BrokenHistory. {RESTORE}",
        )


def _handles(lab: LabUnderTest, streams: Streams) -> None:
    stream, part = streams.new(), lab.random.randint(40, 90)
    place = {"do": "place", "lines": {"lamp": 1}, "total_cents": PLACES * part}
    require(
        call(lab, "handle", stream, place) == 1,
        "handle must return the order's version after what it appended.",
    )
    pays: list[list[Any]] = [["handle", stream, {"do": "pay", "amount_cents": part}] for _ in range(PAYERS)]
    outcomes = lab.call_many("on_own_connection", pays, workers=PAYERS, timeout=40)
    names = [outcome.error.split(":")[0] if outcome.error else None for outcome in outcomes]
    rows = streams.rows(stream)
    require(
        [row[0] for row in rows] == list(range(1, len(rows) + 1)),
        f"After {PAYERS} payments at once the stream has a gap or a double version.",
    )
    require(
        len(rows) - 1 <= PLACES,
        f"{PAYERS} customers paid at once, and the order took more than its price: after a "
        "conflict decide again, on what is stored now.",
    )
    require(
        CONFLICT not in names,
        f"Only {PAYERS} writers at once, and one of them let the Conflict out: each "
        "conflict means that another one has come through, so try on.",
    )
    others = sorted({str(name) for name in names} - {"None", REFUSED})
    require(not others, f"With {PAYERS} writers at once, handle raised {', '.join(others)}.")
    require(
        names.count(None) == len(rows) - 1 == PLACES,
        f"{PAYERS} payments at once: what was confirmed is not what is stored, or a payment that fitted was refused.",
    )
    versions = sorted(outcome.value for outcome in outcomes if outcome.error is None)
    require(
        versions == list(range(2, PLACES + 2)),
        "Two writers were told the same version, or a version that is not theirs.",
    )
    answer = call(lab, "handle", stream, {"do": "cancel", "reason": "late"})
    require(
        answer == len(streams.rows(stream)) == PLACES + 3, "Cancelling a paid order appends two events at once."
    )
    answer = call(lab, "handle", stream, {"do": "cancel", "reason": "later"})
    require(
        answer == len(streams.rows(stream)) == PLACES + 3,
        "When there is nothing to append, handle returns the version as it is and writes nothing.",
    )

    stream = streams.new()
    call(lab, "handle", stream, place)
    answer = against_rival(
        lab,
        lambda rival: streams.plant(rival, stream, 2, "OrderCancelled", {"reason": "the rival's"}),
        lambda: call(lab, "handle", stream, {"do": "pay", "amount_cents": part}),
        seconds=MEET_SECONDS,
    ).result
    require(
        answer == REFUSED and len(streams.rows(stream)) == 2,
        "The order was cancelled while a payment was being decided, and the payment "
        "was still taken: decide again, on the new history.",
    )

    stream = streams.new()
    call(lab, "handle", stream, place)
    require(lab.value("ATTEMPTS") == ATTEMPTS, "ATTEMPTS must stay as the notebook sets it.")
    with always_taken(lab, stream, MOST_TRIES) as tries:
        answer = call(lab, "handle", stream, {"do": "pay", "amount_cents": part}, timeout=30)
        made = tries()
    require(made < MOST_TRIES, f"handle never gives up: after {MOST_TRIES} conflicts in a row it still tried.")
    require(
        answer == CONFLICT, "When every attempt meets a conflict, the last Conflict must come out of handle."
    )
    require(made == ATTEMPTS, "handle did not make just ATTEMPTS attempts before it let the Conflict out.")


# --- projections ---


@check("project")
def counts_every_event_once(lab: LabUnderTest) -> None:
    """Counts each event once: past late commits, failures in between, several processes at once, and from zero."""
    with new_streams(lab) as streams:
        _projects(streams)


def _projects(streams: Streams) -> None:
    lab = streams.lab
    with streams.begin() as connection:
        connection.execute(
            "INSERT INTO marks (name, txid, position) VALUES (%s, '7', 7) "
            "ON CONFLICT (name) DO UPDATE SET txid = '7', position = 7",
            [MARK_OF_OTHERS],
        )
    complete = drained(streams)
    with streams.begin() as connection:
        less = sum_of(takings(connection)) < sum_of(takings_due(connection))
    require(
        complete,
        "catch_up was called until nothing was left, and the takings are not what the events say: "
        + (
            "some are missing. Look at where the mark stands when `limit` ends a run."
            if less
            else "some were counted twice, or in a wrong column."
        ),
    )
    _late_commit(lab, streams)
    _goes_on(lab, streams)
    _numbers_grow(lab, streams)
    _dies_in_between(lab, streams)
    _several_at_once(lab, streams)
    _from_zero(lab, streams)
    _takes_a_limit_by_itself(lab, streams)


def _pay(lab: LabUnderTest, streams: Streams, connection: Any) -> None:
    kind = "PaymentReceived" if lab.random.random() < 0.8 else "MoneyRefunded"
    streams.plant(connection, streams.new(), 1, kind, {"amount_cents": lab.random.randint(100, 9000)})


def _late_commit(lab: LabUnderTest, streams: Streams) -> None:
    with ThreadPoolExecutor(1) as pool, lab.sql() as slow, lab.sql() as quick:
        _pay(lab, streams, slow)
        _pay(lab, streams, quick)
        quick.commit()
        pending = pool.submit(catch_up, lab)
        waited = comes_to_wait(slow, pending, MEET_SECONDS)
        if waited:
            slow.commit()
        pending.result()
        require(
            not waited,
            "catch_up waited for a writer whose transaction was still open: somebody who writes slowly would "
            "hold up the readers. Look at the locks that you take.",
        )
        catch_up(lab)
        slow.commit()
    require(
        drained(streams),
        "An event was lost: its transaction had taken a smaller position and "
        "committed later than one that you had already passed.",
    )
    with lab.sql() as older, lab.sql() as younger:
        _pay(lab, streams, older)
        _pay(lab, streams, younger)
        _pay(lab, streams, older)
        older.commit()
        catch_up(lab)
        catch_up(lab)
        younger.commit()
    require(
        drained(streams),
        "An event was lost: an older transaction had taken a higher position than a "
        "younger one that was still open. "
        "Is your mark a pair of txid and position, and do you read in that order?",
    )
    with lab.sql() as aborted, lab.sql() as good:
        _pay(lab, streams, aborted)
        _pay(lab, streams, good)
        aborted.rollback()
        good.commit()
    require(
        drained(streams),
        "A transaction rolled back and left a hole in the positions, and the "
        "projection stands still or counts wrongly.",
    )


def _goes_on(lab: LabUnderTest, streams: Streams) -> None:
    extra = lab.random.randint(1000, 9999)
    with streams.begin() as connection:
        connection.execute("INSERT INTO takings (day, received_cents) VALUES (%s, %s)", [DAY_OF_OURS, extra])
        before = sum_of(takings(connection))
    count = lab.random.randint(7, 10)
    with streams.begin() as connection:
        for _ in range(count):
            streams.plant(connection, streams.new(), 1, "PaymentReceived", {"amount_cents": 1000})
        for kind in ("OrderShipped", "NoteAdded"):
            streams.plant(connection, streams.new(), 1, kind, {"parcel": "P1", "amount_cents": 5})
    passed = catch_up(lab, 3)
    with streams.begin() as connection:
        counted = (sum_of(takings(connection)) - before) // 1000
    require(counted <= 3, "catch_up counted more events than `limit`.")
    require(passed == counted, "catch_up must return how many events it passed.")
    ok = drained(streams, 3, {DAY_OF_OURS: (extra, 0)})
    with streams.begin() as connection:
        kept = DAY_OF_OURS in takings(connection)
        connection.execute("DELETE FROM takings WHERE day = %s", [DAY_OF_OURS])
    require(kept, "catch_up makes the whole table again each time: it must go on from its mark.")
    require(
        ok,
        "When it goes in steps of `limit` events, an event is lost or counted "
        "twice: is the mark the last event that was counted?",
    )


def _numbers_grow(lab: LabUnderTest, streams: Streams) -> None:
    with streams.begin() as connection:
        for _ in range(3):
            _pay(lab, streams, connection)
    one_digit_more(streams.sql)
    with streams.begin() as connection:
        for _ in range(3):
            _pay(lab, streams, connection)
    require(
        drained(streams, 2),
        "The numbers of transactions got one more digit, and an event was lost or counted twice. In which order do you read, "
        "and by what do you compare: as numbers, or as text?",
    )


def _dies_in_between(lab: LabUnderTest, streams: Streams) -> None:
    for table in ("marks", "takings"):
        with streams.begin() as connection:
            for _ in range(3):
                _pay(lab, streams, connection)
            before = takings(connection)
        with failing(lab, table), contextlib.suppress(LearnerCodeError):
            for _ in range(3):
                catch_up(lab)
        with streams.begin() as connection:
            after = takings(connection)
        require(
            after == before,
            "catch_up failed before its mark was moved, and the events were counted all "
            "the same: the next run counts them again. "
            "Rows and mark belong into one transaction.",
        )
        require(
            drained(streams),
            "catch_up failed in between, and afterwards an event is missing or counted "
            "twice: rows and mark belong into one transaction.",
        )


def _several_at_once(lab: LabUnderTest, streams: Streams) -> None:
    for _ in range(2):
        for _ in range(6):
            with streams.begin() as connection:
                for _ in range(12):
                    _pay(lab, streams, connection)
        outcomes = lab.call_many("on_own_connection", [["catch_up", 9]] * 32, workers=8, timeout=40)
        require(
            all(outcome.error is None for outcome in outcomes),
            "With eight processes catching up at once, some of them failed.",
        )
        require(
            drained(streams),
            "With eight processes catching up at once, events were counted more than "
            "once or lost: let one after the other have the mark.",
        )


def _from_zero(lab: LabUnderTest, streams: Streams) -> None:
    with streams.begin() as connection:
        for _ in range(4):
            _pay(lab, streams, connection)
        connection.execute("INSERT INTO takings (day, received_cents) VALUES (%s, 77)", [DAY_OF_OURS])
        connection.execute("UPDATE takings SET received_cents = received_cents + 13")
        before = takings(connection)
    with failing(lab, "takings", deletes=False), contextlib.suppress(LearnerCodeError):
        call(lab, "rebuild")
    with streams.begin() as connection:
        during, rebuilt = takings(connection), takings_due(connection)
    require(
        during in (before, rebuilt),  # who writes no statement to the table does not fail here
        "rebuild failed half-way, and the takings are gone: as long as it has not "
        "ended, everybody must see the old ones. One transaction.",
    )
    _nobody_reads_an_empty_table(lab, before)
    with streams.begin() as connection:
        first, due = takings(connection), takings_due(connection)
    require(
        DAY_OF_OURS not in first,
        "After rebuild the takings still hold a row that no event explains: begin from an empty table.",
    )
    right = first == due or drained(streams)
    require(right, "After rebuild the takings are not what the events say.")
    require(sum_of(first) > 0, "After rebuild the table is empty: it must be complete when rebuild ends.")
    with streams.begin() as connection:
        _pay(lab, streams, connection)
    require(drained(streams), "After rebuild catch_up does not go on from where rebuild ended.")
    with streams.begin() as connection:
        mark = connection.execute(
            "DELETE FROM marks WHERE name = %s RETURNING txid::text, position", [MARK_OF_OTHERS]
        ).fetchone()
    require(
        mark == ("7", 7),
        "The mark of another projection has changed: `marks` has a row for each, and yours is named takings.",
    )


def _nobody_reads_an_empty_table(lab: LabUnderTest, before: Takings) -> None:
    """Rebuild, while somebody holds its rows, others read them, and a reader's snapshot is older than all of it."""
    waited = False

    def read_meanwhile(_: Rival) -> None:
        nonlocal waited
        with lab.sql() as reader:
            reader.execute(f"SET LOCAL lock_timeout = {READER_WAITS_MS}")
            try:
                takings(reader)
            except psycopg.errors.LockNotAvailable:
                waited = True

    with lab.sql() as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT 1")  # this fixes its snapshot, and locks no table
        against_rival(
            lab,
            lambda rival: rival.execute("SELECT FROM takings FOR UPDATE"),
            lambda: call(lab, "rebuild", timeout=20),
            read_meanwhile,
            commits=False,
            seconds=MEET_SECONDS,
        )
        seen = takings(old)
    require(
        seen == before,
        "A reader whose snapshot (REPEATABLE READ) is older than rebuild did not find the old takings afterwards, but "
        f"{'an empty table' if not seen else 'others'}. Look at the statements by which rebuild empties or replaces the table: "
        "not all of them keep the old rows for older snapshots.",
    )
    require(
        not waited,
        "While rebuild was under way, a plain SELECT from takings had to wait. Look at the lock that rebuild takes on the table.",
    )


def _takes_a_limit_by_itself(lab: LabUnderTest, streams: Streams) -> None:
    with streams.begin() as connection:
        connection.execute(
            "INSERT INTO events (stream, version, type, payload) "
            "SELECT %s, n, 'NoteAdded', '{}' FROM generate_series(1, %s) AS n",
            [streams.new(), LIMIT + lab.random.randint(5, 50)],
        )
    passed = [catch_up(lab, None), *(catch_up(lab) for _ in range(3))]
    require(
        passed[0] in (0, LIMIT) and LIMIT in passed,
        f"catch_up was called without a limit while more than {LIMIT} events were waiting, and did not pass {LIMIT} of them.",
    )


# --- old events, and snapshots ---


def _price(lab: LabUnderTest) -> tuple[str, int]:
    cents = 100 * lab.random.randint(1, 999)  # what a float gets wrong is judged elsewhere
    return f"{cents // 100}.{cents % 100:02}", cents


@check("upcast")
def reads_old_events_as_new_ones(lab: LabUnderTest) -> None:
    """Reads each old form as today's, cent for cent, and refuses what it does not know."""
    with new_streams(lab) as streams:
        _upcasts(streams)


def _upcasts(streams: Streams) -> None:
    lab = streams.lab
    stream = streams.new()
    asked: list[tuple[Event, Any]] = []
    for cents in (1999, 29, 1001, 115, 411, 100, lab.random.randint(1000, 99_999)):
        text, sku = f"{cents // 100}.{cents % 100:02}", f"sku-{lab.random.getrandbits(20):05x}"
        lines = {sku: lab.random.randint(2, 5), f"{sku}-b": 1}
        forms: list[tuple[int, Any, Any]] = [
            (1, {"sku": sku, "total": text}, {"lines": {sku: 1}, "total_cents": cents}),
            (2, {"lines": lines, "total": text}, {"lines": lines, "total_cents": cents}),
            (3, {"lines": lines, "total_cents": cents}, {"lines": lines, "total_cents": cents}),
        ]
        for schema, payload, today in forms:
            asked.append(({**_recorded(streams, stream, 1, "OrderPlaced", payload), "schema": schema}, today))
    for (event, today), found in zip(asked, _upcast(lab, [event for event, _ in asked]), strict=True):
        what = f"An OrderPlaced of schema {event['schema']}"
        require(found != UNREADABLE, f"{what} was refused as Unreadable.")
        require(isinstance(found, dict), "upcast must return an event.")
        made = found.get("payload")
        require(
            isinstance(made, dict) and set(made) == set(today),
            f"{what} has not the keys of today: one is missing, or an old one was kept.",
        )
        require(made["lines"] == today["lines"], f"{what} has other lines than were ordered.")
        exact = made["total_cents"] == today["total_cents"] and isinstance(made["total_cents"], int)
        require(
            exact, f"{what} has not its price to the cent, as a whole number: look at how text becomes cents."
        )
        require(
            found == {**event, "schema": 3, "payload": today},
            f"{what} came back with other fields than its payload changed: set today's schema and leave all else as it was.",
        )
    known: dict[str, Any] = {
        "PaymentReceived": {"amount_cents": lab.random.randint(1, 999)},
        "MoneyRefunded": {"amount_cents": lab.random.randint(1, 999)},
        "OrderShipped": {"parcel": "P7"},
        "OrderCancelled": {"reason": "changed"},
    }
    same = [_recorded(streams, stream, 2, kind, payload) for kind, payload in known.items()]
    require(_upcast(lab, same) == same, "An event that is of today already was changed or refused.")
    placed = {"lines": {"a": 1}, "total_cents": 5, "sku": "a", "total": "0.05"}
    unreadable = [("OrderPlaced", schema, placed) for schema in (0, 4, 9, -1)]
    unreadable += [(kind, schema, payload) for kind, payload in known.items() for schema in (0, 2)]
    unreadable += [(f"Order{lab.random.choice(['Polished', 'Sung'])}", 1, {}), ("orderplaced", 3, placed)]
    strange = [
        {**_recorded(streams, stream, 1, kind, payload), "schema": schema}
        for kind, schema, payload in unreadable
    ]
    require(
        all(found == UNREADABLE for found in _upcast(lab, strange)),
        "A type or a schema that this program does not know was read by guessing: raise Unreadable.",
    )


def _upcast(lab: LabUnderTest, events: list[Event]) -> list[Any]:
    answers = lab.call("upcast_all", events, timeout=20)  # type: ignore[arg-type]
    require(
        isinstance(answers, list) and len(answers) == len(events), "`upcast_all` must stay as it was given."
    )
    assert isinstance(answers, list)
    return answers


def _plant_life(lab: LabUnderTest, streams: Streams, schema: int) -> tuple[str, list[Event]]:
    """A stream whose first event is of an old schema; the stream, and its events as they read today."""
    stream, (text, cents) = streams.new(), _price(lab)
    sku = f"sku-{lab.random.getrandbits(20):05x}"
    payload = {
        1: {"sku": sku, "total": text},
        2: {"lines": {sku: 1}, "total": text},
        3: {"lines": {sku: 1}, "total_cents": cents},
    }
    with streams.begin() as connection:
        streams.plant(connection, stream, 1, "OrderPlaced", payload[schema], schema)
        for version in range(2, 5):
            streams.plant(
                connection, stream, version, "PaymentReceived", {"amount_cents": lab.random.randint(1, 5)}
            )
    return stream, _today(streams, stream, sku, cents)


def _today(streams: Streams, stream: str, sku: str, cents: int) -> list[Event]:
    events = streams.events(stream)
    return [{**events[0], "schema": 3, "payload": {"lines": {sku: 1}, "total_cents": cents}}, *events[1:]]


def _snapshot(streams: Streams, stream: str) -> tuple[int, int, Any] | None:
    with streams.begin() as connection:
        row = connection.execute(
            "SELECT version, fold_schema, state FROM snapshots WHERE stream = %s", [stream]
        ).fetchone()
    return (row[0], row[1], row[2]) if row else None


PUT = """
INSERT INTO snapshots (stream, version, fold_schema, state) VALUES (%s, %s, %s, %s)
ON CONFLICT (stream) DO UPDATE SET version = excluded.version, fold_schema = excluded.fold_schema, state = excluded.state
"""


@check("snapshot")
def snapshots_change_nothing_but_the_time(lab: LabUnderTest) -> None:
    """Comes to the same state with a snapshot and without, and never trusts one that another fold has made."""
    with new_streams(lab) as streams:
        _snapshots(streams)


def _snapshots(streams: Streams) -> None:
    lab = streams.lab
    ours = lab.value("FOLD_SCHEMA")
    require(isinstance(ours, int), "FOLD_SCHEMA must be a whole number.")
    assert isinstance(ours, int)
    nobody = streams.new()
    require(call(lab, "load", nobody) is None, "A stream without events has no state: load must return None.")
    require(call(lab, "take_snapshot", nobody) == 0, "take_snapshot returns 0 for a stream without events.")
    require(_snapshot(streams, nobody) is None, "There is a snapshot of a stream that has no events.")
    for schema in (1, 2, 3):
        stream, today = _plant_life(lab, streams, schema)
        zero = lab.call("fold", today)
        stored = streams.rows(stream)
        loaded, raised = None, ""
        try:
            loaded = call(lab, "load", stream)
        except LearnerCodeError as error:
            raised = f"It raised {error.name}. "
        require(
            loaded == zero,
            f"load without a snapshot does not give the fold of all events in today's form. {raised}"
            f"The first event had schema {schema}: does every event go through upcast?",
        )
        require(
            call(lab, "take_snapshot", stream) == 4,
            "take_snapshot must return the version of the state that it stored.",
        )
        found = _snapshot(streams, stream)
        require(
            found is not None and found[0] == 4,
            "The snapshot's version is not that of the last event folded into it.",
        )
        require(found == (4, ours, zero), "The snapshot does not hold the state, or not this FOLD_SCHEMA.")
        require(call(lab, "load", stream) == zero, "load with a snapshot gives another state than without.")
        with streams.begin() as connection:
            for version in (5, 6):
                streams.plant(connection, stream, version, "PaymentReceived", {"amount_cents": version})
        later = lab.call("fold", [*today, *streams.events(stream)[4:]])
        require(
            call(lab, "load", stream) == later,
            "Events were appended behind the snapshot, and load does not give the state of now.",
        )
        _other_folds(lab, streams, stream, ours, zero, later)
        _uses_it(lab, streams, stream, ours, later)
        require(streams.rows(stream)[:4] == stored, "Stored events have changed.")
    _slow_one(lab, streams, ours)


def _other_folds(lab: LabUnderTest, streams: Streams, stream: str, ours: int, zero: Any, later: Any) -> None:
    for other in (ours - 1, ours + 1):
        for version in (4, 9):
            with streams.begin() as connection:
                connection.execute(
                    PUT, [stream, version, other, json.dumps({**zero, "paid_cents": -1, "version": version})]
                )
            require(
                call(lab, "load", stream) == later,
                "A snapshot that another fold has made was believed: its FOLD_SCHEMA is not "
                "yours, so it is as if it weren't there.",
            )
            require(
                call(lab, "take_snapshot", stream) == 6,
                "take_snapshot must return the version of the state that it stored.",
            )
            require(
                _snapshot(streams, stream) == (6, ours, later),
                "A snapshot of another FOLD_SCHEMA stayed: it must be replaced, whatever its version.",
            )


def _uses_it(lab: LabUnderTest, streams: Streams, stream: str, ours: int, later: Any) -> None:
    mark = f"seen-{lab.random.getrandbits(30):08x}"
    with streams.begin() as connection:
        connection.execute(PUT, [stream, 6, ours, json.dumps({**later, "parcel": mark})])
        streams.plant(connection, stream, 7, "PaymentReceived", {"amount_cents": 1})
    found = call(lab, "load", stream)
    require(
        isinstance(found, dict) and found.get("parcel") == mark and found.get("version") == 7,
        "There is a good snapshot, and load folded from the first event all the same.",
    )
    require(
        call(lab, "take_snapshot", stream) == 7,
        "A new snapshot must be taken when events have come since the last one.",
    )
    kept = _snapshot(streams, stream)
    require(kept is not None and kept[0] == 7, "An older snapshot was not replaced by the newer one.")


def _slow_one(lab: LabUnderTest, streams: Streams, ours: int) -> None:
    stream, today = _plant_life(lab, streams, 3)
    newer = {**lab.call("fold", today), "version": 9}  # type: ignore[dict-item]
    against_rival(
        lab,
        lambda rival: rival.execute(PUT, [stream, 9, ours, json.dumps(newer)]),
        lambda: call(lab, "take_snapshot", stream),
        seconds=MEET_SECONDS,
    )
    kept = _snapshot(streams, stream)
    require(
        kept is not None and kept[0] == 9,
        "A newer snapshot was replaced by an older one, of somebody who had been slow.",
    )
