"""Drawing charts as inline SVG that reads well on light and dark pages, without anything from outside.

Text and lines take the page's own text colour; the colours of series have at least 3:1 contrast on white as on JupyterLab's dark
background, and no series is told by colour alone: the legend names it with its figures, and so does the text of the picture.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 720
FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:11px"
COLOURS = ("#3f7fd4", "#c46a12", "#2e8b57", "#8a63d2", "#1a8a96", "#c2569b", "#8a7a1f", "#808080")
ERROR_COLOUR = "#d0483e"
OTHER_COLOUR = "#808080"


def escape(text: object) -> str:
    """Text that may stand in HTML and SVG, in attributes too; control characters, which SVG can't hold, are taken out."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return html.escape(printable, quote=True)


def colour(index: int) -> str:
    """The colour of the series with this number."""
    return COLOURS[index % len(COLOURS)]


def figure(title: str, description: str, height: int, parts: Iterable[str], width: int = WIDTH) -> str:
    """A whole drawing; `title` and `description` are what a screen reader says of it."""
    label = escape(f"{title}. {description}")
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'style="max-width:100%;height:auto;color:inherit;{FONT}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def text(
    x: float, y: float, words: object, anchor: str = "start", *, bold: bool = False, faint: bool = False
) -> str:
    """A line of text in the page's colour, at its baseline."""
    weight = ' font-weight="600"' if bold else ""
    opacity = ' fill-opacity="0.75"' if faint else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" fill="currentColor"{weight}{opacity}>'
        f"{escape(words)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, *, faint: bool = False, dashed: bool = False) -> str:
    """A line in the page's text colour."""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    opacity = "0.18" if faint else "0.6"
    return (
        f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" stroke="currentColor" '
        f'stroke-opacity="{opacity}"{dashes}/>'
    )


def rectangle(x: float, y: float, width: float, height: float, fill: str, tip: str = "") -> str:
    """A filled rectangle; `tip` is shown under the pointer."""
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(max(width, 0.5))}" height="{number(max(height, 0))}" '
        f'fill="{fill}">{inside}</rect>'
    )


def path(points: Sequence[tuple[float, float] | None], stroke: str) -> str:
    """A line through points; None interrupts it."""
    commands, pen_up = [], True
    for point in points:
        if point is not None:
            commands.append(f"{'M' if pen_up else 'L'}{number(point[0])} {number(point[1])}")
        pen_up = point is None
    return (
        f'<path d="{" ".join(commands)}" fill="none" stroke="{stroke}" stroke-width="1.8"/>' if commands else ""
    )


@dataclass(frozen=True)
class Scale:
    """From values to places on the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return self.start + (min(max(value, self.low), self.high) - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most `most` + 1 round values from low to high."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    rough = (high - low) / max(1, most)
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [
        round(index * step, 12)
        for index in range(first, first + most + 2)
        if index * step <= high + step * 1e-6
    ]


def number(value: float) -> str:
    """A coordinate, as short as it can be."""
    return f"{value:.1f}".removesuffix(".0") if math.isfinite(value) else "0"


def amount(value: float) -> str:
    """A value for people: 12, 3.4, 1,200, 0.05."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def milliseconds(value: float) -> str:
    """A time that is given in milliseconds, for people: 3.2 ms, 1.4 s."""
    return f"{amount(value / 1000)} s" if value >= 1000 else f"{amount(value)} ms"


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """HTML that names series: (colour, text) each."""
    items = "".join(
        f'<span style="display:inline-block;margin-right:1.2em;white-space:nowrap">'
        f'<span aria-hidden="true" style="color:{fill}">■</span> {escape(words)}</span>'
        for fill, words in entries
    )
    return f'<div style="margin:2px 0 8px">{items}</div>'


def box(title: str, *parts: str) -> str:
    """What belongs together, below its title."""
    heading = f'<div style="font-weight:600;margin:4px 0">{escape(title)}</div>'
    return f'<div style="max-width:{WIDTH}px">{heading}{"".join(parts)}</div>'
