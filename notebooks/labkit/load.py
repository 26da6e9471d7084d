"""Many calls of a function from many threads at once, measured, with a chart that moves while they run.

from labkit import load

result = load.run(reserve, [("order-1", "lamp"), ("order-2", "lamp")], workers=32)
result = load.run(get_product, ["lamp"], seconds=5, workers=64, title="A cold key")
result.outcomes["True"], result.p95, result.throughput
"""

from __future__ import annotations

import contextvars
import copy
import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from labkit.display import LivePicture
from labkit.load_chart import MOST_OUTCOMES, OTHERS, Tally, picture

__all__ = ["LoadResult", "label", "run"]

MOST_WORKERS = 256
MOST_CALLS = 200_000
MOST_SECONDS = 300.0
PATIENCE_SECONDS = 30.0
"""How long calls that have begun may still take after the last one began."""
LOOK_SECONDS = 0.05
LABEL_LETTERS = 40


class LoadResult:
    """What came out of a run. Times are in milliseconds, but `seconds`."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        """How often each outcome came: what was returned (see `label`), or the class of the exception."""
        self.errors: dict[str, str] = {}
        """The text of the first exception of each class."""
        self.latencies: list[float] = []
        """How long each call took, in milliseconds, in the order in which they ended."""
        self.values: dict[int, Any] = {}
        """What each call returned, by its number (0, 1, 2 … as the arguments come); calls that raised are missing."""
        self.seconds = 0.0
        """From the first call's begin to the last one's end."""
        self.unfinished = 0
        """Calls that were still running when the run was given up."""

    @property
    def calls(self) -> int:
        """How many calls ended."""
        return len(self.latencies)

    @property
    def throughput(self) -> float:
        """Calls that ended in a second."""
        return self.calls / self.seconds if self.seconds else 0.0

    @property
    def p50(self) -> float:
        """Half of the calls took no longer."""
        return self.percentile(50)

    @property
    def p95(self) -> float:
        """95 of 100 calls took no longer."""
        return self.percentile(95)

    @property
    def p99(self) -> float:
        """99 of 100 calls took no longer."""
        return self.percentile(99)

    @property
    def max(self) -> float:
        """The slowest call."""
        return max(self.latencies, default=0.0)

    def percentile(self, percent: float) -> float:
        """The latency that this share of the calls did not exceed; 0 without calls."""
        ordered = sorted(self.latencies)
        if not ordered:
            return 0.0
        rank = math.ceil(len(ordered) * percent / 100)
        return ordered[min(len(ordered), max(1, rank)) - 1]

    def __repr__(self) -> str:
        outcomes = ", ".join(f"{name}: {count}" for name, count in self.outcomes.most_common())
        unfinished = f", {self.unfinished} unfinished" if self.unfinished else ""
        return (
            f"<LoadResult: {self.calls} calls in {self.seconds:.2f} s ({outcomes}){unfinished}, "
            f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms, p99 {self.p99:.1f} ms, max {self.max:.1f} ms>"
        )


def label(value: Any) -> str:
    """What a value is counted as: True, None, a number or a short text as such, a response by its status, else its class."""
    if value is None or isinstance(value, bool | int):
        return str(value)
    if isinstance(value, str) and len(value) <= LABEL_LETTERS:
        return value or "''"
    status = getattr(value, "status_code", None)
    return str(status) if isinstance(status, int) else type(value).__name__


def run(
    function: Callable[..., Any],
    arguments: Sequence[Any] | Callable[[int], Any] | None = None,
    *,
    workers: int = 32,
    calls: int | None = None,
    seconds: float | None = None,
    rate: float | None = None,
    outcome: Callable[[Any], str] = label,
    title: str = "",
    chart: bool = True,
    patience: float = PATIENCE_SECONDS,
) -> LoadResult:
    """Call `function` from `workers` threads that start together, and show how it went.

    `arguments` holds what each call gets: a tuple or list is several arguments, anything else is one. A function of the call's
    number may stand there instead. Without `calls` and `seconds` each entry is used once; with one of them the entries are used
    again and again, until so many calls have begun or so much time is over. `rate` starts at most so many calls a second, of all
    threads together. Calls that have not ended `patience` seconds after the last one began are left behind and counted as
    unfinished.

    The result of a call is counted as `outcome(value)`; of the exceptions a call may raise only the class counts.
    """
    workers = _within("workers", workers, 1, MOST_WORKERS)
    pick, most = _picker(arguments, calls, seconds)
    limit = _within("seconds", seconds, 0.05, MOST_SECONDS) if seconds is not None else None
    if rate is not None:
        _within("rate", rate, 0.1, 100_000)
    work = _Run(function, pick, most, limit, rate, outcome, min(workers, most))
    words = title or f"{getattr(function, '__name__', 'calls')}, {workers} threads"
    shown = LivePicture(lambda: picture(words, *work.snapshot()))
    work.go(shown if chart else None, _within("patience", patience, 0.1, MOST_SECONDS))
    if chart:
        shown.finish()
    return work.result


class _Run:
    """The threads of one run, and what they have seen so far."""

    def __init__(
        self,
        function: Callable[..., Any],
        pick: Callable[[int], tuple[Any, ...]],
        most: int,
        seconds: float | None,
        rate: float | None,
        outcome: Callable[[Any], str],
        workers: int,
    ) -> None:
        self.function, self.pick, self.most, self.seconds = function, pick, most, seconds
        self.rate, self.outcome, self.workers = rate, outcome, workers
        self.result, self.tally = LoadResult(), Tally()
        self._numbers: Iterator[int] = itertools.count()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._closed = False
        self._began = 0
        self._last_begin = 0.0
        self._started = 0.0

    def go(self, shown: LivePicture | None, patience: float) -> None:
        """Run all calls; the picture is drawn by the thread that waits."""
        gate = threading.Barrier(self.workers + 1, self._start)
        threads = [
            # A copy of the context each, so that what a call prints lands below the cell.
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._work, gate),
                name=f"load-{index}",
                daemon=True,
            )
            for index in range(self.workers)
        ]
        for thread in threads:
            thread.start()
        gate.wait(PATIENCE_SECONDS)
        try:
            while any(thread.is_alive() for thread in threads):
                next(thread for thread in threads if thread.is_alive()).join(LOOK_SECONDS)
                now = time.perf_counter()
                if self.seconds is not None and now - self._started >= self.seconds:
                    self._stop.set()
                if self._all_begun() and now - self._last_begin > patience:
                    break
                if shown is not None:
                    with self._lock:
                        self.result.seconds = now - self._started
                    shown.refresh()
        finally:
            self._stop.set()
            with self._lock:
                self._closed = True
                self.result.unfinished = self._began - self.result.calls
                self.result.seconds = self.tally.end or time.perf_counter() - self._started

    def _start(self) -> None:
        self._started = self._last_begin = time.perf_counter()

    def snapshot(self) -> tuple[Tally, LoadResult]:
        """Copies to draw from, so that no call waits for a drawing."""
        with self._lock:
            copied = LoadResult()
            copied.outcomes, copied.errors = Counter(self.result.outcomes), dict(self.result.errors)
            copied.latencies = self.result.latencies[:]
            copied.seconds, copied.unfinished = self.result.seconds, self.result.unfinished
            return copy.deepcopy(self.tally), copied

    def _all_begun(self) -> bool:
        return self._stop.is_set() or self._began >= self.most

    def _work(self, gate: threading.Barrier) -> None:
        gate.wait(PATIENCE_SECONDS)
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers)
                if number >= self.most:
                    return
            if self.rate is not None and self._stop.wait(
                max(0.0, self._started + number / self.rate - time.perf_counter())
            ):
                return
            with self._lock:
                begun = time.perf_counter()
                if self._stop.is_set() or (self.seconds is not None and begun - self._started >= self.seconds):
                    return
                self._began += 1
                self._last_begin = begun
            self._call(number)

    def _call(self, number: int) -> None:
        failure: BaseException | None = None
        value: Any = None
        begun = time.perf_counter()
        try:
            value = self.function(*self.pick(number))
        except BaseException as error:  # SystemExit of a worker is an outcome, too
            failure = error
        ended = time.perf_counter()
        name = type(failure).__name__ if failure is not None else str(self.outcome(value))[:LABEL_LETTERS]
        with self._lock:
            if self._closed:
                return
            if name not in self.result.outcomes and len(self.result.outcomes) >= MOST_OUTCOMES:
                name = OTHERS
            self.result.outcomes[name] += 1
            self.result.latencies.append((ended - begun) * 1000)
            if failure is None:
                self.result.values[number] = value
            else:
                self.result.errors.setdefault(name, str(failure)[:500])
            self.tally.add(name, ended - self._started, (ended - begun) * 1000, failed=failure is not None)


def _picker(
    arguments: Sequence[Any] | Callable[[int], Any] | None, calls: int | None, seconds: float | None
) -> tuple[Callable[[int], tuple[Any, ...]], int]:
    """How the n-th call gets its arguments, and how many calls there are at most. Raises ValueError."""
    if callable(arguments):
        source: Callable[[int], Any] = arguments
        length = None
    else:
        entries = [()] if arguments is None else list(arguments)
        if not entries:
            raise ValueError("load.run has nothing to call the function with: `arguments` is empty.")
        source = lambda number: entries[number % len(entries)]  # noqa: E731
        length = None if arguments is None else len(entries)
    most = calls if calls is not None else length if seconds is None else MOST_CALLS
    if most is None:
        raise ValueError("load.run doesn't know when to end: say calls=… or seconds=….")

    def pick(number: int) -> tuple[Any, ...]:
        given = source(number)
        return tuple(given) if isinstance(given, tuple | list) else (given,)

    return pick, int(_within("calls", most, 1, MOST_CALLS))


def _within(name: str, value: Any, low: float, high: float) -> Any:
    if not low <= value <= high:
        raise ValueError(f"load.run takes {name} from {low:g} to {high:g}, not {value!r}.")
    return value
