"""Checks of idempotent-consumer-and-dlq: hidden events, crashes and outages, judged by rows, records and positions."""

from __future__ import annotations

import json
from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices
from labs.kafka_under_test import Sent
from sandboxes.interface import LearnerCodeError

from .support import HANDLER, Bank, Letters, Stream, error_class, handled, names_of, told_as, while_noted

ATTEMPTS, FIRST_LIMIT = 5, 0.5
DRAWS = 24
"""How many schedules of pauses are looked at: that a fair one of them all stays below half its limit has a chance of 2^-24."""
THREADS = 12


@check("reconcile")
def finds_every_event_that_was_not_carried_out_once(lab: LabUnderTest) -> None:
    """Finds every event of the log that was carried out never or too often, and no other."""
    bank, random = Bank(lab), lab.random
    wallet = bank.open(100_000)
    topic = f"log-{random.getrandbits(40):010x}"
    times = [0, 0, 1, 1, 1, 1, 2, 2, random.randint(3, 5)]
    random.shuffle(times)
    events = [bank.event(wallet, -random.randint(1, 99)) for _ in times]
    log = [Sent(json.dumps(event), wallet) for event in events]
    # Some stand there twice: one of each kind, so that the number of records tells nothing.
    doubled = [events[times.index(wanted)] for wanted in (0, 1, 2)]
    log += [Sent(json.dumps(event), wallet) for event in doubled]
    log += [Sent("{", wallet), Sent(None, wallet), Sent("[]", None)]
    random.shuffle(log)
    with lab.kafka() as kafka:
        kafka.make(topic, 3)
        kafka.send(topic, log)
    with lab.sql() as connection:
        for event, count in [*zip(events, times, strict=True), (bank.event(wallet, -5), 2)]:
            for _ in range(count):
                connection.execute(
                    "INSERT INTO movements (event_id, wallet, cents) VALUES (%s, %s, %s)",
                    [event["id"], wallet, event["cents"]],
                )
    found = lab.call("reconcile", topic, timeout=30)
    require(isinstance(found, dict), "reconcile must return a dictionary {event id: number of movements}.")
    assert isinstance(found, dict)
    truth = {event["id"]: count for event, count in zip(events, times, strict=True)}
    require(
        all(event in found for event, count in truth.items() if count == 0),
        "You miss an event that stands in the log and was never carried out.",
    )
    often = {event for event, count in truth.items() if count > 1}
    require(
        often <= set(found) | {event["id"] for event in doubled},
        "You miss an event that was carried out more than once.",
    )
    require(
        often <= set(found),
        "You miss an event that was carried out more than once and that also stands in the log more than once. It is still one "
        "event, and it should have one movement.",
    )
    require(
        not any(truth.get(event) == 1 for event in found),
        "You report an event that was carried out exactly once. It may stand in the log twice: that is still one event.",
    )
    require(set(found) <= set(truth), "You report an event that is not in this topic.")
    require(
        found == {event: count for event, count in truth.items() if count != 1},
        "You report the right events, but not how many movements each of them has.",
    )


@check("inbox")
def each_event_takes_effect_once(lab: LabUnderTest) -> None:
    """Each event takes effect once, however often, from however many threads, and after whatever failure it is delivered."""
    bank, random = Bank(lab), lab.random
    wallet = bank.open(50_000)
    twin = -random.randint(100, 300)
    first, second = bank.event(wallet, twin), bank.event(wallet, twin)
    require(
        handled(lab, first) is True, "An event that is delivered for the first time takes effect: return True."
    )
    require(
        bank.movements(first) == 1,
        "After handle_once has returned True its effect is not there. Was it committed?",
    )
    again = handled(lab, first)
    require(bank.movements(first) == 1, "An event that was delivered twice took effect twice.")
    require(again is False, "A repeat changes nothing and returns False.")
    require(
        handled(lab, second) is True and bank.movements(second) == 1,
        "Two events of the same wallet and amount are two events: what makes an event the same is its id.",
    )

    stranger = bank.event(wallet, -random.randint(100, 300))
    with lab.sql() as connection:
        connection.execute("INSERT INTO inbox (consumer, event_id) VALUES ('loyalty', %s)", [stranger["id"]])
    require(
        handled(lab, stranger) is True and bank.movements(stranger) == 1,
        "Another consumer had noted the event, and yours took that for its own note: its effect is missing.",
    )

    _fails_as_a_whole(lab, bank)
    _waits_for_its_rival(lab, bank)

    crowd = bank.event(wallet, -random.randint(100, 300))
    outcomes = lab.call_many(
        "on_own_connection", [["handle_once", crowd]] * THREADS, workers=THREADS, timeout=30
    )
    require(
        bank.movements(crowd) == 1,
        "One event handed to several threads at the same time took effect more than once.",
    )
    require(
        not any(outcome.error for outcome in outcomes),
        f"One event handed to several threads at the same time made one of them raise{names_of(outcomes)}: a repeat is no error, "
        "return False.",
    )
    require(
        [outcome.value for outcome in outcomes].count(True) == 1,
        "Of several threads with the same event exactly one is told True, and all others False.",
    )
    require(bank.balanced(), "A balance and its movements don't agree: only one of the two was kept.")


def _fails_as_a_whole(lab: LabUnderTest, bank: Bank) -> None:
    """What fails leaves nothing behind and can succeed later."""
    random = lab.random
    poor = bank.open(random.randint(10, 90))
    dear = bank.event(poor, -random.randint(300, 500))
    require(
        handled(lab, dear) == "Refused",
        "What `apply` raises has to come out of handle_once: its caller decides what becomes of the event.",
    )
    bank.top_up(poor, 1000)
    require(
        handled(lab, dear) is True and bank.movements(dear) == 1,
        "An event failed, its cause was mended, it was delivered again, and your handler took it for handled: "
        "the note of it outlived its failure.",
    )
    # The risk service is asked after the rows are written, so something is there to be rolled back.
    late = bank.event(poor, -random.randint(1, 9))
    lab.call("outage", late["id"], 1)
    require(handled(lab, late) == "Unavailable", "What `apply` raises has to come out of handle_once.")
    require(bank.movements(late) == 0, "An event failed, and a part of its effect stayed.")
    require(
        handled(lab, late) is True and bank.movements(late) == 1,
        "An event failed, was delivered again, and did not take effect then.",
    )
    same = bank.event(poor, -random.randint(1, 9))
    lab.call("outage", same["id"], 1)
    results = lab.call("twice_on_one_connection", "handle_once", same)
    require(
        results == ["Unavailable", True] and bank.movements(same) == 1,
        "An event failed, and was handed to handle_once again on the same connection: it has to take effect then, once. "
        "Is the transaction of the first attempt still open?",
    )
    unnoted = bank.event(poor, -random.randint(1, 9))
    bank.fail_inserts("inbox", unnoted, 1)
    handled(lab, unnoted)
    require(
        bank.movements(unnoted) == 0,
        "The note could not be written, and the effect was kept: the repeat makes it a second time.",
    )
    handled(lab, unnoted)
    require(bank.movements(unnoted) == 1, "An event failed, was delivered again, and did not take effect then.")


def _waits_for_its_rival(lab: LabUnderTest, bank: Bank) -> None:
    """Another consumer is at work on the same event; whether it gets through is known only at its end."""
    random = lab.random
    for commits in (True, False):
        wallet = bank.open(5_000)
        event = bank.event(wallet, -random.randint(100, 300))
        result = while_noted(lab, event, commits=commits)
        require(
            bank.movements(event) <= 1,
            "Two threads of this consumer held the same event, and the other one committed first: it took effect twice.",
        )
        require(
            bank.movements(event) == 1 and (commits or result is True),
            "Two threads of this consumer held the same event, the other one rolled back, and yours had passed it over: "
            "the effect is missing. Wait for the other's end before you decide.",
        )
        came_to = f"raised {lab.telling.name(result)}" if isinstance(result, str) else f"returned {result}"
        require(
            result is (not commits),
            f"Two threads of this consumer held the same event, and the other one committed first. Yours {came_to}: that is a "
            "repeat, return False. A SELECT before the insert does not see what is not committed yet.",
        )


@check("backoff")
def retries_with_measure(lab: LabUnderTest) -> None:
    """Retries only what may pass, a bounded number of times, after random pauses with a growing limit."""
    bank, random = Bank(lab), lab.random
    lab.call("calm")

    def run(event: dict[str, Any]) -> tuple[str, int, list[float]]:
        """What came of it ("" is well), the attempts, the pauses."""
        lab.call("take_asked")
        lab.call("take_pauses")
        try:
            lab.call("try_with_retries", HANDLER, event)
            name = ""
        except LearnerCodeError as error:
            name = error.name
        pauses = lab.call("take_pauses")
        asked = lab.call("take_asked")
        require(
            isinstance(pauses, list) and isinstance(asked, list),
            "The lists PAUSES and ASKED are not as the notebook's cells make them. Restore those cells.",
        )
        assert isinstance(pauses, list) and isinstance(asked, list)  # noqa: PT018 - for the type checker
        return name, len(asked), pauses

    for times in [*sorted(random.sample(range(1, ATTEMPTS - 1), 2)), ATTEMPTS - 1]:
        event = bank.event("w", random.randint(1, 99))
        lab.call("outage", event["id"], times)
        name, attempts, pauses = run(event)
        require(
            not name,
            "An outage that was over before the last attempt cost the event: with ATTEMPTS attempts it would have been handled.",
        )
        require(
            attempts == times + 1,
            f"After a success there must be no further attempt: it came at attempt {times + 1}, and you made {attempts}.",
        )
        require(
            len(pauses) == times,
            "There must be one pause, by pause(seconds), before each attempt but the first: "
            f"with {attempts} attempts you made {len(pauses)}.",
        )
        with lab.sql() as connection:
            row = connection.execute(
                "SELECT count(*) FROM deliveries WHERE event_id = %s", [event["id"]]
            ).fetchone()
        require(
            row == (1,),
            "What a failed attempt had written was kept and committed by a later one. Roll back before you try again.",
        )

    broken = bank.event("w", random.randint(1, 99))
    bank.fail_inserts("deliveries", broken, 2)
    name, _, pauses = run(broken)
    require(
        not name and len(pauses) == 2,
        "The database reported a serialization failure, which is TRANSIENT, and the event was not handled at a later attempt. "
        "What has to be done with the transaction first?",
    )

    for event, expected in (
        (bank.event("w", 0), "Refused"),
        ({"id": f"e-{random.getrandbits(32):08x}"}, "KeyError"),
    ):
        name, _, pauses = run(event)
        require(
            not pauses, "An event that can never be handled was tried again: only TRANSIENT is worth a pause."
        )
        require(name == expected, "What is not TRANSIENT has to go on to the caller as it was raised.")

    schedules = []
    for _ in range(DRAWS):
        event = bank.event("w", random.randint(1, 99))
        lab.call("outage", event["id"], 1000)
        name, attempts, pauses = run(event)
        require(
            name == "Unavailable",
            "After the last attempt the failure has to go on to the caller as it was raised.",
        )
        require(
            attempts == ATTEMPTS,
            "While it is TRANSIENT, make ATTEMPTS attempts in all, no more, no fewer: "
            f"you made {attempts}, ATTEMPTS is {ATTEMPTS}.",
        )
        require(
            len(pauses) == ATTEMPTS - 1,
            "There must be a pause between two attempts, and none after the last: "
            f"with {attempts} attempts you made {len(pauses)}.",
        )
        require(all(isinstance(one, int | float) for one in pauses), "Pauses are numbers of seconds.")
        schedules.append(pauses)
    for number, drawn in enumerate(zip(*schedules, strict=True)):
        limit = FIRST_LIMIT * 2**number
        require(
            min(drawn) >= 0 and max(drawn) <= limit,
            "A pause is longer than its limit, or negative: the first limit is FIRST_LIMIT, and each further one twice the last.",
        )
        require(
            max(drawn) > limit / 2,
            "Your pauses stay far below their limits: it doubles from attempt to attempt, and the pause is drawn up to it.",
        )
        require(
            len(set(drawn)) > DRAWS // 2,
            "Your pauses are the same each time. Clients that failed together then come back together: make them random.",
        )
        require(
            min(drawn) < limit * 0.75,
            "Your pauses differ too little: clients that failed together still come back almost together. Draw them from the "
            "whole range below the limit.",
        )


BROKEN = ("cut", "bytes", "nothing", "number", "refused")


@check("dead-letters")
def what_cannot_be_handled_is_parked_and_blocks_nobody(lab: LabUnderTest) -> None:
    """Parks what can't be handled without losing or blocking anything, and parks nothing in an outage, wherever it is killed."""
    _quiet_day(lab)
    _killed(lab)
    _unconfirmed(lab)
    _outage(lab)
    _refused_by_the_database(lab)


def _mixture(lab: LabUnderTest, kinds: tuple[str, ...]) -> list[tuple[str, int]]:
    """Sound records with broken ones between and behind them, in partitions 0 and 2."""
    records = []
    for number, kind in enumerate(kinds):
        records += [("sound", 0 if number % 2 else 2)] * lab.random.randint(1, 3) + [
            (kind, lab.random.choice((0, 2)))
        ]
    return [*records, ("sound", 0), ("sound", 2)]


def _quiet_day(lab: LabUnderTest) -> None:
    stream = Stream(lab)
    kinds = list(BROKEN)
    lab.random.shuffle(kinds)
    stream.fill(_mixture(lab, tuple(kinds)))
    result = stream.drain()
    if isinstance(result, str):
        require(
            False,
            f"A record that can't be handled stopped your consumer ({lab.telling.name(result)}): everything behind it in its "
            "partition waits for ever. It may be no JSON, or have no value at all.",
        )
    delivered = stream.deliveries()
    require(set(delivered) == set(stream.places), "A sound record was never given to the handler.")
    require(
        len(delivered) == len(stream.places),
        "On a quiet day, without any crash, a record was given to the handler twice.",
    )
    for partition in stream.ends:
        offsets = [stream.places[event][1] for event in delivered if stream.places[event][0] == partition]
        require(offsets == sorted(offsets), "Records of one partition were not handled in their order.")
    sources = stream.sources()
    require(
        set(sources) == set(stream.broken),
        "The dead letters are not those records that can't be handled: there is one too few, or one of a sound record.",
    )
    require(len(sources) == len(set(sources)), "On a quiet day, without any crash, a record was parked twice.")
    classes = {"cut": {"JSONDecodeError"}, "refused": {"Refused"}}
    for letter, place in zip(stream.parked(), sources, strict=True):
        sent = stream.broken[place]
        require(
            letter.value == sent.value,
            "A dead letter does not hold the bytes of its record. They may be what was wrong: pass them on as they came.",
        )
        require(letter.key == sent.key, "A dead letter has lost the key of its record.")
        require(
            all(header in letter.headers for header in sent.headers),
            "A dead letter has lost the record's own headers.",
        )
        raised = error_class(letter)
        require(
            bool(raised),
            "A dead letter's dlq-error does not begin with the name of a class. It begins with that of the exception, as in "
            "`KeyError: 'wallet'`.",
        )
        if sent.value is None:
            classes_here = {"TypeError"}
        elif isinstance(sent.value, bytes):
            classes_here = {"UnicodeDecodeError", "JSONDecodeError"}
        elif not sent.value.endswith("}"):
            classes_here = {"TypeError"} if sent.value.isdecimal() else classes["cut"]
        else:
            classes_here = classes["refused"]
        require(
            raised in classes_here | {"ValueError"},
            f"A dead letter's dlq-error does not begin with the class of what was raised for its record{told_as(lab, raised)}.",
        )
    require(
        stream.committed() == stream.ends,
        "After everything is handled or parked, the group's position is not at the end: the next start repeats it all.",
    )
    require(
        result == {"handled": len(stream.sound), "parked": len(stream.broken)},
        "drain does not return how many records were handled and how many were parked.",
    )
    require(
        stream.drain() == {"handled": 0, "parked": 0} and stream.deliveries() == delivered,
        "A second run, with nothing new in the topic, must do nothing.",
    )


def _killed(lab: LabUnderTest) -> None:
    """Killed before a commit, and before a dead letter is sent; then started again."""
    for where, calls in (("commit", lab.random.randint(3, 5)), ("produce", 1)):
        stream = Stream(lab)
        stream.fill(_mixture(lab, ("cut", "refused", "number")))
        lab.call("arm", where, calls)
        result = stream.drain()
        stream.require_nothing_lost()
        require(
            result == "Crash",
            "Your consumer was to be killed, and was not: it commits after each record by `consumer.commit`, sends by what "
            "`open_producer()` returns, and lets a Crash through.",
        )
        before = stream.deliveries()
        if where == "commit":
            behind = sum(stream.committed().values())
            require(
                behind == calls - 1,
                "Killed just before a commit, the group's position is not that of the commits before it: commit the position of "
                "each record once, when it is handled or parked.",
            )
        stream.drain()
        stream.require_nothing_lost()
        delivered = stream.deliveries()
        require(
            stream.committed() == stream.ends and set(delivered) == set(stream.places),
            "After a crash and a new start, records were left out.",
        )
        require(
            len(delivered) - len(stream.places) <= 1 and delivered[: len(before)] == before,
            "After a crash more than the one record that was in hand was given to the handler again.",
        )
        require(
            set(stream.sources()) == set(stream.broken),
            "After a crash and a new start, the dead letters are not those records that can't be handled.",
        )


def _unconfirmed(lab: LabUnderTest) -> None:
    """The broker never confirms the dead letter."""
    stream = Stream(lab)
    stream.fill(_mixture(lab, ("refused", "cut")))
    lab.call("arm", "report", 1)
    first = stream.drain()
    stream.require_nothing_lost()
    if not isinstance(first, str):
        # It may have sent the letter again by itself: then all is there.
        require(set(stream.sources()) == set(stream.broken), "A dead letter that was not confirmed is missing.")
        return
    stream.drain()
    stream.require_nothing_lost()
    require(
        stream.committed() == stream.ends and set(stream.sources()) == set(stream.broken),
        "After a dead letter that was not confirmed, and a new start, something was left out.",
    )


def _outage(lab: LabUnderTest) -> None:
    """Something else than the record is to blame: nothing is parked, and nothing is passed over."""
    stream = Stream(lab)
    stream.fill([("sound", 0), ("refused", 0), ("sound", 0), ("sound", 0), ("cut", 0)])
    stuck = stream.sound[1]
    stream.outage(stuck, 1)
    result = stream.drain()
    place = stream.places[stuck["id"]]
    require(
        place not in stream.sources(),
        "The risk service was away, and you parked a sound record. In an outage of an hour that empties the topic into the "
        "dead letters.",
    )
    stream.require_nothing_lost()
    require(
        result == "Unavailable",
        "The risk service was away: drain must raise that on, so that the caller waits and starts again.",
    )
    require(
        stream.committed()[0] == place[1],
        "After an outage the group's position must be that of the record that could not be handled: those before it are done.",
    )
    stream.drain()
    require(
        set(stream.deliveries()) == set(stream.places) and set(stream.sources()) == set(stream.broken),
        "When the outage was over and drain ran again, something was left out.",
    )


def _refused_by_the_database(lab: LabUnderTest) -> None:
    """A handler has written something, or its statement failed, when it raises; sound records come behind it."""
    stream = Stream(lab)
    kinds = ("sound", "refused", "sound", "rejected", "sound", "sound")
    stream.fill([(kind, 0) for kind in kinds])
    result = stream.drain()
    innocent = set(stream.sources()) & set(stream.places.values())
    require(
        not innocent,
        f"One statement of a handler failed in the database, and {len(innocent)} of the sound records behind it were parked as "
        "well. The next record needs a clean connection: what has to be done with the transaction of the one that failed?",
    )
    require(
        not stream.leftovers(),
        "A handler wrote a row and then raised. Its record was parked, and the row was committed with the next record: "
        "parked and half done. Roll back before you park.",
    )
    require(
        isinstance(result, dict),
        f"One statement of a handler failed in the database, and drain raised {lab.telling.name(str(result))}: such a record is "
        "parked, and the next one handled.",
    )
    require(
        set(stream.deliveries()) == set(stream.places) and set(stream.sources()) == set(stream.broken),
        "One statement of a handler failed in the database: its record must be parked, and every sound one handled.",
    )


@check("replay")
def letters_come_back_and_none_is_forgotten(lab: LabUnderTest) -> None:
    """Hands dead letters to the handler again, a few at a time, counts what fails again, and forgets none when it is killed."""
    post = Letters(lab)
    mended, hopeless = post.letters
    limit = lab.random.randint(2, 3)
    result = post.replay(limit)
    require(
        isinstance(result, dict),
        f"Replaying letters of which some fail again raised {lab.telling.name(str(result))}.",
    )
    with lab.kafka() as kafka:
        require(
            not kafka.records(post.source),
            "A letter was put back into its source topic: every other group that reads it gets it again. Hand it to the handler.",
        )
    first = post.deliveries()
    taken = len(first) + len(post.returned())
    require(
        taken == limit,
        f"With a limit, exactly so many letters are to be taken while there are more: limit was {limit}, you took {taken}.",
    )
    require(
        sum(post.committed().values()) == limit,
        "The position must be committed behind each letter that is done, and no other.",
    )
    lab.call("arm", "commit", 2)
    require(
        post.replay(100) == "Crash",
        "Your replay was to be killed, and was not: it commits after each letter by `consumer.commit`.",
    )
    post.require_none_forgotten()
    while_away = [event for event in mended if event not in post.deliveries()]
    if while_away:
        lab.call("outage", while_away[0], 1)
        require(
            post.replay(100) == "Unavailable",
            "The risk service was away: replay must raise that on and keep the position, as drain does.",
        )
        post.require_none_forgotten()
    for _ in range(4):
        # What fails again is at the end of the same topic: a further run meets it there, and not this one.
        result = post.replay(100)
        require(isinstance(result, dict), "Replaying the rest of the letters raised an exception.")
        post.require_none_forgotten()
    delivered = post.deliveries()
    require(set(delivered) == set(mended), "A letter whose cause was mended was never handed to the handler.")
    require(
        len(delivered) <= len(mended) + 1,
        "More letters than the one in hand when it was killed were handed to the handler again.",
    )
    post.require_letters_whole(hopeless)
    _letter_refused_by_the_database(lab)


def _letter_refused_by_the_database(lab: LabUnderTest) -> None:
    """A statement of a letter's handler fails; sound letters come behind it."""
    post = Letters(lab, ("mended", "rejected", "mended", "mended"))
    result = post.replay(100)
    back = {(letter.header("dlq-partition"), letter.header("dlq-offset")) for letter in post.returned()}
    innocent = back - set(post.hopeless)
    require(
        not innocent,
        f"One statement of a handler failed in the database, and {len(innocent)} of the sound letters behind it came back as "
        "well. The next letter needs a clean connection: what has to be done with the transaction of the one that failed?",
    )
    require(
        isinstance(result, dict),
        f"One statement of a handler failed in the database, and replay raised {lab.telling.name(str(result))}: such a letter "
        "goes back, and the next one is handed to the handler.",
    )
    post.require_none_forgotten()
    require(
        result == {"handled": 3, "returned": 1},
        "replay does not return how many letters were handled and how many came back.",
    )


@check("choices")
def chosen_with_reasons(lab: LabUnderTest) -> None:
    """Chooses for each case what the two tables of the notebook speak for."""
    wanted = {
        "commit_every_ten": "ten records take effect twice",
        "inbox_in_redis": "repeats the effect",
        "database_away": "waits, and keeps its position",
        "order_matters": "retry it in place, with a bound",
        "broken_json": "park it at once",
        "inbox_kept": "more than 90 days",
        "external_call": "the event's id as the provider's idempotency key",
    }
    advice = "Look again at who waits and who overtakes in the two tables, and ask what the next record meets."
    require_choices(lab, wanted, advice, exact=True)
