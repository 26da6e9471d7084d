"""What each task of the lab has to hold."""

from __future__ import annotations

import math
from typing import Any

from labs.checks import LabUnderTest, check, require

from .support import (
    ATTEMPTS,
    BASE,
    CAP,
    HEADER,
    KEY,
    LEAST,
    LONGEST,
    MOST,
    PLACES,
    Step,
    client,
    known,
    never_stuck,
    of,
    retries,
    rows_of,
)


@check("deadline")
def time_travels_along_and_shrinks(lab: LabUnderTest) -> None:
    """What is left goes along as a duration and shrinks, whatever the clocks show; what comes too late isn't sent."""
    pick = lab.random
    now = pick.uniform(1_000, 9_000)

    def until(text: str | None) -> float:
        found = lab.call("deadline_of", {} if text is None else {HEADER: text, "X-Other": "1"}, now)
        require(isinstance(found, int | float), "deadline_of must return a moment, as a number.")
        assert isinstance(found, int | float)
        return float(found) - now

    said = round(pick.uniform(0.2, 20), 3)
    require(
        abs(until(str(said)) - said) < 1e-6, "deadline_of must be `now` and the seconds that the header says."
    )
    require(abs(until("0")) < 1e-6, "A caller that says 0 waits no longer: its deadline is now.")
    for text in (None, "soon", "", "nan", "inf", "-inf", "-0.4", f"-{said}", str(LONGEST + said)):
        require(
            abs(until(text) - LONGEST) < 1e-6,
            "Without a header, or with one that is no sensible number (text, not finite, negative, more than "
            "LONGEST), "
            "the deadline must be LONGEST seconds from now.",
        )

    def journey(seconds: float, hops: list[Step]) -> tuple[list[Step], Any]:
        found = of(lab.call("travel", {HEADER: f"{seconds:.3f}"}, hops), dict)
        require(
            found.get("changed") is False,
            "ask changed the request that it was given: the next try would carry this one's time. Make a new "
            "one.",
        )
        return [of(one, list) for one in of(found.get("seen"), list)], found.get("ended")

    def skew() -> float:
        return pick.uniform(-40_000, 40_000)

    works = [pick.uniform(0.1, 0.6) for _ in range(4)]
    total = sum(works) + pick.uniform(0.5, 2)
    seen, ended = journey(total, [[skew(), work, 20.0] for work in works])
    require(
        ended == 200 and len(seen) == 4, "There was time enough for each hop, and the journey did not arrive."
    )
    before = math.inf
    for number, (headers, timeout, at) in enumerate(seen):
        require(HEADER in headers, "A request went out without X-Request-Timeout: the next one can't know.")
        require(headers.get("X-Hop") == str(number), "The request's other headers must go along unchanged.")
        require(
            abs(timeout - (total - at)) < 0.01,
            "The timeout of a hop is not what is left of the first caller's time. Is a duration sent, or a "
            "moment of a "
            "clock that the next one doesn't have?",
        )
        require(timeout < before, "The time must shrink from hop to hop: work was done in between.")
        require(
            _number(headers[HEADER]) is not None and abs(float(headers[HEADER]) - timeout) < 0.002,
            "The header must say how long you really wait: the same seconds as the timeout.",
        )
        require(len(str(headers[HEADER]).partition(".")[2]) == 3, "The header's seconds have three decimals.")
        before = timeout

    most = pick.uniform(0.2, 0.4)
    seen, ended = journey(total, [[skew(), 0.1, most], [skew(), 0.05, 20.0]])
    require(
        ended == 200 and abs(seen[0][1] - most) < 0.001,
        "When there is more time left than `most`, the timeout must be `most`.",
    )
    require(
        abs(seen[1][1] - (most - 0.05)) < 0.01,
        "The next hop must hear of `most`: you will not wait for it any longer than that.",
    )

    for rest, sent in ((LEAST - 0.02, 0), (-0.2, 0), (LEAST + 0.02, 1)):
        seen, ended = journey(1.0, [[skew(), 1.0 - rest, 20.0]])
        require(
            len(seen) == sent,
            "Something was sent with less than LEAST seconds left."
            if not sent
            else "A little more than LEAST seconds were left: the request must be sent.",
        )
        require(
            ended == (200 if sent else "TooLate"), "What comes too late must raise TooLate, and nothing else."
        )


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


READS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")


@check("retry")
def repeats_only_what_may_be_repeated(lab: LabUnderTest) -> None:
    """Repeats what may take effect twice and could end otherwise, after random pauses, in time, and asks the budget last."""
    pick = lab.random
    key = f"k-{pick.getrandbits(40):x}"

    def request(method: str, *, keyed: bool = False) -> dict[str, Any]:
        headers = {"X-Trace": f"{pick.getrandbits(32):x}"}
        return {"method": method, "path": "/x", "headers": headers | ({KEY: key} if keyed else {})}

    again = ["timeout", "reset", "refused", 502, 503, 504]
    for outcome in again:
        for one in [
            *(request(method) for method in READS),
            request("POST", keyed=True),
            request("PATCH", keyed=True),
        ]:
            played = retries(lab, one, [outcome, 200])
            require(
                played.ended == [200, 2],
                "A passing failure (502, 503, 504, a timeout, a broken or refused connection) of a request that may "
                "be "
                "repeated must be tried again. Methods and the key both allow it.",
            )
            require(
                all(step[1] == one for step in played.trace if step[0] == "try"),
                "Each try must send the same request, with the same key: the key names what is wanted, not the "
                "try.",
            )
    for outcome in again:
        played = retries(lab, request("POST"), [outcome, 200])
        if outcome == "refused":
            require(
                played.ended == [200, 2],
                "A refused connection means that nothing has arrived: then every request may be tried again.",
            )
        else:
            require(
                played.tries == 1,
                "A request without a key that may have taken effect was sent again. After a timeout, a broken "
                "connection or a 5xx nobody knows whether it has.",
            )
            require(
                played.ended == ([outcome, 1] if isinstance(outcome, int) else _class(outcome)),
                "When it is not tried again, the answer or the error of that try must come out.",
            )
            require(
                played.kinds == ["try"], "The budget was asked, or a pause made, for a retry that may not be."
            )
    played = retries(lab, request("POST"), ["refused", "timeout", 200])
    require(
        played.tries == 2 and played.ended == "TimeoutError",
        "Each try is judged by how that try ended: a refused connection before doesn't allow to repeat a "
        "timeout.",
    )
    for outcome in (200, 201, 400, 404, 409, 422, 429, 500, 501, "mistake"):
        played = retries(lab, request("GET"), [outcome, 200])
        require(
            played.kinds == ["try"]
            and played.ended == (_class(outcome) if outcome == "mistake" else [outcome, 1]),
            "An answer that is not in NOT_NOW, or an error that is none of the connection, must end it at "
            "once.",
        )

    rolls = [round(pick.uniform(0.05, 0.95), 3) for _ in range(ATTEMPTS)]
    played = retries(lab, request("GET"), [503], rolls=rolls)
    require(
        played.tries == ATTEMPTS, "When it always fails there must be ATTEMPTS tries, no more and no fewer."
    )
    require(played.ended == [503, ATTEMPTS], "After the last try, its answer must be returned.")
    require(
        played.kinds == ["try", *["budget", "pause", "try"] * (ATTEMPTS - 1)],
        "Between two tries there is one question to the budget and one pause, and none after the last try.",
    )
    for number, (pause, roll) in enumerate(zip(played.pauses, rolls, strict=False)):
        require(
            abs(pause - roll * min(CAP, BASE * 2**number)) < 1e-6,
            "A pause is not the roll of the dice times the bound, which doubles from BASE and ends at CAP: after try "
            f"{number + 1} you paused {pause / roll:.2f} times the roll. Is it random over its whole length?",
        )
    require(
        all(pause == 0 for pause in retries(lab, request("GET"), [503], rolls=[0.0]).pauses),
        "A roll of 0 makes no pause at all: the pause is random over its whole length.",
    )
    played = retries(lab, request("GET"), [503, "timeout", "reset", 502, "timeout"])
    require(
        played.ended == "TimeoutError", "After the last try, its error must be raised, not an earlier outcome."
    )
    played = retries(lab, request("GET"), ["timeout", 503, 404])
    require(played.ended == [404, 3], "The last try's answer must be returned.")

    # Pauses are 0.05, 0.1, 0.2, 0.25 with a roll of one half; each try costs nothing here.
    for seconds, tries in ((0.09, 1), (0.11, 2), (0.19, 2), (0.21, 3), (0.39, 3), (0.41, 4)):
        played = retries(lab, request("GET"), [503], seconds=seconds, cost=0.0)
        require(
            played.tries >= tries,
            "There was time for the pause and LEAST seconds behind it, and no further try was made.",
        )
        require(
            played.tries <= tries and len(played.pauses) == tries - 1,
            "A pause was made although less than LEAST seconds were left behind it.",
        )
        require(
            played.kinds.count("budget") == tries - 1,
            "The budget was asked for a retry for which there was no time: that retry is lost for others.",
        )
    played = retries(lab, request("GET"), [503], seconds=1.0, cost=0.45)
    require(played.tries == 2, "The time that tries take counts, too: look at the clock after each one.")

    for budget in (0, 1, 2):
        played = retries(lab, request("GET"), ["timeout"], budget=budget)
        require(
            played.tries == budget + 1 and len(played.pauses) == budget and played.ended == "TimeoutError",
            "When the budget says no, it is over at once: no pause, no try, and the last error comes out.",
        )
        require(
            played.kinds.count("budget") == budget + 1,
            "The budget must be asked once for each retry, and not again after it said no.",
        )


def _class(outcome: Any) -> str:
    return {
        "timeout": "TimeoutError",
        "refused": "ConnectionRefusedError",
        "reset": "ConnectionResetError",
        "mistake": "ValueError",
    }[outcome]


@check("budget")
def retries_stay_a_share(lab: LabUnderTest) -> None:
    """Grants exactly a share of the first tries, saves up no more than the reserve, and loses nothing between threads."""
    pick = lab.random

    def play(percent: int, reserve: int, *steps: Step) -> list[int]:
        found = of(lab.call("play_budget", percent, reserve, list(steps), timeout=30.0), list)
        known(len(found) == len(steps))
        return [int(one) for one in found]

    reserve = pick.randint(3, 9)
    require(
        play(10, reserve, ["retry", reserve + 20, 1]) == [reserve],
        "A new budget must grant `reserve` retries and then none.",
    )
    for percent in (10, 20, 5, 33, pick.choice([7, 13, 30])):
        rounds = pick.randint(2, 4)
        needed = -(-100 * rounds // percent)
        steps: list[Step] = [["retry", 50, 1]]
        for _ in range(needed):
            steps += [["first", 1, 1], ["retry", 1, 1]]
        granted = play(percent, 10, *steps)
        total = sum(granted[1:])
        require(
            total >= rounds,
            "First tries earned too little. Is everything counted in whole numbers? Ten times 0.1 is not 1.",
        )
        require(total <= rounds, "First tries earned more retries than the share.")
        short = play(percent, 10, ["retry", 50, 1], ["first", needed - 1, 1], ["retry", 50, 1])
        require(short[2] == rounds - 1, "A retry was granted before first tries had earned the whole of it.")
    require(
        play(10, reserve, ["first", 5_000, 1], ["retry", 100, 1])[1] == reserve,
        "More than `reserve` retries were saved up: after a quiet day the next outage would get them all at "
        "once.",
    )
    refused = play(10, 2, ["retry", 40, 1], ["first", 10, 1], ["retry", 40, 1])
    require(refused[2] == 1, "A retry that was refused must take nothing from the budget.")

    threads = 8
    granted = play(10, 3, ["retry", 2, threads])
    require(
        granted[0] == 3,
        f"{threads} threads asked at the same time and were granted more, or fewer, retries than there were. Looking and "
        "taking must be one step.",
    )
    granted = play(50, 20, ["retry", 50, 1], ["first", 2, threads], ["retry", 50, 1])
    require(
        granted[2] == threads,
        f"{threads} threads made first tries at the same time, and some of them earned nothing: an addition was lost.",
    )


ERA = "The result of a call that began before the state changed has changed something. It says nothing about the time after."


@check("breaker")
def opens_probes_once_and_closes(lab: LabUnderTest) -> None:
    """Opens by share and volume over a rolling window, probes with one call at a time, and believes no old result."""
    pick = lab.random

    def play(*script: Step, **settings: float) -> list[Any]:
        rows = rows_of(lab.call("play_breaker", list(script), settings, timeout=40.0))
        never_stuck(
            rows,
            "A call waited for another one inside the breaker. Hold no lock while the function runs, and refuse "
            "instead of waiting.",
        )
        known(len(rows) == len(script))
        return rows

    failing = ["timeout", "reset", "refused", 502, 503, 504]
    bad = [[0.1, "call", pick.choice(failing)] for _ in range(10)]
    good: Step = [0.1, "call", 200]

    for outcome in failing:
        rows = play(*[[0.1, "call", outcome]] * 9)
        require(
            all(row.state == "closed" for row in rows),
            "The breaker opened with fewer than `least` results in the window.",
        )
        require(
            all(row.came == (outcome if isinstance(outcome, int) else _class(outcome)) for row in rows),
            "While it is closed, answers and errors of the function must come out as they are.",
        )
        rows = play(*[[0.1, "call", outcome]] * 10, good)
        require(
            rows[9].state == "open",
            "With `least` results in the window, all of them failures, the breaker must open. OSError and 502, "
            "503, 504 are failures.",
        )
        require(
            rows[10].came == "Open" and rows[10].made == 10,
            "An open breaker must raise Open and make no call.",
        )
    for outcome in (404, 422, 429, 500, 201):
        rows = play(*[[0.1, "call", outcome]] * 15)
        require(
            rows[-1].state == "closed" and rows[-1].came == outcome,
            "An answer that the dependency gave is no failure of it, whatever it says to the caller: only 502, "
            "503 and 504 are.",
        )
        rows = play(*[[0.1, "call", outcome]] * 6, *[[0.1, "call", 503]] * 5)
        require(
            rows[-1].state == "closed",
            "Answers such as 404 must count as successes: the share was below a half.",
        )
    rows = play(*[[0.1, "call", "mistake"]] * 15)
    require(
        rows[-1].state == "closed" and rows[-1].came == "ValueError",
        "An error that is no OSError says nothing about the dependency; it must come out, and not open the "
        "breaker.",
    )
    rows = play(*[[0.1, "call", "mistake"]] * 10, *bad[:9], bad[9])
    require(
        rows[18].state == "closed" and rows[19].state == "open",
        "An error that is no OSError counts as neither success nor failure: it must not be among the results.",
    )

    # Shares and volumes of its own.
    rows = play(*[good] * 6, *bad[:6])
    require(
        rows[10].state == "closed",
        "The breaker opened below the share: five failures of eleven are less than a half.",
    )
    require(rows[11].state == "open", "At the share exactly (six of twelve) the breaker must open.")
    rows = play(*[[0.1, "call", 503]] * 4, *[good] * 6, least=10)
    require(rows[-1].state == "closed", "Four failures of ten are below the share of a half.")
    rows = play(*[[0.1, "call", 503]] * 5, *[good] * 5, least=10)
    require(
        rows[-1].state == "closed",
        "The breaker opened on a success. It may open only when a try has failed.",
    )
    rows = play(*[good] * 3, good, *bad[:3], share=0.4, least=4)
    require(
        [row.state for row in rows[5:]] == ["closed", "open"],
        "`share` and `least` must be those that were given.",
    )
    rows = play(*bad[:2], [6, "call", 200], least=2, rest=5.5)
    require(rows[2].came == 200, "`rest` must be the seconds that were given.")

    # The window.
    rows = play(*bad[:9], [10.0 - 0.8 - 0.05, "call", 503])
    require(rows[-1].state == "open", "All ten failures lie within `window` seconds: the breaker must open.")
    rows = play(*bad[:9], [10.0 - 0.8, "call", 503])
    require(
        rows[-1].state == "closed", "A result that is `window` seconds old, or older, must not count any more."
    )
    rows = play(*[[0.125, "call", 503]] * 9, [9.0, "call", 503])
    require(
        rows[-1].state == "closed", "A result that is exactly `window` seconds old must not count any more."
    )
    rows = play(*bad[:9], [10.5, "call", 200], *bad[:9])
    require(rows[-2].state == "closed", "Old results must leave the window one by one as time passes.")
    rows = play(*[good] * 30, [11, "call", 503], *bad[:9])
    require(rows[-1].state == "open", "Successes from before the window hid the failures in it.")
    rows = play(*[[0.01, "call", 200]] * 150, *[[0.01, "call", 503]] * 149)
    require(rows[-1].state == "closed", "The window is one of time: all its results count, however many.")
    rows = play(*bad[:5], [2, "call", 503], *bad[:4], window=1.9)
    require(rows[-1].state == "closed", "`window` must be the seconds that were given.")

    # Open, half open, and out of it.
    rows = play(*bad, [4.9, "call", 200], [0.0, "call", 200], [0.1, "call", 200], good)
    require(
        [row.came for row in rows[10:12]] == ["Open", "Open"] and rows[11].made == 10,
        "The breaker let a call through before `rest` seconds had passed since it opened.",
    )
    require(
        rows[12].came == 200 and rows[12].state == "closed" and rows[13].came == 200,
        "After `rest` seconds the next call is the probe, and a probe that succeeds closes the breaker. "
        "Refused calls must not put the time off.",
    )
    rows = play(*bad, [5.0, "call", 404], *bad[:9], [0.1, "call", 503])
    require(rows[10].state == "closed", "A probe that gets an answer such as 404 has succeeded.")
    require(rows[19].state == "closed", "A breaker that was closed by a probe must begin with an empty memory.")
    require(rows[20].state == "open", "A breaker that was closed by a probe must be able to open again.")
    for outcome in failing:
        rows = play(*bad, [5.0, "call", outcome], [4.9, "call", 200], [0.1, "call", 200])
        require(
            rows[10].state == "open" and rows[10].made == 11,
            "A probe that fails must open the breaker again, at once: no volume is needed.",
        )
        require(
            rows[11].came == "Open" and rows[12].came == 200,
            "After a failed probe the breaker must rest for `rest` seconds from then, and probe once more.",
        )
    rows = play(*bad, [5.0, "call", "mistake"], [0.0, "begin", "p"], good, [0, "end", "p", 200])
    require(
        rows[10].came == "ValueError" and rows[10].state == "half-open",
        "A probe that says nothing about the dependency must leave the breaker half open.",
    )
    require(
        rows[11].came == "waits",
        "A probe ended without saying anything, and no other call may probe: the breaker is stuck for ever.",
    )
    require(rows[12].came == "Open", "After a probe that said nothing there must be one probe at a time again.")
    rows = play(*bad, [5.0, "begin", "p"], good, [30.0, "call", 200], [0, "end", "p", 200], good)
    require(
        rows[10].came == "waits" and rows[10].state == "half-open",
        "While the probe is out, the state is half-open.",
    )
    require(
        [row.came for row in rows[11:13]] == ["Open", "Open"] and rows[12].made == 11,
        "While a probe is out, another call went through: one at a time, however long it takes.",
    )
    require(rows[14].came == 200, "After the probe's success the breaker must let calls through.")
    rows = play(*bad, [5.0, "begin", "p"], [3.0, "end", "p", 503], [4.0, "call", 200], [1.0, "call", 200])
    require(
        [row.came for row in rows[12:]] == ["Open", 200],
        "A failed probe opens the breaker for `rest` seconds from its end, not from its beginning.",
    )

    # Calls that overlap, and results of another time.
    begins: list[Step] = [[0, "begin", f"c{number}"] for number in range(6)]
    rows = play(*begins, *[[0, "end", f"c{number}", 200] for number in range(6)])
    require(
        all(row.came == "waits" for row in rows[:6]),
        "A closed breaker must let any number of calls through at the same time.",
    )
    rows = play([0, "begin", "old"], *bad, [0.1, "end", "old", 200], good)
    require(rows[11].state == "open" and rows[12].came == "Open", ERA)
    rows = play([0, "begin", "old"], *bad, [3.0, "end", "old", 503], [2.0, "call", 200])
    require(rows[12].came == 200, ERA)
    for ending in (200, 503, "mistake"):
        rows = play(
            [0, "begin", "old"],
            *bad,
            [5.0, "begin", "p"],
            [0.1, "end", "old", ending],
            good,
            [0, "end", "p", 200],
        )
        require(rows[12].state == "half-open" and rows[13].came == "Open" and rows[14].state == "closed", ERA)
    rows = play([0, "begin", "old"], *bad, [5.0, "call", 200], *bad[:9], [0, "end", "old", 503], good)
    require(rows[21].state == "closed" and rows[22].came == 200, ERA)
    rows = play(
        *begins[:2], *bad, [5.0, "call", 200], [0, "end", "c0", 503], *bad[:8], [0, "end", "c1", 503], good
    )
    require(rows[-1].came == 200, ERA)

    threads = 8
    made, _, state = _crowd(lab.call("crowd_at_breaker", threads, 10, 6.0, timeout=40.0), 3)
    require(
        made == 1,
        f"{threads} threads came at the same moment to a breaker that may probe, and not exactly one went through. Looking and "
        "deciding must be one step.",
    )
    require(state == "closed", "The probe among many threads succeeded, and the breaker is not closed.")
    made, _, _ = _crowd(lab.call("crowd_at_breaker", threads, 0, 0.0, timeout=40.0), 3)
    require(made == threads, "A closed breaker must let any number of threads through at the same time.")
    made, others, _ = _crowd(lab.call("crowd_at_breaker", threads, 10, 1.0, timeout=40.0), 3)
    require(made == 0 and set(others) == {"Open"}, "An open breaker let one of many threads through.")


def _crowd(value: Any, length: int) -> Any:
    found = of(value, list)
    known(len(found) == length and isinstance(found[0], int) and isinstance(found[1], list))
    return found


@check("bulkhead")
def refuses_what_finds_no_place(lab: LabUnderTest) -> None:
    """Never has more calls inside than places, refuses the next at once, and gets each place back."""
    pick = lab.random
    places = pick.randint(2, 5)

    def play(*script: Step) -> list[Any]:
        rows = rows_of(lab.call("play_bulkhead", places, list(script), timeout=40.0))
        never_stuck(rows, "With all places taken a call waited. It must be refused at once, with Full.")
        known(len(rows) == len(script))
        return rows

    fill: list[Step] = [[0, "begin", f"c{number}"] for number in range(places)]
    rows = play(*fill, [0, "call", 200], [0, "call", 200])
    require(
        all(row.came == "waits" for row in rows[:places]),
        "A call was refused, or waited, although places were free.",
    )
    require(
        all(row.came == "Full" and row.made == places for row in rows[places:]),
        "More calls were inside than there are places, or the one too many was not refused with Full.",
    )
    for ending in (200, 503, "timeout", "mistake"):
        rows = play(*fill, [0, "call", 200], [0, "end", "c0", ending], [0, "begin", "next"], [0, "call", 200])
        require(
            rows[places + 1].came == (ending if isinstance(ending, int) else _class(ending)),
            "What the function returns or raises must come out of `run`.",
        )
        require(
            rows[places + 2].came == "waits",
            "A call was over and its place did not become free. A call that raises gives its place back, too.",
        )
        require(rows[places + 3].came == "Full", "One place became free, and more than one call got in.")
    rows = play(
        *[[0, "call", "timeout"]] * (places + 2),
        *fill,
        *[[0, "call", 200]] * 3,
        [0, "end", "c0", 200],
        [0, "begin", "x"],
        [0, "call", 200],
    )
    require(
        all(row.came == "waits" for row in rows[places + 2 : 2 * places + 2]),
        "After calls that failed one after the other there are fewer places than before.",
    )
    require(
        rows[-1].came == "Full",
        "A refused call gave back a place that it never had: now there are more than before.",
    )
    made, others = _crowd(lab.call("crowd_at_bulkhead", 3, 8, timeout=40.0), 2)
    require(
        made == 3 and others.count("Full") == 5,
        "Eight threads came at the same moment to three places, and not exactly three got in. Looking and "
        "taking must be one step.",
    )


@check("together")
def bounds_hold_together(lab: LabUnderTest) -> None:
    """Rare failures are mended, an outage costs a few requests, and no place, budget or second is spent where it must not be."""
    pick = lab.random
    ok: Step = [0.02, "GET", "", [200]]

    rows = client(lab, [[0.02, "GET", "", [200, 503][: 1 + (n % 20 == 3)][::-1]] for n in range(100)])
    require(
        all(row.ended == 200 for row in rows) and sum(row.sends for row in rows) == 105,
        "Of a hundred calls five failed once: each of these must be tried once more, and then all are well.",
    )
    # In a row: the breaker must see each try, so ten tries open it and not ten calls.
    rows = client(lab, [[0.02, "GET", "", [pick.choice([502, 503, "timeout"])]] for _ in range(200)])
    sent = sum(row.sends for row in rows)
    require(
        all(row.ended != "Full" for row in rows),
        "Calls came one after the other, and some found no place: a place is not given back when its call fails.",
    )
    require(
        sent <= 10,
        "While nothing was answered, more tries were sent than it takes to open the breaker. Does it see "
        "each single try?",
    )
    require(sent == 10, "The breaker opened before it had seen `least` tries that failed.")
    after = rows[next(index for index, row in enumerate(rows) if row.ended == "Open") + 1 :]
    require(len(after) > 150, "Calls behind an open breaker must end with Open.")
    require(
        all(row.ended == "Open" and row.sends == 0 and row.pauses == 0 for row in after),
        "An open breaker must end a call at once: no pause, and no further try.",
    )
    rows = client(
        lab, [*[[0.02, "GET", "", [503]]] * 20, [5.0, "GET", "", [503]], ok, [5.0, "GET", "", [200]], *[ok] * 5]
    )
    require(
        rows[20].sends == 1 and rows[21].ended == "Open",
        "After its rest the breaker must send one probe, and no retry behind a probe that failed.",
    )
    require(
        all(row.ended == 200 for row in rows[22:]),
        "The dependency was well again, and after the breaker's rest calls did not come through.",
    )

    # After twenty good calls every fifth one fails at each try: below the breaker's share, above the budget.
    count = 40 * pick.randint(5, 8)
    rows = client(lab, [*[ok] * 20, *[[0.02, "GET", "", [200 if n % 5 else 503]] for n in range(count)]])
    spent = sum(row.sends - 1 for row in rows if row.sends)
    require(
        all(row.ended == (200 if n % 5 else 503) for n, row in enumerate(rows[20:])),
        "While less than half of the tries failed, some call did not end with the answer of its last try.",
    )
    require(rows[20].sends == ATTEMPTS, "The reserve allows all ATTEMPTS tries of the first call that fails.")
    require(
        spent <= 4 + count // 10,
        "Retries were more than a tenth of the calls and the reserve. Do all calls share one budget, and "
        "does each earn once?",
    )
    require(
        spent >= 4 + count // 10,
        "The budget had retries left that were not used. Is it told of each call, once?",
    )

    key = f"k-{pick.getrandbits(40):x}"
    rows = client(
        lab,
        [
            [0.02, "POST", "", ["timeout", 200]],
            [0.02, "POST", key, ["timeout", 200]],
            [0.02, "POST", "", ["refused", 200]],
        ],
    )
    require(
        [row.ended for row in rows] == ["TimeoutError", 200, 200],
        "A write is repeated only with a key, or when its connection was refused.",
    )
    require(
        all(headers.get(KEY) == key for headers, _, _ in rows[1].seen),
        "Each try of a write must carry the same key.",
    )

    patience = pick.uniform(0.7, 0.9)
    rows = client(lab, [[0.0, "GET", "", [503, 503, 503, 503, 200]]], patience=patience, cost=0.15)
    require(
        2 <= rows[0].sends <= 4,
        "Tries, pauses and the deadline do not fit together: some were too late, or too few.",
    )
    for headers, timeout, left in rows[0].seen:
        require(
            abs(timeout - min(MOST, left)) < 0.002,
            "A try may take what is left of the deadline when it begins, and at most MOST seconds.",
        )
        require(
            _number(headers.get(HEADER)) is not None and abs(float(headers[HEADER]) - timeout) < 0.002,
            "A try did not say in X-Request-Timeout how long it waits.",
        )
    rows = client(lab, [[0.0, "GET", "", [200]]] * 12 + [ok], patience=LEAST / 2)
    require(
        all(row.ended == "TooLate" and row.sends == 0 for row in rows),
        "A call with no time left must end with TooLate, however often: it is no failure of the dependency.",
    )

    depth, refused, ended = of(lab.call("play_places", 200, "in the send"), list)
    require(
        depth == PLACES - 1 and refused == ["Full"],
        "With one call under way not exactly PLACES - 1 others found a place. One bulkhead for the "
        "dependency, and Full for who finds none.",
    )
    require(ended == 200, "A call that others were refused beside must end well.")
    depth, refused, ended = of(lab.call("play_places", 503, "in the pause"), list)
    require(
        depth == PLACES and refused == ["Full"] and ended == 200,
        "A call that pauses between two tries holds a place. A place is for a try, not for a call.",
    )
    full = of(lab.call("play_refusals", 40), list)
    require(
        full == [40, 200],
        "Calls that were refused with Full counted as failures of the dependency, or were tried again.",
    )
