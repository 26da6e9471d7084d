"""Checks of rate-limiter: hidden traces against exact models, interrupted and concurrent callers, and the keys that are left."""

from __future__ import annotations

import math
import time
from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices

from .support import (
    CLOSE,
    DAY,
    MOST_COMMANDS,
    BucketModel,
    Caller,
    PlanModel,
    WindowModel,
    named_limits,
    triple,
)


@check("measure-the-leak")
def finds_the_busiest_stretch(lab: LabUnderTest) -> None:
    """Finds the most requests in any stretch of time, wherever it begins."""
    for size in (0, 1, 2, 40, 120, 300):
        seconds = lab.random.randint(4, 60)
        times = [lab.random.randint(0, 8 * seconds * 4) / 8 for _ in range(size)]
        _busiest(lab, times, seconds)
    seconds = lab.random.randint(5, 50)
    _busiest(lab, [0.0, float(seconds)], seconds)
    _busiest(lab, [float(seconds) - 0.125] * 3 + [float(seconds)] * 4, seconds)
    leak = [seconds * 3 - 0.25] * 7 + [seconds * 3.0] * 7
    lab.random.shuffle(leak)
    _busiest(lab, leak, seconds)


def _busiest(lab: LabUnderTest, times: list[float], seconds: float) -> None:
    answer = lab.call("most_in_any", times, seconds)
    truth = max((sum(begin <= time < begin + seconds for time in times) for begin in times), default=0)
    require(isinstance(answer, int) and not isinstance(answer, bool), "most_in_any must return a whole number.")
    assert isinstance(answer, int)
    require(
        answer >= truth,
        "There is a stretch with more requests than most_in_any says. It can begin at any request; times come in any order.",
    )
    require(
        answer <= truth,
        "most_in_any says more than lie within any stretch: a stretch does not contain its end.",
    )


@check("sliding-window")
def never_more_than_the_limit_in_any_window(lab: LabUnderTest) -> None:
    """Lets through the limit in any window, not one more and not one fewer, for all processes together."""
    caller = Caller(lab)
    for _ in range(3):
        _window_trace(caller, lab.random.randint(3, 12), lab.random.randint(2, 60))
    _window_edges(caller)
    _window_is_one_step(caller)


_WINDOW_WORDS = "allowed, remaining, wait"


def _window_trace(caller: Caller, most: int, seconds: int) -> None:
    random, key, now = caller.lab.random, caller.key(), caller.begin()
    model, calls, expected = WindowModel(most, seconds), [], []
    for _ in range(120):
        # Bursts, pauses, and now and then just the moment in which the oldest leaves.
        step = random.choice([0, 0, 0.125, 0.5, seconds / 8, seconds / 2])
        now += math.floor(step * 8) / 8
        if model.times and random.random() < 0.15:
            now = max(now, min(model.times) + seconds)
        calls.append([key, most, seconds, now])
        expected.append(model.ask(now))
    answers = [triple(one, _WINDOW_WORDS) for one in caller.trace("sliding_window", calls)]
    for number, ((allowed, remaining, wait), (may, more, rest)) in enumerate(
        zip(answers, expected, strict=True)
    ):
        require(
            not allowed or may,
            "A request passed that was one too many: within some stretch of `seconds` more than `most` passed.",
        )
        require(
            allowed or not may,
            "A request was refused although fewer than `most` had passed in the last `seconds`. Are refused ones counted, "
            "or such that are exactly `seconds` old, or is the window not yours?",
        )
        require(
            remaining == more,
            "`remaining` is not how many more may pass at this moment."
            + (
                " Are two requests at the very same time two?"
                if remaining > more and _twins(calls[:number])
                else ""
            ),
        )
        require(
            abs(wait - rest) < CLOSE,
            "`wait` is not the time until one can pass (0 for one that passed). A script that returns a number loses fractions.",
        )


def _twins(calls: list[list[Any]]) -> bool:
    """Whether two of the calls were made at the same time."""
    return len({now for *_, now in calls}) < len(calls)


def _window_edges(caller: Caller) -> None:
    random, key, now = caller.lab.random, caller.key(), caller.begin()
    most, seconds = random.randint(4, 9), random.randint(100, 500)
    name = f"limit:window:{{{key}}}"
    since = time.monotonic()
    answers = caller.trace("sliding_window", [[key, most, seconds, now]] * (most + 20))
    require(
        sum(triple(one, _WINDOW_WORDS)[0] for one in answers) == most,
        "Of many requests at the very same time not exactly `most` passed: two at the same time are two.",
    )
    require(caller.entries(name) > 0, 'Nothing is kept under limit_key("window", key).')
    require(
        caller.entries(name) <= most, "More than `most` entries are kept for a key: what is refused needs none."
    )
    left = caller.left_ms(name)
    require(left != -1, "The key has no expiry: each client that ever called stays in memory.")
    require(
        left + _passed_ms(since) >= seconds * 1000,
        "The key expires before its window is over: its requests are forgotten.",
    )
    require(left <= (seconds + 60) * 1000, "The key lives for much longer than its window.")
    neighbour = triple(caller.trace("sliding_window", [[caller.key(), most, seconds, now]])[0], _WINDOW_WORDS)
    require(
        neighbour[0] and neighbour[1] == most - 1,
        "One client used up its limit, and another one was counted with it.",
    )


def _window_is_one_step(caller: Caller) -> None:
    random, now = caller.lab.random, caller.begin()
    most = random.randint(5, 9)
    answers = caller.at_once("sliding_window", caller.key(), most, 60, now, calls=48)
    require(
        sum(triple(one, _WINDOW_WORDS)[0] for one in answers) == most,
        "Many processes asked at the same time, and not exactly `most` passed. Asking and counting must be one step.",
    )
    for after in range(1, MOST_COMMANDS + 1):
        told = caller.interrupted(after, most, "sliding_window", caller.key(), most, 60, now)
        passed = sum(triple(one, _WINDOW_WORDS)[0] for one in [told["answer"], *told["others"]])
        if told["commands"] < after:
            return
        require(
            passed <= most,
            "A process stood still between two commands, others used up the limit, and it passed all the same. Asking and "
            "counting must be one step.",
        )


@check("token-bucket")
def a_rate_and_a_burst_and_no_more(lab: LabUnderTest) -> None:
    """Lets through the burst and the rate, in fractions, by whatever clock, for all processes together."""
    caller = Caller(lab)
    for _ in range(3):
        _bucket_trace(caller, lab.random.choice([0.5, 1, 2, 4, 8]), lab.random.randint(3, 20))
    _bucket_edges(caller)
    _bucket_is_one_step(caller)


_BUCKET_WORDS = "allowed, tokens, wait"


def _bucket_trace(caller: Caller, rate: float, burst: int) -> None:
    random, key, now = caller.lab.random, caller.key(), caller.begin()
    model, calls, expected, late = BucketModel(rate, burst), [], [], []
    for number in range(140):
        now += random.choice([0, 0, 0.125, 0.25, 0.5, 1, burst / rate])
        now = math.floor(now * 8) / 8
        # Other servers' clocks are behind now and then.
        said = now - random.choice([0.125, 2, 60]) if number and random.random() < 0.15 else now
        cost = random.randint(1, burst) if random.random() < 0.2 else 1
        calls.append([key, rate, burst, said, cost] if cost != 1 else [key, rate, burst, said])
        expected.append(model.ask(said, cost))
        late.append(model.at - said)
    answers = [triple(one, _BUCKET_WORDS) for one in caller.trace("token_bucket", calls)]
    for number, ((allowed, tokens, wait), (may, left, rest)) in enumerate(zip(answers, expected, strict=True)):
        require(
            not allowed or may,
            "A request passed for which there were too few tokens. Does a clock that is behind bring some, or can the bucket "
            "hold more than `burst`?",
        )
        require(
            allowed or not may,
            "A new bucket must be full."
            if number == 0
            else "A request was refused although there were enough tokens. Do refusals take some, or do fractions get "
            "lost, or does a clock that is behind take them?",
        )
        require(
            abs(tokens - left) < CLOSE,
            "`tokens` is not what is left afterwards, with fractions."
            + _where_tokens_go(tokens, left, late[: number + 1], number > 0 and not expected[number - 1][0]),
        )
        # Who is behind may count from the latest time, or from what his own clock says.
        require(
            min(abs(wait - rest), abs(wait - rest - (0 if may else late[number]))) < CLOSE,
            "`wait` is not the time until there are enough tokens for this cost (0 for a request that passed).",
        )


def _where_tokens_go(tokens: float, left: float, late: list[float], refused_before: bool) -> str:
    """Where to look when a bucket holds something else than it should; `late` is how far each clock so far was behind."""
    if tokens == math.floor(tokens) and 0 < left - tokens < 1:
        return " (Redis cuts a number that a script returns.)"
    if late[-1] > 0:
        return (
            " The clock of this call was behind: that brings no tokens and takes none away. "
            "Do refusals, too, remember the latest time?"
        )
    if late[-2:-1] > [0]:
        return (
            " The clock of the call before was behind: time that has passed once does not pass a second time."
        )
    return " The call before was refused: that takes nothing." if refused_before else ""


def _bucket_edges(caller: Caller) -> None:
    random, key, now = caller.lab.random, caller.key(), caller.begin()
    burst, rate = random.randint(200, 400), random.choice([0.5, 1])
    name = f"limit:bucket:{{{key}}}"
    since = time.monotonic()
    caller.trace("token_bucket", [[key, rate, burst, now, burst]])
    require(caller.entries(name) > 0, 'Nothing is kept under limit_key("bucket", key).')
    left = caller.left_ms(name)
    require(left != -1, "The bucket has no expiry: each client that ever called stays in memory.")
    require(
        left + _passed_ms(since) >= burst / rate * 1000,
        "The bucket expires before it would be full: whoever waits for that gets a full one too early.",
    )
    require(left <= (burst / rate + 61) * 1000, "The bucket lives for much longer than it takes to fill.")
    neighbour = triple(caller.trace("token_bucket", [[caller.key(), rate, burst, now]])[0], _BUCKET_WORDS)
    require(neighbour[0], "One client emptied its bucket, and another one was refused.")


def _bucket_is_one_step(caller: Caller) -> None:
    random, now = caller.lab.random, caller.begin()
    burst = random.randint(5, 9)
    answers = caller.at_once("token_bucket", caller.key(), 1, burst, now, calls=48)
    require(
        sum(triple(one, _BUCKET_WORDS)[0] for one in answers) == burst,
        "Many processes asked at the same time, and not exactly `burst` passed. Reading and taking must be one step.",
    )
    for after in range(1, MOST_COMMANDS + 1):
        told = caller.interrupted(after, burst, "token_bucket", caller.key(), 1, burst, now)
        passed = sum(triple(one, _BUCKET_WORDS)[0] for one in [told["answer"], *told["others"]])
        if told["commands"] < after:
            return
        require(
            passed <= burst,
            "A process stood still between two commands, others emptied the bucket, and it passed all the same. Reading "
            "and taking must be one step.",
        )


@check("usage-plans")
def a_request_takes_from_both_or_neither(lab: LabUnderTest) -> None:
    """A request passes both the bucket and the day, takes from both or neither, and hears which of them refused it."""
    caller = Caller(lab)
    for _ in range(2):
        _plan_trace(caller)
    _plan_edges(caller)
    plan = {"name": "p", "rate": 1, "burst": lab.random.randint(12, 20), "daily": lab.random.randint(5, 9)}
    now = caller.begin() // DAY * DAY + 1_000
    answers = caller.at_once("admit", caller.key(), plan, now, calls=48)
    require(
        sum(_decision(one)["allowed"] for one in answers) == plan["daily"],
        "Many processes asked at the same time, and not as many passed as the day allows. Asking and taking must be one step.",
    )
    for after in range(1, MOST_COMMANDS + 1):
        told = caller.interrupted(after, plan["daily"], "admit", caller.key(), plan, now)
        passed = sum(_decision(one)["allowed"] for one in [told["answer"], *told["others"]])
        if told["commands"] < after:
            return
        require(
            passed <= plan["daily"],
            "A process stood still between two commands, others used up the day, and it passed all the same. Asking and "
            "taking must be one step.",
        )


def _decision(answer: Any) -> dict[str, Any]:
    require(
        isinstance(answer, dict) and {"allowed", "limit", "tokens", "used", "wait"} <= set(answer),
        "admit must return a dictionary with allowed, limit, tokens, used and wait.",
    )
    decision: dict[str, Any] = dict(answer)
    require(
        isinstance(decision["allowed"], bool)
        and decision["limit"] in (None, "burst", "daily")
        and all(
            isinstance(decision[one], int | float) and not isinstance(decision[one], bool)
            for one in ("tokens", "used", "wait")
        ),
        "In the answer of admit, allowed is True or False, limit is None, 'burst' or 'daily', the rest are numbers.",
    )
    return decision


def _plan_trace(caller: Caller) -> None:
    random, key = caller.lab.random, caller.key()
    small = {
        "name": "small",
        "rate": random.choice([1, 2]),
        "burst": random.randint(3, 6),
        "daily": random.randint(18, 30),
    }
    large = {**small, "name": "large", "burst": small["burst"] + 10, "daily": small["daily"] + 12}
    now = float(caller.begin() // DAY * DAY + random.randint(1_000, 60_000))
    model, calls, expected = PlanModel(), [], []
    for number in range(240):
        now += random.choice([0, 0, 0.125, 0.25, 0.5, 4])
        if number in (110, 200):
            now = now // DAY * DAY + DAY + random.choice([0, 0.5, 7_200])
        plan = large if 60 <= number < 75 else small
        # Other servers' clocks are behind now and then, also at midnight.
        said = now - 2 if number in (111, 113, 201) or (number and random.random() < 0.1) else now
        calls.append([key, plan, said])
        expected.append(model.ask(plan, said))
    answers = [_decision(one) for one in caller.trace("admit", calls)]
    for number, (answer, truth) in enumerate(zip(answers, expected, strict=True)):
        _compare(answer, truth, expected[number - 1] if number else None)


def _compare(answer: dict[str, Any], truth: dict[str, Any], before: dict[str, Any] | None = None) -> None:
    """Require an answer to be that of the model; `before` is what the model said to the call before."""
    require(
        not answer["allowed"] or truth["allowed"],
        "A request passed although its bucket was empty or its day used up. Is the burst of a larger plan kept?",
    )
    require(
        answer["allowed"] or not truth["allowed"],
        "A request was refused although bucket and day had something left. Do refusals take from one of them, or does the day "
        "not begin anew at midnight UTC, by the clock that is ahead?",
    )
    require(
        answer["limit"] == truth["limit"],
        "A refusal names the wrong limit: who is out for today must hear so, whatever the bucket holds.",
    )
    yesterday = truth["yesterday"] or (before is not None and before["yesterday"])
    require(
        answer["used"] == truth["used"],
        "`used` is not how many of today passed: "
        + (
            "a caller whose clock is behind, and not yet at midnight, changed the count of the new day."
            if yesterday
            else "refusals don't count."
        ),
    )
    late = [one["late"] for one in (before, truth) if one is not None]
    refused_before = before is not None and not before["allowed"]
    require(
        abs(answer["tokens"] - truth["tokens"]) < CLOSE,
        "`tokens` is not what is left in the bucket, with fractions."
        + _where_tokens_go(answer["tokens"], truth["tokens"], late, refused_before),
    )
    require(
        min(abs(answer["wait"] - wait) for wait in truth["waits"]) < CLOSE,
        "`wait` is not the time until the limit that refused has something again (0 for a request that passed).",
    )


def _plan_edges(caller: Caller) -> None:
    random, key = caller.lab.random, caller.key()
    plan = {"name": "p", "rate": 8, "burst": random.randint(3, 9), "daily": random.randint(100, 900)}
    early = caller.begin() // DAY * DAY + random.randint(10, 900)
    since = time.monotonic()
    first = _decision(caller.trace("admit", [[key, plan, early]])[0])
    _compare(first, PlanModel().ask(plan, early))
    name = f"limit:plan:{{{key}}}"
    require(caller.entries(name) > 0, 'Nothing is kept under limit_key("plan", api_key).')
    left = caller.left_ms(name)
    require(left != -1, "The key of a plan has no expiry: each key that ever called stays in memory.")
    require(
        left + _passed_ms(since) >= (DAY - early % DAY) * 1000,
        "The key expires before the day is over: who waits for that begins the day anew.",
    )
    require(left <= 3 * DAY * 1000, "The key of a plan lives for days after its last use.")
    _plan_at_both_ends(caller)


def _plan_at_both_ends(caller: Caller) -> None:
    """The last token is the last of the day."""
    most = caller.lab.random.randint(3, 9)
    plan, model = {"name": "p", "rate": 1, "burst": most, "daily": most}, PlanModel()
    now = float(caller.begin() // DAY * DAY + 1_000)
    for answer in caller.trace("admit", [[caller.key(), plan, now]] * (most + 1)):
        _compare(_decision(answer), model.ask(plan, now))


@check("tell-the-client")
def answers_tell_the_truth(lab: LabUnderTest) -> None:
    """Status and header fields agree with the decision, and who obeys them comes neither too early nor for nothing."""
    for _ in range(12):
        plan = {
            "name": "p",
            "rate": lab.random.choice([0.5, 1, 2, 4, 8]),
            "burst": lab.random.randint(3, 90),
            "daily": lab.random.randint(100, 900_000),
        }
        now = lab.random.randint(1_700_000_000, 1_900_000_000) + lab.random.choice([0, 0.25, 0.5])
        for limit in (None, "burst", "daily"):
            _tells(lab, plan, _drawn(lab, plan, limit, now), now)


def _drawn(lab: LabUnderTest, plan: dict[str, Any], limit: str | None, now: float) -> dict[str, Any]:
    """A decision that this plan can have made."""
    tokens = lab.random.randint(0, 7) / 8 if limit == "burst" else lab.random.randint(0, plan["burst"] * 8) / 8
    used = plan["daily"] if limit == "daily" else lab.random.randint(0, plan["daily"] - 1)
    waits = {None: 0.0, "burst": (1 - tokens) / plan["rate"], "daily": DAY - now % DAY}
    return {"allowed": limit is None, "limit": limit, "tokens": tokens, "used": used, "wait": waits[limit]}


def _tells(lab: LabUnderTest, plan: dict[str, Any], decision: dict[str, Any], now: float) -> None:
    answer = lab.call("answer_of", plan, decision, now)
    require(
        isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], dict),
        "answer_of must return [status, headers].",
    )
    assert isinstance(answer, list)
    status, headers = answer
    require(all(isinstance(value, str) for value in headers.values()), "The values of header fields are text.")
    said = {name.lower(): value for name, value in headers.items()}
    require(
        status == (200 if decision["allowed"] else 429),
        "A request that passes is told 200, one that is refused 429.",
    )
    _tells_when_to_come_back(said, decision)
    policy, state = named_limits(said.get("ratelimit-policy")), named_limits(said.get("ratelimit"))
    require(
        policy is not None and list(policy) == ["burst", "daily"],
        'RateLimit-Policy must be a list of "burst" and "daily", in this order, with whole numbers as parameters.',
    )
    require(
        state is not None and list(state) == ["burst", "daily"],
        'RateLimit must be a list of "burst" and "daily", in this order, with whole numbers as parameters.',
    )
    assert policy is not None
    assert state is not None
    require(
        all(set(one) == {"q", "w"} for one in policy.values())
        and all(set(one) == {"r", "t"} for one in state.values()),
        "RateLimit-Policy has the parameters q and w, RateLimit has r and t.",
    )
    window = math.ceil(plan["burst"] / plan["rate"])
    require(
        policy == {"burst": {"q": plan["burst"], "w": window}, "daily": {"q": plan["daily"], "w": DAY}},
        "RateLimit-Policy does not say the numbers of the plan. The window of the burst is burst / rate, rounded up.",
    )
    require(
        state["burst"]["r"] == math.floor(decision["tokens"])
        and state["daily"]["r"] == plan["daily"] - decision["used"],
        "RateLimit does not say what remains: whole requests, rounded down.",
    )
    midnight = (math.floor(now / DAY) + 1) * DAY
    full = math.ceil((plan["burst"] - decision["tokens"]) / plan["rate"])
    require(
        state["burst"]["t"] == full and state["daily"]["t"] == math.ceil(midnight - now),
        "The times in RateLimit are not right: seconds until the bucket is full, and until midnight UTC, rounded up.",
    )
    trio = [said.get(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset")]
    require(
        trio == [str(plan["daily"]), str(plan["daily"] - decision["used"]), str(midnight)],
        "X-RateLimit-Limit, -Remaining and -Reset must speak of the day, Reset as the Unix time of the next midnight UTC.",
    )


def _tells_when_to_come_back(said: dict[str, str], decision: dict[str, Any]) -> None:
    after = said.get("retry-after")
    if decision["allowed"]:
        require(after is None, "A request that passed must not be told Retry-After.")
        return
    require(after is not None, "A 429 without Retry-After: the client can only guess, and will knock.")
    assert after is not None
    require(after.isdigit(), "Retry-After must be whole seconds.")
    require(int(after) >= 1, "Retry-After must be at least 1: with 0 the client is back at once.")
    require(int(after) >= decision["wait"], "Who comes back after Retry-After seconds is too early: round up.")
    require(
        int(after) <= max(1, math.ceil(decision["wait"])),
        "Retry-After is longer than the limit that refused needs.",
    )


def _passed_ms(since: float) -> int:
    """How much of a key's life may be over that was set after this reading of time.monotonic()."""
    return int((time.monotonic() - since) * 1000) + 2


FACTS = {
    "counts": "a sliding window",
    "refused": "does not count",
    "fields": "draft 06",
    "plans": "a token bucket and a quota for the day",
    "without_redis": "counts for itself",
    "three": "60",
    "at_once": "the service gets six times what it can do in time",
}
WHERE_TO_LOOK = {
    "counts": "the last line of the second cell: how many of twenty passed, and why not all or none",
    "refused": "the first cell: somebody who knocks ten times a second is let in again",
    "fields": "the names of the fields in the first cell, and section 5",
    "plans": "reference_impl/services/gateway/limits.py, what a plan is",
    "without_redis": "reference_impl/services/gateway/limits_redis.py, what happens when its script fails",
    "three": "what each of three gateways knows of the other two",
    "at_once": "300 bursts, and what 1,500 a second can do within two seconds",
}


@check("beside-the-gateway")
def choices_agree_with_the_gateway(lab: LabUnderTest) -> None:
    """Every choice agrees with what the gateway answers and what its code says."""
    require_choices(lab, FACTS, WHERE_TO_LOOK)
