"""The chart of a load run: how long calls took, and how many ended when, by outcome."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from labkit import svg

if TYPE_CHECKING:
    from labkit.load import LoadResult

MOST_OUTCOMES = 30
"""Further outcomes are counted together."""
OTHERS = "others"
DRAWN_OUTCOMES = 6
"""So many have a colour of their own."""
PER_DECADE = 5
LEAST_MS = 0.05
TIME_SLOTS = 60
HEIGHT, TOP, BOTTOM = 190, 26, 150
LEFT_PLOT = (44.0, 330.0)
RIGHT_PLOT = (404.0, 708.0)
BAR_LETTERS = 24


class Tally:
    """Counts that a chart is drawn from; they take the same room after ten calls and after a million."""

    def __init__(self) -> None:
        self.by_latency: dict[str, Counter[int]] = defaultdict(Counter)
        """Outcome → number of the logarithmic bucket → calls."""
        self.by_time: dict[str, Counter[int]] = defaultdict(Counter)
        """Outcome → number of the time slot → calls that ended in it."""
        self.slot = 0.05
        """How many seconds a time slot has; it doubles when the run grows."""
        self.failed: set[str] = set()
        """Outcomes that are exceptions."""
        self.end = 0.0
        """When the last call ended, in seconds after the start."""

    def add(self, outcome: str, ended: float, latency_ms: float, *, failed: bool) -> None:
        """Count one call."""
        if failed:
            self.failed.add(outcome)
        self.end = max(self.end, ended)
        while ended / self.slot >= TIME_SLOTS:
            self.slot *= 2
            for name, counts in self.by_time.items():
                merged: Counter[int] = Counter()
                for slot, count in counts.items():
                    merged[slot // 2] += count
                self.by_time[name] = merged
        self.by_time[outcome][int(ended / self.slot)] += 1
        self.by_latency[outcome][bucket_of(latency_ms)] += 1


def bucket_of(latency_ms: float) -> int:
    """The logarithmic bucket of a latency."""
    return max(0, math.floor(PER_DECADE * math.log10(max(latency_ms, LEAST_MS) / LEAST_MS)))


def bucket_start(bucket: int) -> float:
    """The least latency of a bucket, in milliseconds."""
    return LEAST_MS * 10 ** (bucket / PER_DECADE)


def picture(title: str, tally: Tally, result: LoadResult) -> tuple[str, str]:
    """The run as HTML and as text."""
    ranked = [name for name, _ in result.outcomes.most_common()]
    drawn = ranked[:DRAWN_OUTCOMES]
    colours = _colours(drawn, tally.failed)
    figures = _figures(result)
    description = f"{figures} Outcomes: {_outcomes(result)}."
    parts = [
        *_histogram(tally, ranked, drawn, colours),
        *_over_time(tally, ranked, drawn, colours, max(result.seconds, tally.end)),
    ]
    entries = [(colours[name], f"{name}: {result.outcomes[name]:,}") for name in drawn]
    if len(ranked) > len(drawn):
        rest = sum(result.outcomes[name] for name in ranked[len(drawn) :])
        entries.append((svg.OTHER_COLOUR, f"{len(ranked) - len(drawn)} other outcomes: {rest:,}"))
    errors = "".join(
        f"<div>{svg.escape(name)}: {svg.escape(_short(message))}</div>"
        for name, message in result.errors.items()
        if message
    )
    html = svg.box(
        title,
        svg.figure(title, description, HEIGHT, parts),
        svg.legend(entries),
        f"<div>{svg.escape(figures)}</div>",
        errors,
    )
    return html, _text(title, tally, result, figures)


def _figures(result: LoadResult) -> str:
    unfinished = f" {result.unfinished:,} calls never ended." if result.unfinished else ""
    return (
        f"{result.calls:,} calls in {result.seconds:.2f} s, {svg.amount(round(result.throughput, 1))} a second. "
        f"p50 {svg.milliseconds(result.p50)}, p95 {svg.milliseconds(result.p95)}, p99 {svg.milliseconds(result.p99)}, "
        f"max {svg.milliseconds(result.max)}.{unfinished}"
    )


def _outcomes(result: LoadResult) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in result.outcomes.most_common()) or "none yet"


def _text(title: str, tally: Tally, result: LoadResult, figures: str) -> str:
    lines = [title, f"  {figures}", f"  outcomes: {_outcomes(result)}"]
    lines += [f"  {name}: {_short(message)}" for name, message in result.errors.items() if message]
    total: Counter[int] = sum(tally.by_latency.values(), Counter())
    if total:
        most = max(total.values())
        for bucket in range(min(total), max(total) + 1):
            upper = svg.milliseconds(float(f"{bucket_start(bucket + 1):.2g}"))
            bar = "█" * math.ceil(BAR_LETTERS * total[bucket] / most)
            lines.append(f"  below {upper:>8}  {total[bucket]:>7,}  {bar}".rstrip())
    return "\n".join(lines)


def _short(message: str) -> str:
    first = (message.strip().splitlines() or [""])[0]
    return first if len(first) <= 160 else first[:158] + " …"


def _colours(drawn: list[str], failed: set[str]) -> dict[str, str]:
    """A colour for each outcome; the first that is an exception is red."""
    colours, free = {}, iter(svg.COLOURS)
    red_is_free = True
    for name in drawn:
        if name in failed and red_is_free:
            colours[name], red_is_free = svg.ERROR_COLOUR, False
        else:
            colours[name] = next(free)
    return colours


def _histogram(tally: Tally, ranked: list[str], drawn: list[str], colours: dict[str, str]) -> Iterable[str]:
    start, end = LEFT_PLOT
    yield svg.text(start, 14, "How long calls took", bold=True)
    used = [bucket for counts in tally.by_latency.values() for bucket in counts]
    low, high = (min(used), max(used) + 1) if used else (0, 15)
    low, high = max(0, min(low, high - 8)), max(high, low + 8)
    place = svg.Scale(low, high, start, end)
    yield from _stacks(tally.by_latency, ranked, drawn, colours, place, range(low, high), _latency_tip)
    marks = [10.0**power for power in range(-2, 6)]
    for mark in marks:
        at = PER_DECADE * math.log10(mark / LEAST_MS)
        if low <= at <= high:
            yield svg.text(place(at), BOTTOM + 16, svg.milliseconds(mark), "middle", faint=True)
            yield svg.line(place(at), BOTTOM, place(at), BOTTOM + 4)


def _over_time(
    tally: Tally, ranked: list[str], drawn: list[str], colours: dict[str, str], seconds: float
) -> Iterable[str]:
    start, end = RIGHT_PLOT
    yield svg.text(start, 14, f"Calls that ended, each {svg.milliseconds(tally.slot * 1000)}", bold=True)
    slots = max(1, math.ceil(seconds / tally.slot))
    place = svg.Scale(0, slots, start, end)
    yield from _stacks(
        tally.by_time, ranked, drawn, colours, place, range(slots), lambda slot: _time_tip(slot, tally)
    )
    for mark in svg.ticks(0, slots * tally.slot, 5):
        yield svg.text(place(mark / tally.slot), BOTTOM + 16, f"{svg.amount(mark)} s", "middle", faint=True)
        yield svg.line(place(mark / tally.slot), BOTTOM, place(mark / tally.slot), BOTTOM + 4)


def _stacks(
    counts: dict[str, Counter[int]],
    ranked: list[str],
    drawn: list[str],
    colours: dict[str, str],
    place: svg.Scale,
    slots: range,
    tip_of: Callable[[int], str],
) -> Iterable[str]:
    """Bars that are stacked by outcome, with the axis to their left."""
    totals: Counter[int] = sum(counts.values(), Counter())
    most = max(totals.values(), default=1)
    height = svg.Scale(0, most, BOTTOM, TOP)
    for mark in svg.ticks(0, most, 4):
        yield svg.line(place.start, height(mark), place.end, height(mark), faint=True)
        yield svg.text(place.start - 6, height(mark) + 4, svg.amount(mark), "end", faint=True)
    for slot in slots:
        below = 0
        x, width = place(slot), place(slot + 1) - place(slot) - 0.6
        rest = 0
        for name in ranked:
            count = counts[name][slot] if name in counts else 0
            if not count:
                continue
            if name not in drawn:
                rest += count
                continue
            yield svg.rectangle(
                x, height(below + count), width, height(below) - height(below + count), colours[name],
                f"{tip_of(slot)}: {count:,} × {name}",
            )  # fmt: skip
            below += count
        if rest:
            yield svg.rectangle(
                x, height(below + rest), width, height(below) - height(below + rest), svg.OTHER_COLOUR
            )
    yield svg.line(place.start, BOTTOM, place.end, BOTTOM)


def _latency_tip(bucket: int) -> str:
    return f"{bucket_start(bucket):.2g} to {bucket_start(bucket + 1):.2g} ms"


def _time_tip(slot: int, tally: Tally) -> str:
    return f"{slot * tally.slot:.2f} to {(slot + 1) * tally.slot:.2f} s"
