"""Values over time, sampled while something runs, as a chart that moves.

from labkit import live

live.watch({"lag": lag_of_the_group}, seconds=10)          wait and watch

with live.watching({"lag": lag_of_the_group}, title="Lag") as seen:     watch while other work goes on
    produce(1_000)
    seen.mark("a second consumer joins")
    ...
seen.peak("lag"), seen.last("lag")
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labkit import svg
from labkit.display import LivePicture

__all__ = ["Series", "watch", "watching"]

MOST_SERIES = 8
MOST_SAMPLES = 1_200
"""When a series has more, every second one is left out, and sampling takes twice as long."""
MOST_MARKS = 30
MOST_SECONDS = 600.0
LEAST_EVERY = 0.02
JOIN_SECONDS = 5.0
HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 210, 30, 176, 56, 704
TEXT_POINTS = 12

Sampler = Callable[[], float | None]


class Series:
    """What was sampled; times are seconds since the watching began."""

    def __init__(self, names: tuple[str, ...], title: str) -> None:
        self.names = names
        self.title = title
        self.samples: dict[str, list[tuple[float, float | None]]] = {name: [] for name in names}
        """By name: (time, value); the value is None where the sampler gave none or raised."""
        self.marks: list[tuple[float, str]] = []
        self.errors: dict[str, str] = {}
        """The first exception of each sampler that raised."""
        self._started = time.perf_counter()
        self._lock = threading.Lock()

    def mark(self, text: str) -> None:
        """Note what happens now: a vertical line with these words."""
        with self._lock:
            if len(self.marks) < MOST_MARKS:
                self.marks.append((self.now(), str(text)[:60]))

    def now(self) -> float:
        """Seconds since the watching began."""
        return time.perf_counter() - self._started

    def values(self, name: str) -> list[float]:
        """The values of a series, gaps left out."""
        with self._lock:
            return [value for _, value in self.samples[name] if value is not None]

    def last(self, name: str) -> float | None:
        """The newest value, or None when there is none."""
        return next(iter(reversed(self.values(name))), None)

    def peak(self, name: str) -> float | None:
        """The greatest value, or None when there is none."""
        return max(self.values(name), default=None)

    def add(self, name: str, value: float | None, error: BaseException | None = None) -> bool:
        """Note a sample; whether the series was thinned out because it had grown too long."""
        with self._lock:
            if error is not None:
                self.errors.setdefault(name, f"{type(error).__name__}: {error}"[:200])
            self.samples[name].append((self.now(), None if value is None else float(value)))
            if len(self.samples[name]) <= MOST_SAMPLES:
                return False
            self.samples[name] = self.samples[name][::2]
            return True

    def picture(self) -> tuple[str, str]:
        """The chart as HTML and as text."""
        with self._lock:
            samples = {name: list(points) for name, points in self.samples.items()}
            marks, errors = list(self.marks), dict(self.errors)
        return _html(self.title, samples, marks, errors), _text(self.title, samples, marks, errors)

    def __repr__(self) -> str:
        return f"<Series: {'; '.join(_summary(name, points) for name, points in self.samples.items())}>"


def watch(samplers: Mapping[str, Sampler], seconds: float, every: float = 0.2, title: str = "") -> Series:
    """Call each sampler every `every` seconds for `seconds` seconds, and draw what they give; an interrupt ends it early."""
    if not 0 < seconds <= MOST_SECONDS:
        raise ValueError(f"live.watch takes seconds up to {MOST_SECONDS:g}, not {seconds!r}.")
    with watching(samplers, every=every, title=title) as series:
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            series.mark("interrupted")
    return series


@contextmanager
def watching(samplers: Mapping[str, Sampler], *, every: float = 0.2, title: str = "") -> Iterator[Series]:
    """Sample in a thread while the block runs, at most ten minutes. A sampler that raises leaves a gap.

    Samplers run in that thread one after the other: give them connections of their own, and time limits.
    """
    if not 1 <= len(samplers) <= MOST_SERIES:
        raise ValueError(f"live takes 1 to {MOST_SERIES} samplers, not {len(samplers)}.")
    if every < LEAST_EVERY:
        raise ValueError(f"live samples every {LEAST_EVERY:g} s at most, not every {every!r} s.")
    series = Series(tuple(samplers), title or ", ".join(samplers))
    shown = LivePicture(series.picture)
    stop = threading.Event()
    work = contextvars.copy_context().run
    thread = threading.Thread(
        target=work, args=(_sample, dict(samplers), series, every, stop, shown), name="live", daemon=True
    )
    thread.start()
    try:
        yield series
    finally:
        stop.set()
        thread.join(JOIN_SECONDS)
        if thread.is_alive():
            series.errors.setdefault("watching", f"a sampler did not come back within {JOIN_SECONDS:g} s")
        shown.finish()


def _sample(
    samplers: Mapping[str, Sampler], series: Series, every: float, stop: threading.Event, shown: LivePicture
) -> None:
    due = time.perf_counter()
    while True:
        thinned = False
        for name, sampler in samplers.items():
            try:
                thinned |= series.add(name, sampler())
            except Exception as error:
                thinned |= series.add(name, None, error)
            if stop.is_set() and thinned:
                return
        every *= 2 if thinned else 1
        if not stop.is_set():
            shown.refresh()
        # The value at the very end is sampled too: it is the one that people look at.
        if stop.is_set() or series.now() > MOST_SECONDS:
            return
        due = max(due + every, time.perf_counter())
        stop.wait(due - time.perf_counter())


def _html(
    title: str,
    samples: Mapping[str, list[tuple[float, float | None]]],
    marks: list[tuple[float, str]],
    errors: Mapping[str, str],
) -> str:
    values = [value for points in samples.values() for _, value in points if value is not None]
    end = max(
        [moment for points in samples.values() for moment, _ in points]
        + [moment for moment, _ in marks]
        + [0.1]
    )
    low, high = min([0.0, *values]), max([*values, 0.0])
    high = high if high > low else low + 1
    across, up = svg.Scale(0, end, LEFT, RIGHT), svg.Scale(low, high, BOTTOM, TOP)
    parts = []
    for mark in svg.ticks(low, high, 5):
        parts += [
            svg.line(LEFT, up(mark), RIGHT, up(mark), faint=True),
            svg.text(LEFT - 6, up(mark) + 4, svg.amount(mark), "end", faint=True),
        ]
    for mark in svg.ticks(0, end, 8):
        parts.append(svg.text(across(mark), BOTTOM + 18, f"{svg.amount(mark)} s", "middle", faint=True))
    for number, (moment, words) in enumerate(marks):
        x = across(moment)
        side = "end" if x > (LEFT + RIGHT) / 2 else "start"
        parts += [
            svg.line(x, TOP - 4, x, BOTTOM, dashed=True),
            svg.text(x + (-4 if side == "end" else 4), TOP - 6 + 13 * (number % 4), words, side),
        ]
    for index, points in enumerate(samples.values()):
        line = [None if value is None else (across(moment), up(value)) for moment, value in points]
        parts.append(svg.path(_thinned(line), svg.colour(index)))
    described = "; ".join(_summary(name, points) for name, points in samples.items())
    entries = [(svg.colour(index), _summary(name, samples[name])) for index, name in enumerate(samples)]
    failures = "".join(f"<div>{svg.escape(name)}: {svg.escape(words)}</div>" for name, words in errors.items())
    return svg.box(title, svg.figure(title, described, HEIGHT, parts), svg.legend(entries), failures)


def _thinned(line: list[Any], most: int = 600) -> list[Any]:
    """At most so many points: of each stretch the least and the greatest, so that no peak is lost."""
    if len(line) <= most:
        return line
    size = -(-2 * len(line) // most)
    kept: list[Any] = []
    for start in range(0, len(line), size):
        stretch = line[start : start + size]
        points = [point for point in stretch if point is not None]
        kept += (
            sorted({min(points, key=lambda point: point[1]), max(points, key=lambda point: point[1])})
            if points
            else []
        )
        kept += [None] if len(points) < len(stretch) else []
    return kept


def _summary(name: str, points: list[tuple[float, float | None]]) -> str:
    values = [value for _, value in points if value is not None]
    if not values:
        return f"{name}: no values"
    return f"{name}: last {svg.amount(values[-1])}, least {svg.amount(min(values))}, most {svg.amount(max(values))}"


def _text(
    title: str,
    samples: Mapping[str, list[tuple[float, float | None]]],
    marks: list[tuple[float, str]],
    errors: Mapping[str, str],
) -> str:
    lines = [title]
    for name, points in samples.items():
        lines.append(f"  {_summary(name, points)}")
        step = max(1, -(-len(points) // TEXT_POINTS))
        chosen = (
            [points[index] for index in sorted({*range(0, len(points), step), len(points) - 1})]
            if points
            else []
        )
        lines.append("    " + "  ".join(f"{moment:.1f} s: {_value(value)}" for moment, value in chosen))
    lines += [f"  at {moment:.1f} s: {words}" for moment, words in marks]
    lines += [f"  {name}: {words}" for name, words in errors.items()]
    return "\n".join(lines)


def _value(value: float | None) -> str:
    return "–" if value is None else svg.amount(value)
