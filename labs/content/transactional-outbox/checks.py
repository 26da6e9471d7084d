"""Checks of transactional-outbox: hidden orders, crashes, twins and late commits, judged by rows and by what the topic tells."""

from __future__ import annotations

from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices
from labs.given_cells import given_dict
from sandboxes.interface import LearnerCodeError

from .support import ADD_WAITING, Shop, event_of, sent

THREADS = 8


@check("compare")
def finds_what_was_lost_and_what_was_invented(lab: LabUnderTest) -> None:
    """Finds every change that the topic does not tell, and everything it tells that never happened."""
    shop, random = Shop(lab), lab.random
    shop.empty()
    events, lost, invented = [], [], []
    with lab.sql() as connection:
        for number in range(8):
            order, version = shop.order(), random.randint(3, 5)
            connection.execute("INSERT INTO orders VALUES (%s, 'placed', %s)", [order, version])
            versions = set(range(1, version + 1))
            gone: set[int] = set()
            if number == 0:
                gone = {version}
            elif number == 1:
                gone = {random.randint(1, version - 1)}
            elif number == 2:
                gone = versions
            events += [event_of(order, one) for one in versions - gone]
            lost += [[order, one] for one in gone]
            if number in (3, 4):
                # As many too many as there are too few elsewhere: counts tell nothing.
                invented.append([order, version + 1])
        stranger = shop.order()
        invented.append([stranger, 1])
    events += [event_of(order, version) for order, version in invented]
    events += random.sample(events, 4)
    random.shuffle(events)
    with lab.kafka() as kafka:
        kafka.send(shop.topic, [sent(event) for event in events])
    found = lab.call("on_own_connection", "compare", shop.topic, timeout=30)
    require(
        isinstance(found, dict)
        and {"lost", "invented"} <= set(found)
        and all(isinstance(found[x], list) for x in found),
        "compare must return {'lost': […], 'invented': […]}, two lists of [order_id, version].",
    )
    assert isinstance(found, dict)
    told: dict[str, list[Any]] = found  # type: ignore[assignment]
    for name, truth, what in (
        ("lost", lost, "a change that the table knows and the topic does not tell"),
        ("invented", invented, "an event that tells of a change the table does not know"),
    ):
        require(
            all(one in told[name] for one in truth),
            f"You miss under `{name}`: {what}. Look at single versions, not at counts.",
        )
        require(all(one in truth for one in told[name]), f"Under `{name}` stands something that is not {what}.")
        require(told[name] == sorted(truth), f"The list `{name}` is not sorted, or names something twice.")


@check("outbox")
def change_and_event_share_their_fate(lab: LabUnderTest) -> None:
    """A change and its event are both there or neither is, whatever fails and however many change the order at once."""
    shop, random = Shop(lab), lab.random
    shop.empty()
    order = shop.order()
    require(shop.change(order, "OrderPlaced") == 1, "change must return the order's new version.")
    require(shop.version(order) == 1, "After change has returned, the order is not changed. Was it committed?")
    require(
        shop.written(order) == [(1, "OrderPlaced")],
        "After a change the outbox does not hold its event: one row, with version and type.",
    )
    notes = random.randint(2, 4)
    for number in range(notes):
        require(shop.change(order, "OrderNoted") == number + 2, "change must return the order's new version.")
    require(shop.change(order, "OrderPaid") == notes + 2, "change must return the order's new version.")
    require(
        shop.written(order)
        == [(1, "OrderPlaced"), *((n + 2, "OrderNoted") for n in range(notes)), (notes + 2, "OrderPaid")],
        "The outbox does not hold each change of the order once, in the order of its versions.",
    )

    result = shop.change(order, "OrderCancelled")
    require(
        shop.version(order) == notes + 2 and len(shop.written(order)) == notes + 2,
        "A change was refused, and something of it stayed: a new version, or an event that tells of nothing.",
    )
    require(result == "Refused", "What apply_change raises has to come out of change.")

    for stage in ("insert", "commit"):
        for first in (True, False):
            other = shop.order()
            if not first:
                require(shop.change(other, "OrderPlaced") == 1, "change must return the order's new version.")
            before = shop.version(other)
            shop.fail(other, stage)
            result = shop.change(other, "OrderPlaced" if first else "OrderNoted")
            require(
                shop.version(other) == before,
                "The outbox row could not be written, and the order was changed all the same: an event is lost.",
            )
            require(
                len(shop.written(other)) == before,
                "The database refused the change at its commit, and its event was written all the same: it tells of nothing.",
            )
            require(
                isinstance(result, str),
                "The database refused the change, and your function returned as if it were done.",
            )
            shop.fail(other, None)
            require(
                shop.change(other, "OrderPlaced" if first else "OrderNoted") == before + 1,
                "After a change that the database had refused, the same change must be possible.",
            )

    unlucky, next_one = shop.order(), shop.order()
    shop.fail(unlucky, "insert")
    results = lab.call(
        "on_one_connection", ["change", unlucky, "OrderPlaced"], ["change", next_one, "OrderPlaced"]
    )
    require(
        isinstance(results, list)
        and results[1:] == [1]
        and shop.version(next_one) == 1
        and not shop.version(unlucky),
        "After a change that failed, the next one on the same connection fails as well, or carries the failed one along: "
        "the transaction is still open. Roll back.",
    )

    crowd = shop.order()
    shop.change(crowd, "OrderPlaced")
    calls = [["change", crowd, "OrderNoted"]] * (3 * THREADS)
    outcomes = lab.call_many("on_own_connection", calls, workers=THREADS, timeout=30)
    require(
        not any(outcome.error for outcome in outcomes),
        "With several threads changing one order, a change failed: where does its version come from?",
    )
    count = len(calls) + 1
    require(
        [version for version, _ in shop.written(crowd)] == list(range(1, count + 1))
        and shop.version(crowd) == count,
        "With several threads changing one order, its versions in the outbox have a gap, or do not rise with the position.",
    )


@check("relay")
def relays_at_least_once_in_order_and_one_at_a_time(lab: LabUnderTest) -> None:
    """Sends every event at least once and each order's in their order, through crashes, failed sends, late commits and a twin."""
    _quiet_relay(lab)
    _crashes(lab)
    _late_commit(lab)
    _twins(lab)


def _quiet_relay(lab: LabUnderTest) -> None:
    shop = Shop(lab)
    shop.empty()
    require(shop.relay(10) == 0, "With an empty outbox relay_once returns 0.")
    rows = shop.fill(4, 4)
    batch = lab.random.randint(5, 7)
    moved = shop.relay(batch)
    told = shop.told()
    require(len(told) <= batch, "The relay sent more rows than its batch.")
    require(
        moved == batch and len(told) == batch,
        "With enough rows waiting, relay_once moves a whole batch and returns how many.",
    )
    require(
        set(told) == set(rows[:batch]), "The relay did not send the rows that come first by their positions."
    )
    marked = {place for place, (_, _, is_sent) in shop.outbox().items() if is_sent}
    require(
        marked == set(told),
        "The rows that are marked as sent are not those that were sent. Was the mark committed?",
    )
    require(shop.relay(100, 2) == len(rows) - batch, "Run again, the relay must send the rest, once.")
    require(len(shop.told()) == len(rows), "Without any crash an event was sent twice, or not at all.")
    shop.require_order("with one relay and no failure")
    shop.require_marks_are_true()
    shop.require_no_lock_left()


def _crashes(lab: LabUnderTest) -> None:
    for where, calls, expected in (("produce", 3, "Crash"), ("confirmed", 1, "Crash"), ("report", 1, None)):
        shop = Shop(lab)
        shop.empty()
        rows = shop.fill(3, 3)
        lab.call("arm", where, calls)
        result = shop.relay(6)
        shop.require_marks_are_true()
        require(
            expected is None or result == expected,
            "The relay was to be killed and was not: it sends by open_producer(), "
            "waits with flush, and lets a Crash through.",
        )
        if where == "report":
            require(
                isinstance(result, str),
                "The broker did not take an event, and relay_once returned as if it had: raise.",
            )
            require(
                not any(is_sent for _, _, is_sent in shop.outbox().values()),
                "One event of a batch was not confirmed: mark none of them and raise, all go again.",
            )
        shop.require_no_lock_left()
        shop.relay(100, 2)
        require(
            set(shop.told()) == set(rows),
            "After the relay had ended in the middle of a batch and was run again, an event was never sent.",
        )
        shop.require_marks_are_true()
        require(
            all(is_sent for _, _, is_sent in shop.outbox().values()),
            "After the relay had ended in the middle of a batch and was run again, rows still wait.",
        )
        if where != "report":
            shop.require_order("after a relay was killed and run again")


def _late_commit(lab: LabUnderTest) -> None:
    """A transaction that wrote first and commits last."""
    shop = Shop(lab)
    shop.empty()
    slow = shop.order()
    with lab.sql() as late:
        late.execute(ADD_WAITING, [slow, 1, "OrderPlaced"])
        shop.fill(2, 2)
        shop.relay(10)
        late.commit()
    shop.relay(10, 2)
    require(
        (slow, 1) in shop.told(),
        "A transaction took its position before others and committed after them, and its event was never sent. What does the "
        "relay go by?",
    )
    shop.require_marks_are_true()


def _twins(lab: LabUnderTest) -> None:
    """A second relay runs while the first has looked and not yet sent."""
    shop = Shop(lab)
    shop.empty()
    rows = shop.fill(2, 6)
    batch = 5
    together = "while two relays ran at the same time"
    outcome = given_dict(lab, "two_relays", shop.topic, batch, timeout=30)
    shop.require_order(together)
    shop.relay(100, 2)
    told = shop.told()
    require(set(told) == set(rows), "With two relays at the same time an event was never sent.")
    shop.require_order(together)
    require(len(told) == len(rows), "Two relays at the same time sent an event twice, without any crash.")
    require(
        all(isinstance(one, int) for one in outcome.values()) and len(outcome) == 2,
        "Of two relays at the same time one raised or never came back: a second one has nothing to do, that is no error.",
    )
    shop.require_no_lock_left()


@check("lag-and-cleaning")
def lag_is_measured_and_only_the_sent_are_cleaned(lab: LabUnderTest) -> None:
    """Tells how long the oldest waiting row has waited, and deletes only what was sent long ago, a bounded number at a time."""
    shop, random = Shop(lab), lab.random
    shop.empty()

    def round_of(keep: int, batch: int) -> dict[str, Any]:
        found = lab.call("on_own_connection", "look_after", keep, batch)
        names = ("waiting", "oldest_seconds", "deleted")
        require(
            isinstance(found, dict) and all(isinstance(found.get(name), int | float) for name in names),
            "look_after must return {'waiting': number, 'oldest_seconds': number, 'deleted': number}.",
        )
        assert isinstance(found, dict)
        return found

    require(
        round_of(100, 10) == {"waiting": 0, "oldest_seconds": 0, "deleted": 0},
        "With an empty outbox all three numbers are 0.",
    )
    keep = random.randint(500, 700)
    waiting = [random.randint(20, 60), random.randint(4_000, 5_000), random.randint(90, 300)]
    fresh_ones = [random.randint(5, 60), random.randint(100, 300)]
    old_ones = [keep + random.randint(60, 5_000) for _ in range(7)]
    kept, waits = set(), set()
    ages: dict[str, int] = {}

    def add(created: int, sent_ago: int | None) -> str:
        order = shop.order()
        with lab.sql() as connection:
            connection.execute(
                """
                INSERT INTO outbox (order_id, version, type, created_at, sent_at) VALUES (%s, 1, 'OrderPlaced',
                    clock_timestamp() - make_interval(secs => %s), clock_timestamp() - make_interval(secs => %s))
                """,
                [order, created, sent_ago],
            )
        return order

    # Older than any that waits, and sent: it is no lag. And made long ago but sent just now: it is kept.
    for ago in fresh_ones:
        kept.add(add(random.randint(20_000, 30_000), ago))
    for ago in old_ones:
        ages[add(ago + random.randint(1, 9_000), ago)] = ago
    for ago in waiting:
        waits.add(add(ago, None))
    batch = random.randint(2, 3)
    found = round_of(keep, batch)
    require(
        found["waiting"] == len(waiting), "`waiting` does not count the rows that are not sent, and only those."
    )
    seconds = found["oldest_seconds"]
    require(
        abs(seconds - max(waiting)) < 60,
        "`oldest_seconds` is not the age of the row that has waited the longest, of those that are not sent. "
        "The first position need not be it.",
    )

    def left() -> set[str]:
        with lab.sql() as connection:
            return {order for (order,) in connection.execute("SELECT order_id FROM outbox").fetchall()}

    gone = set(ages) - left()
    require(waits <= left(), "look_after deleted a row that was never sent: an event is lost.")
    require(
        kept <= left(),
        "look_after deleted a row that was sent only a moment ago: the time counts from sent_at.",
    )
    require(
        len(gone) <= batch,
        "look_after deleted more rows than its batch: a long transaction in a busy table.",
    )
    require(
        len(gone) == batch,
        "look_after deleted fewer rows than its batch, though enough are old. Was it committed?",
    )
    require(found["deleted"] == batch, "`deleted` must tell how many rows it has deleted.")
    require(
        {ages[order] for order in gone} == set(sorted(ages.values())[-batch:]),
        "look_after must begin with the rows that were sent first.",
    )
    rest = round_of(keep, 100)["deleted"]
    require(left() == kept | waits, "look_after left rows that were sent long ago, or deleted others.")
    require(rest == len(ages) - batch, "`deleted` must tell how many rows it has deleted.")
    require(round_of(keep, 100)["deleted"] == 0, "With nothing old to delete, `deleted` is 0.")


@check("one-effect")
def each_event_has_one_effect_in_its_turn(lab: LabUnderTest) -> None:
    """Each event has its effect once and after those before it, whatever is repeated, early, late, concurrent or failing."""
    shop, random = Shop(lab), lab.random

    def deliver(event: dict[str, Any]) -> Any:
        try:
            return lab.call("on_own_connection", "apply_event", event)
        except LearnerCodeError as error:
            return error.name

    def effects(order: str) -> list[int]:
        with lab.sql() as connection:
            rows = connection.execute(
                "SELECT version FROM effects WHERE order_id = %s ORDER BY effect_id", [order]
            ).fetchall()
        return [version for (version,) in rows]

    def seen(order: str) -> tuple[int, str]:
        with lab.sql() as connection:
            row = connection.execute(
                "SELECT version, type FROM order_view WHERE order_id = %s", [order]
            ).fetchone()
        return (int(row[0]), str(row[1])) if row else (0, "")

    order, last = shop.order(), random.randint(4, 6)
    events = [event_of(order, version) for version in range(1, last + 1)]
    for number, event in enumerate(events):
        require(
            deliver(event) == "applied", "The next version of its order has to be applied: return 'applied'."
        )
        require(
            effects(order) == list(range(1, number + 2)),
            "An event was applied and its effect is not there, or not once. Was it committed?",
        )
        require(
            seen(order) == (number + 1, event["type"]),
            "order_view does not hold the last version that was applied, with its type.",
        )
        for repeat in {0, random.randint(0, number), number}:
            result = deliver(events[repeat])
            require(
                effects(order) == list(range(1, number + 2)),
                "A version that had been applied was delivered again, and had its effect again.",
            )
            require(
                seen(order) == (number + 1, event["type"]),
                "A repeat changed order_view: it may be older than what is there.",
            )
            require(result == "repeat", "A version that was applied already is a repeat: return 'repeat'.")

    ahead = shop.order()
    events = [event_of(ahead, version) for version in range(1, 5)]
    for known in range(3):
        for early in events[known + 1 :]:
            result = deliver(early)
            require(
                effects(ahead) == list(range(1, known + 1)) and seen(ahead)[0] == known,
                "A version came before the one that precedes it and was applied: the one between will be taken for a repeat.",
            )
            require(
                result == "Early",
                "A version that comes too early has to raise Early, so that somebody keeps it.",
            )
        require(
            deliver(events[known]) == "applied",
            "After versions that came too early, the next one has to be applied.",
        )

    for version in (1, 2):
        failing = event_of(ahead if version == 2 else shop.order(), 4 if version == 2 else 1)
        before = (effects(failing["order_id"]), seen(failing["order_id"])[0])
        lab.call("fail_once", failing["event_id"])
        result = deliver(failing)
        require(
            (effects(failing["order_id"]), seen(failing["order_id"])[0]) == before,
            "The effect failed, and a part of it stayed: an effect, or the note that the version was applied.",
        )
        require(result == "RuntimeError", "What effect raises has to come out of apply_event.")
        require(
            deliver(failing) == "applied", "An event failed, was delivered again, and was not applied then."
        )

    retried = event_of(shop.order(), 1)
    lab.call("fail_once", retried["event_id"])
    results = lab.call("on_one_connection", ["apply_event", retried], ["apply_event", retried])
    require(
        results == ["RuntimeError", "applied"] and effects(retried["order_id"]) == [1],
        "An event failed and was delivered again on the same connection: it has to be applied then, once. Is the transaction "
        "of the first attempt still open?",
    )

    fresh = shop.order()
    for version in (1, 2, 3):
        crowd = event_of(fresh, version)
        outcomes = lab.call_many(
            "on_own_connection", [["apply_event", crowd]] * THREADS, workers=THREADS, timeout=30
        )
        require(
            effects(fresh) == list(range(1, version + 1)),
            "One event in several threads at the same time had its effect more than once.",
        )
        raised = [outcome.error.split(":")[0] for outcome in outcomes if outcome.error]
        require(
            not raised,
            f"Of {THREADS} threads with the same event, {len(raised)} raised ({', '.join(sorted(set(raised)))}): one is told "
            "'applied' and all others 'repeat'.",
        )
        require(
            sorted(str(outcome.value) for outcome in outcomes) == ["applied"] + ["repeat"] * (THREADS - 1),
            "Of several threads with the same event one is told 'applied' and all others 'repeat'.",
        )


@check("choices")
def chosen_with_reasons(lab: LabUnderTest) -> None:
    """Chooses for each case what the cells of the notebook have shown."""
    wanted = {
        "publish_inside": "the event tells of nothing",
        "cursor": "when two transactions commit in another order than they inserted",
        "skip_locked": "may send a later event of an order first",
        "marked_first": "loses a batch",
        "alarm": "the age of the oldest row that waits",
        "repeat_known_by": "the event_id of the outbox row",
        "too_large": "tries it for ever, and all behind it wait",
    }
    advice = "Run sections 3 and 4 again and look at what each relay leaves behind."
    require_choices(lab, wanted, advice, exact=True)
