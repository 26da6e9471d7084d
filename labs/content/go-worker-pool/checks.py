"""Checks of go-worker-pool: hidden scenarios, played with the learner's packages by programs that write down what happened."""

from __future__ import annotations

from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.go_bench import NETWORK, QUIET, TESTING, Trial, drive, require_tests_that_tell

from .support import BROKEN, CONTENT, CORRECT, require_counted, require_nothing_beyond, words

RUNS = 6
"""How often a scenario is repeated in which a mistake shows by chance."""
ENDED = 20
"""How often Map and URLs are called with a context that has ended: a select that is left to chance is right half of the time."""


@check("no-leak")
def nobody_is_left_behind(lab: LabUnderTest) -> None:
    """Takes the first answer, tells the others that nobody needs them, and leaves no goroutine behind."""
    pick = lab.random
    answer, other = words(lab, 2)
    count = pick.randint(5, 9)
    winner, stubborn = pick.sample(range(count), 2)
    all_answer = [{"answer": other, "stubborn": False} for _ in range(count)]
    all_answer[winner] = {"answer": answer, "stubborn": False}
    all_answer[stubborn] = {"answer": other, "stubborn": True}
    failing = [dict(one) for one in all_answer]
    before = pick.sample([n for n in range(count) if n not in (winner, stubborn)], 2)
    for n in before:
        failing[n]["answer"] = ""
    broken: list[dict[str, Any]] = [{"answer": "", "stubborn": False} for _ in range(count)]
    order = pick.sample(range(count), count)
    simple, errors, nothing, cancelled, none = drive(
        lab,
        CONTENT,
        "first/first.go",
        QUIET,
        [
            {"sources": all_answer, "tell": [winner]},
            {"sources": failing, "tell": [*before, winner]},
            {"sources": broken, "tell": order},
            {"sources": all_answer, "tell": [], "cancel": True},
            {"sources": [], "tell": []},
        ],
    )
    for one in (simple, errors, nothing, cancelled):
        require(
            one["started"] == count,
            "Not all sources were asked at the same time: before the first one answered, some had not been started.",
        )
    require(
        not errors["early"],
        "First returned before any source had answered: an error of one is no reason to give up the others.",
    )
    require(
        simple["returned"] and errors["returned"],
        "First did not return when an answer was there: it waits for the slow sources. One that does not look at its context "
        "must not hold up the caller.",
    )
    for one in (simple, errors):
        require(not one["failed"], "First returned an error although a source answered.")
        require(one["answer"] == answer, "First returned something that was not the first answer.")
        require(
            one["told"] >= count - 2 - (0 if one is simple else len(before)),
            "After the first answer the other sources still worked: nothing told them that nobody needs them any "
            "more. Cancel the "
            "context that you gave them.",
        )
    require(nothing["ended"] and nothing["failed"], "When every source fails, First must return an error.")
    require(
        sorted(nothing["failures"]) == list(range(count)),
        "When every source fails, the error must wrap the error of each (errors.Join), so that the caller can tell why.",
    )
    require(
        none["ended"] and none["failed"],
        "Without any source there will never be an answer: First must return an error and not wait.",
    )
    require(
        cancelled["returned"] and cancelled["failed"],
        "The caller gave up (its context was cancelled) and First still waited. Its wait needs a second way out: ctx.Done().",
    )
    require(
        cancelled["cancelled"],
        "When the caller's context ends, the error must be that of the context (ctx.Err()).",
    )
    for one in (simple, errors, nothing, cancelled):
        require(
            one["ended"] and one["left"] == 0,
            f"Goroutines were left over for ever: {one['left']} of {count}, after every source had ended. Each "
            f"waits for somebody who has gone. "
            "Who receives what a late source sends?",
        )


@check("no-race")
def counts_everything_once(lab: LabUnderTest) -> None:
    """Reads all files at the same time, without a data race, loses no count and no error, and closes what it opened."""
    pick = lab.random
    vocabulary = words(lab, 12)

    def text() -> str:
        lines = [" ".join(pick.choices(vocabulary, k=pick.randint(0, 9))) for _ in range(pick.randint(1, 30))]
        return "\n".join(lines) + pick.choice(["\n", "", "\n\n"])

    many = {f"day-{n:02}.log": text() for n in range(24)}
    twice = pick.choice(list(many))
    long = {
        "short.log": text(),
        "long.log": " ".join(pick.choices(vocabulary, k=20_000)) + "\n" + text(),
        "empty.log": "",
    }
    some = {f"part/{n}.txt": text() for n in range(6)}
    locked = pick.choice(list(some))
    read = {name: content for name, content in some.items() if name != locked}
    names = [*some, "part/nowhere.txt"]
    pick.shuffle(names)
    halves = {f"half/{n}.txt": "".join(text() for _ in range(60)) for n in range(4)}
    torn = pick.choice(list(halves))
    whole = {name: content for name, content in halves.items() if name != torn}
    raced, lengthy, met, broken, half = drive(
        lab,
        CONTENT,
        "count/count.go",
        QUIET,
        [
            {"files": many, "names": [*many, twice]},
            {"files": long, "names": list(long)},
            {"files": some, "names": list(some), "meet": True},
            {"files": some, "names": names, "locked": [locked]},
            {"files": halves, "names": list(halves), "torn": [torn]},
        ],
    )
    require(
        met["met"],
        "The files are read one after the other: the first was not opened together with the rest. Start a goroutine "
        "for each. If there is one, what does it hold while it reads? Lock only for the adding.",
    )
    for one, files in (
        (raced, many | {"once more": many[twice]}),
        (lengthy, long),
        (met, some),
        (broken, read),
        (half, whole),
    ):
        require(one["ended"], "Files did not return: it waits for a goroutine that will never report.")
        if one is half:
            require_nothing_beyond(one, files)
        require_counted(one, files)
        require(one["left"] == 0, "Files returned before its goroutines had ended.")
    for one in (raced, lengthy, met):
        require(not one["failed"], "Files returned an error although every file could be read.")
    require(
        broken["failed"],
        "Two files could not be read, and Files returned no error: whoever reads the total takes it for all there is.",
    )
    require(
        broken["missing"] and broken["locked"],
        "Two files could not be read, for different reasons, and the error does not wrap both: join the errors, "
        "each wrapped by %w.",
    )
    require(
        half["torn"],
        "Reading a file failed in the middle, and the error that Files returned does not wrap the one of the read.",
    )
    require(
        all(one["open"] == 0 for one in (broken, met, half)),
        "A file was opened and never closed.",
    )


@check("bounded-pool")
def bounded_ordered_and_whole(lab: LabUnderTest) -> None:
    """Never works on more than it may, keeps the order, stops at the first error, and returns only when everything has ended."""
    pick = lab.random

    def turns(count: int) -> list[int]:
        return [pick.randrange(10_000) for _ in range(count)]

    def plan(count: int, workers: int, **more: Any) -> dict[str, Any]:
        answers = [pick.randrange(1, 1_000_000) for _ in range(count)]
        return {
            "answers": answers,
            "workers": workers,
            "fail_at": -1,
            "cancel_at": -1,
            "picks": turns(count),
            **more,
        }

    workers = pick.randint(3, 6)
    count = pick.randint(18, 24)
    ordered = plan(count, workers, foreign=True)
    crowded = plan(150, workers, cancel_at=0)
    few, single, none = plan(2, 9), plan(4, pick.choice([0, -1])), plan(0, 3)
    failed = [plan(40, workers, fail_at=pick.randint(1, 5)) for _ in range(RUNS)]
    own = plan(40, workers, fail_at=pick.randint(1, 5), own=True)
    second = plan(30, workers, fail_at=pick.randint(1, 4), second=True)
    stopped = [plan(40, workers, cancel_at=pick.randint(1, 5)) for _ in range(2)]
    free = plan(300, 8, free=True)
    free_failing = plan(300, 8, free=True, fails=pick.sample(range(20), 12))
    over = plan(300, workers, ended=ENDED)
    scenarios = [free, free_failing, ordered, crowded, few, single, none, second, over, own, *failed, *stopped]
    traces = drive(lab, CONTENT, "pool/pool.go", QUIET, scenarios)
    ran, ran_failing, one, crowd, two, alone, empty, both, ended, by_itself, *rest = traces
    failures, stops = rest[:RUNS], rest[RUNS:]

    for trace in (one, two, alone):
        require(
            trace["full"],
            "Not all workers were put to work: while items waited, fewer were in flight than the limit allows. A batch that "
            "waits for its slowest leaves the others idle.",
        )
    for trace, given in ((one, ordered), (crowd, crowded), (two, few), (alone, single), (both, second)):
        require(
            trace["most"] <= max(given["workers"], 1),
            f"More calls were in flight than allowed: {trace['most']} with a limit of {given['workers']}"
            f"{' (which counts as 1)' if given['workers'] < 1 else ''}.",
        )
    require(
        crowd["crowd"] <= 4,
        f"Only {workers} calls were in flight, but {crowd['crowd']} more goroutines waited for their turn: with a "
        f"million items these are a "
        "million stacks. Take the place first and start the goroutine then, or start only the workers.",
    )
    for trace in traces:
        require(trace["ended"], "Map did not return after everything that it called had returned.")
    for trace, given in ((ran, free), (one, ordered), (two, few), (alone, single), (empty, none)):
        require(not trace["failed"], "Map returned an error although no call failed.")
        require(
            len(trace["answers"] or []) == len(given["answers"]),
            "There must be exactly one result for each item.",
        )
        require(
            trace["answers"] is None or trace["answers"] == given["answers"],
            "The results are not in the order of the items: the calls ended in another order, and that must not show.",
        )
    require(
        all(trace["child"] for trace in (one, *failures)),
        "The context that the calls get does not come from the caller's: values and deadlines are lost.",
    )
    for trace in (both, *failures):
        require(
            trace["told"],
            "One call failed, and the calls in flight did not hear of it: their context was not cancelled.",
        )
        require(trace["failed"], "A call failed, and Map returned no error.")
        require(
            trace["failures"] == [0],
            "Map did not return the error of the call that failed first, but one that came of it: that of a "
            "cancelled call, or of one that failed later.",
        )
    require(
        by_itself["failures"] == [0],
        "A call failed by itself with an error that wraps context.Canceled, before anything was cancelled, and Map did not "
        "return it. What came first decides, and not what the error says.",
    )
    require(ran_failing["failed"], "Several calls failed, and Map returned no error.")
    for trace in stops:
        require(
            trace["told"], "The caller's context was cancelled, and the calls in flight did not hear of it."
        )
        require(
            trace["failed"] and trace["canceled"],
            "The caller's context was cancelled before all items were done: Map must return its error.",
        )
    late = max(trace["late"] for trace in (both, by_itself, *failures, *stops))
    require(
        late == 0,
        f"{'1 more call was' if late == 1 else f'Up to {late} more calls were'} started after the failure or the "
        "cancellation. When several cases of a select are ready, Go takes one by chance: ask ctx.Err() before you "
        "start something.",
    )
    require(
        ended["failed"] and ended["canceled"],
        "The caller's context had ended before Map was called, and Map did not return its error.",
    )
    require(
        ended["late"] == 0,
        f"The caller's context had ended before Map was called, and calls were started all the same: {ended['late']} when "
        f"Map was called {ENDED} times. When several cases of a select are ready, Go takes one by chance: ask ctx.Err() "
        "before you start something.",
    )
    require(
        not any(trace["deserted"] for trace in (both, *failures, *stops)),
        "Map returned while a call was still in flight: what that call does then, it does behind the caller's "
        "back. Wait for all.",
    )
    for trace in traces:
        require(
            trace["left"] == 0,
            f"{trace['left']} goroutines were left over after Map had returned. Besides those that you start there is one for a "
            "context that was derived and never cancelled.",
        )


@check("table-tests")
def tests_tell_right_from_wrong(lab: LabUnderTest) -> None:
    """The tests pass with correct implementations, twice each, and fail with every one that breaks a promise of Map."""
    require_tests_that_tell(
        lab,
        CONTENT,
        Trial(
            tests="pool/pool_test.go",
            allowed=QUIET | TESTING | {"lab/pool"},
            implementations="pool.go",
            correct=CORRECT * 2,
            broken=BROKEN,
            too_much="something that Map does not promise, or for something within a time that a busy machine does not keep",
        ),
    )


@check("url-checker")
def every_url_is_asked_within_its_limit(lab: LabUnderTest) -> None:
    """Reports each URL as soon as it is known, one at a time, within a limit of its own, and lets connections be used again."""
    pick = lab.random
    workers = pick.randint(3, 5)

    def held(count: int) -> list[dict[str, Any]]:
        return [
            {"status": pick.choice([200, 204, 404, 500, 503]), "held": True, "bytes": 0} for _ in range(count)
        ]

    pages = held(pick.randint(10, 14))
    swift = [
        {"status": pick.choice([200, 404, 418, 500]), "bytes": pick.randint(20_000, 90_000)} for _ in range(30)
    ]
    slow = [{"status": 200, "held": pick.random() < 0.4, "drips": True, "bytes": 5_000} for _ in range(3)]
    traces = drive(
        lab,
        CONTENT,
        "check/check.go",
        QUIET | NETWORK,
        [
            {
                "pages": pages,
                "workers": workers,
                "limit_ms": 60_000,
                "picks": [pick.randrange(999) for _ in pages],
            },
            {"pages": swift, "workers": 2, "limit_ms": 60_000, "foreign": True},
            {"pages": swift[:6], "workers": 1, "limit_ms": 60_000, "again": True},
            {"pages": swift[:3], "workers": pick.choice([0, -1]), "limit_ms": 60_000},
            {"pages": [], "broken": 2, "closed": 2, "workers": 2, "limit_ms": 60_000},
            {"pages": slow, "workers": 1, "limit_ms": 300},
            {"pages": held(12), "workers": workers, "limit_ms": 60_000, "cancel": True},
            {"pages": swift[:8], "workers": workers, "limit_ms": 60_000, "over": 10 * ENDED},
        ],
    )
    busy, quick, alone, least, broken, limited, cancelled, over = traces
    for trace in traces:
        require(
            trace["ended"],
            "URLs did not return after every URL was answered, out of time or cancelled"
            f"{', with fewer than one worker (which counts as 1)' if trace is least else ''}.",
        )
    require(
        busy["full"],
        "Not all workers were put to work: while URLs waited, fewer were asked than the limit allows. A batch that waits for "
        "its slowest leaves the others idle.",
    )
    require(
        busy["most"] <= workers and cancelled["most"] <= workers,
        f"More URLs were asked at the same time than allowed: {max(busy['most'], cancelled['most'])} with a limit of {workers}.",
    )
    for trace, allowed in ((quick, 2), (alone, 1), (least, 1)):
        require(
            trace["most"] <= allowed,
            f"More URLs were asked at the same time than allowed: {trace['most']} with a limit of {allowed}. A URL counts "
            "until the end of its body: is it read to the end before the next one is asked?",
        )
    require(
        busy["prompt"],
        "A URL was answered and not reported while another one was still waiting: report each as soon as it is known.",
    )
    require(
        not over["asked"] and not over["reports"],
        f"The caller's context had ended before URLs was called, and {len(over['reports'])} URLs were reported when it was "
        f"called {10 * ENDED} times: nothing is asked then, and nothing reported. When several cases of a select are ready, Go "
        "takes one by chance: ask ctx.Err() before you hand one out.",
    )
    for trace in traces:
        require(
            trace["overlaps"] == 0,
            "report was called while an earlier call of it had not returned. Whoever gives it to you need not lock in "
            "it: call it from one goroutine, or under a mutex of yours.",
        )
        require(trace["late"] == 0, "report was called after URLs had returned.")
        require(
            all(one["place"] >= 0 for one in trace["reports"]),
            "A report names a URL that is not one of the list.",
        )
        places = [one["place"] for one in trace["reports"]]
        require(len(places) == len(set(places)), "A URL was reported twice.")
    for trace, given in ((busy, pages), (quick, swift), (alone, swift[:6]), (least, swift[:3])):
        require(len(trace["reports"]) == len(given), "A URL was never reported: each has exactly one result.")
        require(
            not any(one["failed"] for one in trace["reports"]),
            "A URL that was answered was reported with an error: a status such as 404 or 500 is an answer.",
        )
        require(
            all(one["status"] == given[one["place"]]["status"] for one in trace["reports"]),
            "A report has a status that is not the one with which the server answered.",
        )
    require(
        len(broken["reports"]) == 4 and all(one["failed"] for one in broken["reports"]),
        "A URL that can't be asked (nobody listens there, or it makes no sense) must be reported too, with its error.",
    )
    require(
        len(limited["asked"]) == len(slow),
        "The limit is for each URL by itself, from the moment it is asked: here those that waited for their turn "
        "lost their time to others.",
    )
    require(
        len(limited["reports"]) == len(slow) and all(one["failed"] for one in limited["reports"]),
        "A server that was too slow was reported without an error. The body's end is part of the answer: read it "
        "within the limit.",
    )
    require(
        limited["dropped"] == len(slow),
        "The limit was over, and the server still worked on a request: it was not cancelled.",
    )
    require(
        len(cancelled["asked"]) <= workers,
        "The caller's context was cancelled, and further URLs were asked afterwards.",
    )
    require(
        cancelled["dropped"] == len(cancelled["asked"]),
        "The caller's context was cancelled, and requests under way went on.",
    )
    require(
        len(cancelled["reports"]) == len(cancelled["asked"])
        and all(one["failed"] for one in cancelled["reports"]),
        "Requests that a cancellation ended are to be reported with their error, and those that were never made not at all.",
    )
    require(
        quick["connections"] <= len(swift) // 2,
        f"{quick['connections']} connections were opened for {len(swift)} URLs of one server by 2 workers: a "
        f"connection is used again only "
        "when the body was read to its end and closed.",
    )
    require(
        alone["again"] == 0,
        "URLs was called again with the same client and opened new connections: those of the first call were gone. The "
        "client keeps them for whoever comes next, and they are not yours to close.",
    )
    for trace in traces:
        require(
            trace["left"] == 0,
            f"{trace['left']} goroutines were left over. One that holds a response's body keeps its connection's two, and one "
            "that never cancels the context it derived may keep one more.",
        )
