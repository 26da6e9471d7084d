"""Who did what when: spans and events in lanes, recorded from any thread, drawn as a timeline.

from labkit.timeline import Timeline

timeline = Timeline("Two workers and one row")
with timeline.record("worker-1", "reads stock"):
    ...
timeline.event("worker-1", "commit")
timeline.span("worker-2", 0.1, 0.4, "waits for the lock")
timeline.show()
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from labkit import display, svg

MOST_ENTRIES = 2_000
MOST_LANES = 24
LISTED = 60
MOST_LETTERS = 80
LANE_HEIGHT, ROW_HEIGHT, TOP, LEFT_MOST, RIGHT = 8, 18, 24, 150, 708
LETTER_WIDTH = 6.3
MOST_ROWS = 4
"""Spans of one lane that overlap are drawn below each other, up to so many rows."""


@dataclass(frozen=True)
class Entry:
    """A span, or an event when it has no end. Times are seconds since the timeline began."""

    lane: str
    start: float
    end: float | None
    label: str
    error: str = ""
    """The class of the exception with which a recorded block ended."""


class Timeline:
    """Entries by lane; lanes are drawn in the order in which they first appear, or as given."""

    def __init__(self, title: str = "Timeline", lanes: tuple[str, ...] | list[str] = ()) -> None:
        self.title = title
        self._lanes = [str(lane) for lane in lanes]
        self._entries: list[Entry] = []
        self._left_out = 0
        self._lock = threading.Lock()
        self._started = time.perf_counter()

    def now(self) -> float:
        """Seconds since the timeline was made."""
        return time.perf_counter() - self._started

    def span(self, lane: str, start: float, end: float, label: str = "") -> None:
        """Note what went on in a lane from `start` to `end`."""
        self._add(Entry(str(lane), float(start), max(float(start), float(end)), _short(label)))

    def event(self, lane: str, label: str = "", at: float | None = None) -> None:
        """Note what happened at one moment: now, unless `at` says when."""
        self._add(Entry(str(lane), self.now() if at is None else float(at), None, _short(label)))

    @contextmanager
    def record(self, lane: str, label: str = "") -> Iterator[None]:
        """Note how long the block takes; one that raises is drawn red, with the class of the exception."""
        start = self.now()
        error = ""
        try:
            yield
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            self._add(Entry(str(lane), start, self.now(), _short(label), error))

    @property
    def entries(self) -> list[Entry]:
        """All entries by their start."""
        with self._lock:
            return sorted(self._entries, key=lambda entry: (entry.start, entry.end or entry.start))

    def show(self) -> None:
        """Draw it below the cell."""
        display.show(self.html(), self.text())

    def html(self) -> str:
        """The timeline as a drawing, with the same as a list that can be opened."""
        entries = self.entries
        if not entries:
            return svg.box(self.title, "<p>Nothing was recorded.</p>")
        lanes = self._lanes_of(entries)
        left = min(LEFT_MOST, 16 + LETTER_WIDTH * max(len(lane) for lane in lanes))
        first = min(0.0, entries[0].start)
        last = max(entry.end if entry.end is not None else entry.start for entry in entries)
        place = svg.Scale(first, last if last > first else first + 0.001, left, RIGHT)
        parts: list[str] = []
        y = float(TOP)
        for index, lane in enumerate(lanes):
            rows = _rows([entry for entry in entries if entry.lane == lane])
            height = ROW_HEIGHT * len(rows) + LANE_HEIGHT
            parts += [svg.text(left - 8, y + 14, _short(lane, int(LEFT_MOST / LETTER_WIDTH)), "end", bold=True)]
            for number, row in enumerate(rows):
                parts += [_drawn(entry, place, y + 2 + number * ROW_HEIGHT, index, row) for entry in row]
            y += height
            parts.append(svg.line(left, y - LANE_HEIGHT / 2, RIGHT, y - LANE_HEIGHT / 2, faint=True))
        for mark in svg.ticks(place.low, place.high, 6):
            parts += [
                svg.line(place(mark), TOP - 4, place(mark), y, faint=True),
                svg.text(place(mark), 14, svg.milliseconds(mark * 1000), "middle", faint=True),
            ]
        described = (
            f"{len(entries)} entries in {len(lanes)} lanes over {svg.milliseconds((last - first) * 1000)}"
        )
        listed = f"<details><summary>As text</summary><pre>{_escaped_lines(self.text())}</pre></details>"
        return svg.box(
            self.title, svg.figure(self.title, described, int(y + 6), parts), self._missing(lanes), listed
        )

    def text(self) -> str:
        """The entries one a line."""
        entries = self.entries
        lines = [self.title]
        width = max((len(entry.lane) for entry in entries), default=0)
        for entry in entries[:LISTED]:
            took = "" if entry.end is None else f"  {(entry.end - entry.start) * 1000:>8.1f} ms"
            error = f"  raised {entry.error}" if entry.error else ""
            lines.append(
                f"  {entry.start * 1000:>9.1f} ms  {entry.lane:<{width}}{took or ' ' * 13}  {entry.label}{error}".rstrip()
            )
        if len(entries) > LISTED:
            lines.append(f"  … {len(entries) - LISTED} more")
        return "\n".join(lines) if entries else f"{self.title}\n  Nothing was recorded."

    def _add(self, entry: Entry) -> None:
        with self._lock:
            if len(self._entries) >= MOST_ENTRIES:
                self._left_out += 1
            else:
                self._entries.append(entry)

    def _lanes_of(self, entries: list[Entry]) -> list[str]:
        return list(dict.fromkeys([*self._lanes, *(entry.lane for entry in entries)]))[:MOST_LANES]

    def _missing(self, lanes: list[str]) -> str:
        words = []
        beyond = len({entry.lane for entry in self._entries} - set(lanes))
        if beyond:
            words.append(f"{beyond} more lanes are not drawn.")
        if self._left_out:
            words.append(f"{self._left_out} entries beyond {MOST_ENTRIES} were not kept.")
        return f"<p>{' '.join(words)}</p>" if words else ""


def _rows(entries: list[Entry]) -> list[list[Entry]]:
    """Entries of one lane so that those in one row don't overlap; what finds no free row shares the last."""
    rows: list[list[Entry]] = []
    for entry in entries:
        for row in rows:
            if row[-1].end is None or entry.end is None or entry.start >= row[-1].end:
                row.append(entry)
                break
        else:
            if len(rows) < MOST_ROWS:
                rows.append([entry])
            else:
                rows[-1].append(entry)
    return rows or [[]]


def _drawn(entry: Entry, place: svg.Scale, y: float, lane: int, row: list[Entry]) -> str:
    x = place(entry.start)
    shown = f"{entry.label} ({entry.error})" if entry.error else entry.label
    following = [other.start for other in row if other.start > entry.start]
    room = (place(min(following)) if following else RIGHT) - x
    if entry.end is None:
        diamond = (
            f'<path d="M{svg.number(x)} {svg.number(y + 1)}l5 6l-5 6l-5 -6z" fill="{svg.colour(lane)}" stroke="currentColor" '
            f'stroke-width="0.6"><title>{svg.escape(f"{shown}, at {entry.start * 1000:.1f} ms")}</title></path>'
        )
        return diamond + (svg.text(x + 8, y + 11, shown) if len(shown) * LETTER_WIDTH + 10 <= room else "")
    width = max(2.0, place(entry.end) - x)
    tip = f"{shown}, {entry.start * 1000:.1f} to {entry.end * 1000:.1f} ms"
    fill = svg.ERROR_COLOUR if entry.error else svg.colour(lane)
    # A pale bar with a strong edge at its begin: the words on it are in the page's own text colour.
    bar = (
        f'<rect x="{svg.number(x)}" y="{svg.number(y)}" width="{svg.number(width)}" height="14" rx="2" fill="{fill}" '
        f'fill-opacity="0.35" stroke="{fill}"><title>{svg.escape(tip)}</title></rect>'
    )
    fits = len(shown) * LETTER_WIDTH + 6 <= max(width, room)
    return bar + (svg.text(x + 4, y + 11, shown) if shown and fits else "")


def _short(words: object, letters: int = MOST_LETTERS) -> str:
    written = str(words)
    return written if len(written) <= letters else written[: letters - 2] + " …"


def _escaped_lines(words: str) -> str:
    return "\n".join(svg.escape(line) for line in words.splitlines())
