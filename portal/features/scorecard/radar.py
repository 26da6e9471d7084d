"""A radar chart: where its lines and words stand. SVG is written by the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

from portal.features.scorecard.measuring import LEVELS

WIDTH, HEIGHT = 430, 310
RADIUS = 102
SMALL = 130
"""Width and height of a chart without words."""
LABEL_GAP = 14
LINE_HEIGHT = 14
LABEL_LINE_MOST = 14
"""Characters of a line of a label, about."""


@dataclass(frozen=True)
class Point:
    """A corner of a polygon, in the chart's own units."""

    x: float
    y: float

    def __str__(self) -> str:
        return f"{self.x},{self.y}"


@dataclass(frozen=True)
class Label:
    """The words at the end of an axis."""

    lines: tuple[str, ...]
    x: float
    y: float
    """Of the first line's base."""
    anchor: str


@dataclass(frozen=True)
class Radar:
    """One month: rings for the levels, an axis for each dimension, two polygons."""

    width: int
    height: int
    rings: tuple[str, ...]
    axes: tuple[tuple[Point, Point], ...]
    ticks: tuple[tuple[int, Point], ...]
    labels: tuple[Label, ...]
    computed: str
    """Corners as SVG writes them; empty when a dimension has no value, so that no polygon can be drawn."""
    assessed: str
    computed_points: tuple[Point, ...]
    assessed_points: tuple[Point, ...]


def draw(
    titles: Sequence[str],
    computed: Sequence[float | None],
    assessed: Sequence[float | None],
    *,
    small: bool = False,
) -> Radar:
    """Values are levels, 0 to 5, in the order of the titles; a small chart has no words. At least three titles."""
    width, height = (SMALL, SMALL) if small else (WIDTH, HEIGHT)
    radius = SMALL / 2 - 8 if small else RADIUS
    middle = Point(width / 2, height / 2)
    count = len(titles)

    def at(axis: int, level: float) -> Point:
        angle = 2 * pi * axis / count - pi / 2
        distance = radius * min(max(level, 0.0), LEVELS) / LEVELS
        return Point(
            round(middle.x + distance * cos(angle), 1),
            round(middle.y + distance * sin(angle), 1),
        )

    def polygon(values: Sequence[float | None]) -> tuple[str, tuple[Point, ...]]:
        corners = tuple(at(axis, value) for axis, value in enumerate(values) if value is not None)
        return (" ".join(map(str, corners)) if len(corners) == count else ""), corners

    computed_path, computed_points = polygon(computed)
    assessed_path, assessed_points = polygon(assessed)
    return Radar(
        width=width,
        height=height,
        rings=tuple(" ".join(str(at(axis, level)) for axis in range(count)) for level in range(1, LEVELS + 1)),
        axes=tuple((middle, at(axis, LEVELS)) for axis in range(count)),
        ticks=() if small else tuple((level, at(0, level)) for level in range(1, LEVELS + 1)),
        labels=()
        if small
        else tuple(_label(title, at(axis, LEVELS), middle) for axis, title in enumerate(titles)),
        computed=computed_path,
        assessed=assessed_path,
        computed_points=computed_points,
        assessed_points=assessed_points,
    )


def _label(title: str, tip: Point, middle: Point) -> Label:
    lines = _lines(title)
    tall = LINE_HEIGHT * (len(lines) - 1)
    if abs(tip.x - middle.x) < 1:
        above = tip.y < middle.y
        y = tip.y - LABEL_GAP + 4 - tall if above else tip.y + LABEL_GAP + 6
        return Label(lines, tip.x, y, "middle")
    to_the_right = tip.x > middle.x
    x = tip.x + (LABEL_GAP - 5 if to_the_right else 5 - LABEL_GAP)
    return Label(lines, round(x, 1), round(tip.y + 4 - tall / 2, 1), "start" if to_the_right else "end")


def _lines(title: str) -> tuple[str, ...]:
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > LABEL_LINE_MOST:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return tuple(lines)
