"""Checks of distributed-lock: hidden locks, trucks and interruptions, judged by the keys and rows that are there afterwards."""

from __future__ import annotations

from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices
from labs.given_cells import given_dict

from .support import LONG_MS, MOST_COMMANDS, Depot, Manifests, Seen, fence_key, knows_scripts


@check("own-the-lock")
def only_the_owner_gives_it_back(lab: LabUnderTest) -> None:
    """Takes the lock in one step, with a lease and a token of its own, and gives back only its own, however close the race."""
    depot = Depot(lab)
    _takes_what_is_free(depot, "acquire", lambda result: result)
    _takes_nothing_that_is_held(depot, "acquire")
    _dies_with_a_lease(depot, "acquire")
    _gives_way_to_a_rival(depot, "acquire")
    _tokens_differ(lab, depot)
    _releases_its_own(lab, depot)


def _takes_what_is_free(depot: Depot, function: str, token_of: Any) -> str:
    name, lease = depot.name(), depot.lab.random.randint(40_000, LONG_MS)
    result = depot.call(function, name, lease)
    require(
        result is not None, f"Nobody held the lock, and {function} returned None: a free lock must be taken."
    )
    token, seen = token_of(result), depot.look(name)
    require(isinstance(token, str) and token, f"The token that {function} returns must be a text.")
    require(
        seen.token == token,
        "After taking the lock, its key lock_key(name) does not hold the token that was returned.",
    )
    _require_lease(seen, lease, f"After {function}")
    return name


def _require_lease(seen: Seen, lease: int, when: str) -> None:
    require(seen.left_ms != -1, f"{when} the lock has no lease: if its holder dies, nobody gets it any more.")
    require(
        seen.left_ms <= lease,
        f"{when} the lease is longer than `ttl_ms` milliseconds. PX counts milliseconds, EX seconds.",
    )
    require(seen.left_ms > lease // 2, f"{when} the lease is much shorter than `ttl_ms` milliseconds.")


def _takes_nothing_that_is_held(depot: Depot, function: str) -> None:
    name, other = depot.name(), depot.token()
    depot.put(name, other, 20_000)
    require(
        depot.call(function, name, LONG_MS) is None,
        f"Somebody else held the lock, and {function} did not return None.",
    )
    seen = depot.look(name)
    require(
        seen.token == other, f"Somebody else held the lock, and after {function} it was not theirs any more."
    )
    require(
        0 < seen.left_ms <= 20_000,
        f"Somebody else held the lock, and {function} prolonged their lease: who takes nothing changes nothing.",
    )


def _dies_with_a_lease(depot: Depot, function: str) -> None:
    for after in range(1, MOST_COMMANDS + 1):
        name = depot.name()
        ended = depot.interrupted(after, ["dies"], function, name, LONG_MS)
        require(
            depot.look(name).left_ms != -1,
            f"The process ended after one of the commands of {function}, and left a lock without a lease: nobody gets it. "
            "Can taking and limiting come apart?",
        )
        if not ended["happened"]:
            return


def _gives_way_to_a_rival(depot: Depot, function: str) -> None:
    """Another process takes the lock between any two of the commands."""
    for after in range(1, MOST_COMMANDS + 1):
        name, other = depot.name(), depot.token()
        ended = depot.interrupted(after, ["other_takes", name, other, 20_000], function, name, LONG_MS)
        seen = depot.look(name)
        if not ended["happened"]:
            return
        require(
            seen.token == other and seen.left_ms <= 20_000,
            f"Another process took the lock between two commands of {function}, and afterwards its lock was changed. "
            "Looking and taking must be one step.",
        )


def _tokens_differ(lab: LabUnderTest, depot: Depot) -> None:
    names = [depot.name() for _ in range(24)]
    outcomes = lab.call_many(
        "on_own_client", [["acquire", name, LONG_MS] for name in names], workers=8, timeout=30.0
    )
    held = []
    for outcome in outcomes:
        require(outcome.error is None, "Eight processes took locks of their own at once, and acquire raised.")
        answer = outcome.value
        require(
            isinstance(answer, dict) and answer.get("result"),
            "Eight processes took locks of their own at once, and one did not get it although it was free.",
        )
        assert isinstance(answer, dict)
        held.append(answer["result"])
    for _ in range(3):
        name = names[0]
        depot.drop(name)
        held.append(depot.call("acquire", name, LONG_MS))
    require(
        len(set(held)) == len(held),
        "Two holders had the same token. Then each can give back the other's lock: let it be random, and new each time.",
    )


def _releases_its_own(lab: LabUnderTest, depot: Depot) -> None:
    name, neighbour, mine, other = depot.name(), depot.name(), depot.token(), depot.token()
    depot.put(neighbour, mine, LONG_MS)
    depot.put(name, mine, LONG_MS)
    require(depot.call("release", name, mine) is True, "The holder released its own lock: that must be True.")
    require(
        depot.look(name).token is None,
        "The holder released its lock, and it is still there: nobody else gets it.",
    )
    require(
        depot.look(neighbour).token == mine, "Releasing one lock removed another one: a name has its own key."
    )
    require(depot.call("release", name, mine) is False, "Releasing a lock that nobody holds must be False.")
    depot.put(name, other, 20_000)
    answer = depot.call("release", name, mine)
    require(
        depot.look(name).token == other,
        "The lease had run out and somebody else had the lock: release took it from them.",
    )
    require(answer is False, "Releasing a lock that somebody else holds must be False.")
    depot.drop(name)
    depot.restart()
    depot.put(name, mine, LONG_MS)
    require(
        depot.call("release", name, mine) is True and depot.look(name).token is None,
        "After a restart of Redis, which forgets scripts, release did not give back its own lock.",
    )
    for after in range(1, MOST_COMMANDS + 1):
        depot.put(name, mine, LONG_MS)
        ended = depot.interrupted(after, ["other_takes", name, other, 20_000], "release", name, mine)
        if not ended["happened"]:
            return
        require(
            depot.look(name).token == other,
            "Between two commands of release the lease ran out and somebody else took the lock: release took it from them. "
            "Comparing and deleting must be one step.",
        )


@check("keep-the-lease")
def works_only_while_the_lease_stands(lab: LabUnderTest) -> None:
    """Extends only its own lease, begins each step with a full one, and stops when the lock is gone."""
    depot = Depot(lab)
    _extends_its_own(depot)
    _runs_undisturbed(depot)
    _runs_into_trouble(depot)


def _extends_its_own(depot: Depot) -> None:
    name, mine, other = depot.name(), depot.token(), depot.token()
    lease = depot.lab.random.randint(40_000, LONG_MS)
    depot.put(name, mine, 5_000)
    require(
        depot.call("extend", name, mine, lease) is True, "The holder extended its own lease: that must be True."
    )
    seen = depot.look(name)
    require(seen.token == mine, "Extending changed the lock's value: the token must stay.")
    _require_lease(seen, lease, "After extend")
    depot.drop(name)
    answer = depot.call("extend", name, mine, lease)
    require(
        depot.look(name).token is None,
        "The lease had run out, and extend made the lock anew: meanwhile somebody else may have had it.",
    )
    require(answer is False, "Extending a lease that has run out must be False.")
    depot.put(name, other, 20_000)
    answer = depot.call("extend", name, mine, lease)
    seen = depot.look(name)
    require(seen.token == other and seen.left_ms <= 20_000, "extend changed a lock that somebody else held.")
    require(answer is False, "Extending a lock that somebody else holds must be False.")
    depot.restart()
    depot.put(name, mine, 5_000)
    require(
        depot.call("extend", name, mine, lease) is True,
        "After a restart of Redis, which forgets scripts, extend did not extend its own lease.",
    )
    for after in range(1, MOST_COMMANDS + 1):
        depot.put(name, mine, LONG_MS)
        ended = depot.interrupted(after, ["other_takes", name, other, 20_000], "extend", name, mine, LONG_MS)
        if not ended["happened"]:
            return
        seen = depot.look(name)
        require(
            seen.token == other and seen.left_ms <= 20_000,
            "Between two commands of extend the lease ran out and somebody else took the lock: extend changed theirs. "
            "Comparing and extending must be one step.",
        )


def _job(depot: Depot, name: str, lease: int, count: int, *event: Any) -> tuple[str | None, list[list[int]]]:
    where = " extend came through a restart just before: look at the acquire and release of task 1, too."
    with knows_scripts("run_job", where):
        told = given_dict(
            depot.lab, "try_job", name, lease, count, *event, names=("raised", "steps"), timeout=20.0
        )
    return told["raised"], told["steps"] if isinstance(told["steps"], list) else []


def _runs_undisturbed(depot: Depot) -> None:
    name, lease, count = depot.name(), depot.lab.random.randint(40_000, LONG_MS), depot.lab.random.randint(3, 6)
    raised, steps = _job(depot, name, lease, count)
    require(raised is None, f"Nobody disturbed the job, and run_job raised {raised}.")
    require(
        [number for number, _ in steps] == list(range(count)),
        "Undisturbed, run_job must call every step once, in order.",
    )
    require(all(left != -2 for _, left in steps), "A step of run_job began while nobody held the lock.")
    require(
        all(lease // 2 < left <= lease for _, left in steps),
        "A step of run_job began with less than a full lease: the step before had used up most of it.",
    )
    require(depot.look(name).token is None, "The job is done, and its lock is still there.")


def _runs_into_trouble(depot: Depot) -> None:
    lease, count = depot.lab.random.randint(40_000, LONG_MS), depot.lab.random.randint(4, 6)
    name, other = depot.name(), depot.token()
    depot.put(name, other, 20_000)
    raised, steps = _job(depot, name, lease, count)
    require(not steps, "Somebody else held the lock, and run_job called a step.")
    require(raised == "Busy", "Somebody else held the lock: run_job must raise Busy.")
    require(depot.look(name).token == other, "Somebody else held the lock, and run_job took it from them.")
    for at in (depot.lab.random.randint(0, count - 2), count - 1):
        last = "the last step" if at == count - 1 else "a step"
        for rival in (None, depot.token()):
            name = depot.name()
            event = ["lease_ends", name] if rival is None else ["other_takes", name, rival, 20_000]
            raised, steps = _job(depot, name, lease, count, event, at)
            require(
                len(steps) <= at + 1,
                "The lease ran out during a step, and run_job went on with the next: somebody else may be at work by now.",
            )
            require(len(steps) == at + 1, "run_job left out a step before the lease ran out.")
            require(raised == "LockLost", f"The lease ran out during {last}: run_job must raise LockLost.")
            seen = depot.look(name)
            require(
                seen.token == rival and seen.left_ms <= 20_000,
                "The lease ran out during a step and somebody else took the lock: run_job changed it."
                if rival
                else "The lease ran out during a step, and run_job took the lock anew.",
            )
    name, at = depot.name(), depot.lab.random.randint(0, count - 1)
    raised, steps = _job(depot, name, lease, count, ["dies"], at)
    require(len(steps) == at + 1, "A step raised, and run_job went on with the next.")
    require(raised == "Died", "A step raised, and its exception did not come out of run_job.")
    require(
        depot.look(name).token is None,
        "A step raised, and the lock is still taken: everybody waits for its lease to end.",
    )
    name, rival, at = depot.name(), depot.token(), depot.lab.random.randint(0, count - 1)
    raised, steps = _job(depot, name, lease, count, ["loses_and_dies", name, rival, 20_000], at)
    require(len(steps) == at + 1, "A step raised, and run_job went on with the next.")
    require(
        raised == "Died",
        f"A step raised when its lease was gone, and what came out of run_job is {raised or 'nothing'}, not the step's own "
        "exception. What does the release on the way out do with its answer?",
    )
    require(
        depot.look(name).token == rival,
        "The lease ran out during a step, somebody else took the lock, and the step raised: run_job changed their lock.",
    )


@check("storage-decides")
def the_storage_refuses_who_is_late(lab: LabUnderTest) -> None:
    """A holder announces itself when it opens, and from then on no smaller number changes anything, also in the same instant."""
    manifests = Manifests(lab)
    witness, kept = manifests.truck()
    truck, parcels = manifests.truck()
    number = manifests.number()
    require(
        manifests.open(truck, number) == parcels,
        "The first to open a truck must get its parcels, in their order.",
    )
    new = manifests.parcels()
    saved = manifests.save(truck, new, number)
    require(
        saved is True or manifests.fence(truck) == number,
        "A number opened a truck and could not save: afterwards the truck's `fence` was not that number. What open_manifest "
        "announces must be in the database when it returns. Is it committed?",
    )
    require(saved is True, "The number that opened the truck last must be able to save.")
    require(
        manifests.on(truck) == new,
        "save_manifest returned True, and the manifest is not what was saved: was it committed, and replaced as a whole?",
    )
    require(
        manifests.open(truck, number) == new,
        "The same number opened again: it must get the parcels, since its first answer may have been lost.",
    )
    again = manifests.parcels()
    require(
        manifests.save(truck, again, number) is True and manifests.on(truck) == again,
        "The same number must be able to save again.",
    )
    require(manifests.on(witness) == kept, "Another truck's manifest was changed.")
    _refuses_the_late(manifests, truck, number, again)
    _refuses_in_the_same_instant(manifests)
    absent = f"none-{lab.random.getrandbits(32):08x}"
    require(manifests.open(absent, number) is None, "There is no such truck: open_manifest must return None.")
    require(
        manifests.save(absent, ["p"], number) is False and manifests.on(absent) is None,
        "There is no such truck: save_manifest must return False and make none.",
    )


def _refuses_the_late(manifests: Manifests, truck: str, number: int, parcels: list[str]) -> None:
    late = number - 1
    answer = manifests.save(truck, manifests.parcels(), late)
    require(
        manifests.on(truck) == parcels,
        "A smaller number than the last one saved: a late holder overwrote a newer one.",
    )
    require(answer is False, "A late holder's save must be False.")
    require(manifests.open(truck, late) is None, "A smaller number than the last one opened: it must get None.")
    newer = number + 1
    require(manifests.open(truck, newer) == parcels, "A greater number must be able to open.")
    answer = manifests.save(truck, manifests.parcels(), number)
    require(
        manifests.on(truck) == parcels,
        "A newer holder had opened the truck and not saved yet, and an older one saved: what the newer one has read is not true "
        "any more, and it will overwrite the older one's parcels. The storage has to know the number from the opening on.",
    )
    require(answer is False, "A newer holder had opened the truck: the older one's save must be False.")
    require(
        manifests.open(truck, number) is None,
        "A newer holder had opened the truck and not saved yet: the older one's open must be None.",
    )
    answer = manifests.save(truck, manifests.parcels(), newer + 5)
    require(
        answer is False and manifests.on(truck) == parcels,
        "A number saved that never opened the truck: it can't know what is on it. Only the number that opened last may save.",
    )
    new = manifests.parcels()
    require(
        manifests.save(truck, new, newer) is True and manifests.on(truck) == new,
        "After others were refused, the number that opened last could not save: a refusal must change nothing.",
    )


def _refuses_in_the_same_instant(manifests: Manifests) -> None:
    """A newer holder opens between what the call has read and what it writes."""
    number = manifests.number()
    truck, parcels = manifests.truck(number)
    saved = manifests.while_rival_opens(
        truck, number + 3, lambda: manifests.save(truck, manifests.parcels(), number)
    )
    require(
        manifests.on(truck) == parcels,
        "A newer holder opened the truck in the same instant in which an older one saved, and the older one got through. "
        "Comparing and writing must be one statement, or under one lock of the row.",
    )
    require(
        saved is False, "A newer holder opened in the same instant: the save changed nothing and must be False."
    )
    number = manifests.number()
    truck, parcels = manifests.truck(number)
    opened = manifests.while_rival_opens(truck, number + 7, lambda: manifests.open(truck, number + 2))
    require(
        opened is None,
        "Two holders opened in the same instant, and the older one got in after the newer. Comparing, announcing and "
        "reading must be one statement, or under one lock of the row.",
    )
    require(
        manifests.save(truck, manifests.parcels(), number + 7) is True,
        "Two holders opened in the same instant, and the older one's number replaced the newer one's.",
    )
    number = manifests.number()
    truck, _ = manifests.truck(number)
    saved = manifests.parcels()
    require(
        manifests.while_rival_saves(truck, saved, lambda: manifests.open(truck, number + 1)) == saved,
        "The last holder saved in the same instant in which a newer one opened, and the newer one got the parcels from before: "
        "it will overwrite that save. Read what is there once the number is announced: what its UPDATE returns, or under one "
        "lock of the row.",
    )


@check("number-every-holder")
def numbers_never_go_back(lab: LabUnderTest) -> None:
    """Lock and number are one step, and the numbers grow whatever Redis forgets."""
    depot = Depot(lab)
    name = _takes_what_is_free(depot, "take", _token_of)
    _takes_nothing_that_is_held(depot, "take")
    _dies_with_a_lease(depot, "take")
    _gives_way_to_a_rival(depot, "take")
    tokens, greatest = set(), 0

    def draws(when: str) -> None:
        nonlocal greatest
        depot.drop(name)
        result = depot.call("take", name, LONG_MS)
        require(result is not None, f"{when} the lock was free, and take returned None.")
        token, number = _token_of(result), _number_of(result)
        require(number > greatest, f"{when} take gave out a number that is not greater than those before.")
        require(
            token not in tokens,
            "Two holders had the same token: let it be random, and new each time.",
        )
        tokens.add(token)
        greatest = number

    for _ in range(lab.random.randint(10, 14)):
        draws("One after the other,")
    _keeps_the_last_number(depot, name, greatest)
    old = greatest
    for _ in range(2):
        draws("One after the other,")
    with lab.redis() as client:
        client.set(fence_key(name), old)
    draws("After a failover to a replica with an older counter,")
    depot.restart()
    draws("After a restart of Redis, which forgets keys and scripts,")
    with lab.redis() as client:
        client.delete(fence_key(name))
    draws("After its counter was lost,")
    greatest += lab.random.randint(3, 90) * 1_000_000_000
    with lab.redis() as client:
        client.set(fence_key(name), greatest)
    draws("With a counter that is ahead of the clock,")
    draws("With a counter that is ahead of the clock,")
    _keeps_the_last_number(depot, name, greatest)
    _numbers_follow_the_lock(depot)


def _token_of(result: Any) -> str:
    require(
        isinstance(result, list) and len(result) == 2 and isinstance(result[0], str) and result[0],
        "take must return [token, number], the token a text.",
    )
    return str(result[0])


def _number_of(result: Any) -> int:
    number = result[1]
    require(
        isinstance(number, int) and not isinstance(number, bool),
        "The number that take returns must be a whole number (int).",
    )
    return int(number)


def _keeps_the_last_number(depot: Depot, name: str, number: int) -> None:
    with depot.lab.redis() as client:
        kept, left = client.get(fence_key(name)), client.pttl(fence_key(name))
    require(
        kept == str(number),
        "fence_key(name) does not hold the number that was given out last, digit by digit. Look at what GET shows after take: "
        "Lua's tostring writes large numbers like 1.79e+15.",
    )
    require(left == -1, "fence_key(name) has an expiry: once it is over, the numbers begin again below it.")


def _numbers_follow_the_lock(depot: Depot) -> None:
    """Stop one taker after each of its commands; meanwhile another takes, or also gives back, or is forgotten by a failover."""
    for event in ("b_takes", "b_takes_and_ends", "b_takes_and_fails_over"):
        forgotten = (
            ""
            if "fails" not in event
            else ", and then Redis failed over to a replica that had heard of neither"
        )
        for after in range(1, MOST_COMMANDS + 1):
            name = depot.name()
            ended = depot.interrupted(after, [event, "take", name], "take", name, LONG_MS)
            if not ended["happened"]:
                break
            others = depot.lab.value("b_took[-1]")
            if ended["result"] is None or others is None:
                continue
            token, mine, theirs = _token_of(ended["result"]), _number_of(ended["result"]), _number_of(others)
            last_is_mine = depot.look(name).token == token
            require(
                mine > theirs if last_is_mine else theirs > mine,
                f"A taker stood still between two commands of take, and another took the lock meanwhile{forgotten}. The earlier "
                "of the two has the greater number: the storage will believe the wrong one. Lock and number, and all that the "
                "number is made of, must be one step.",
            )


FACTS = {
    "longer_lease": "rarer, and a dead holder blocks three times as long",
    "ask_before": "makes the gap smaller",
    "failover": "grants it again at once",
    "counter_back": "refuses honest holders",
    "report": "a lock with a lease",
    "stock": "a condition in the UPDATE",
    "card": "the provider's idempotency key",
    "migration": "an advisory lock in the same database",
    "cost": "two or more",
}
WHERE_TO_LOOK = {
    "longer_lease": "section 3: what the length of the lease changes for the holder that stands still, and for one that died",
    "ask_before": "section 3, the cell in which A asks before it writes",
    "failover": "section 4, the cell with the fail-over: what did B get, and when?",
    "counter_back": "section 4, what the storage answered B and C",
    "report": "what is broken when the report is built twice",
    "stock": "section 5, and who can refuse a late writer",
    "card": "who stores the effect of a charge, and so can recognise it the second time",
    "migration": "which of the locks ends together with the transaction of its holder",
    "cost": "the column `redis commands a parcel` of the table",
}


@check("right-tool")
def tools_fit_their_purpose(lab: LabUnderTest) -> None:
    """Every choice agrees with what the interruptions showed."""
    require_choices(lab, FACTS, WHERE_TO_LOOK)
