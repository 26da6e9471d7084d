"""The module graph of a track: where each box stands and how the arrows run.

Modules stand in columns by the length of their longest chain of prerequisites, so that every arrow points to the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 208, 92, 56, 28, 6


@dataclass(frozen=True)
class Box:
    """One module: its id, its grid column (0 is leftmost) and the top left corner in pixels."""

    id: str
    column: int
    x: int
    y: int
    w: int = BOX_WIDTH
    h: int = BOX_HEIGHT


@dataclass(frozen=True)
class Arrow:
    """From a prerequisite to the module that asks for it; `path` is SVG path data."""

    source: str
    target: str
    path: str


@dataclass(frozen=True)
class Layout:
    """A drawing of `width` by `height` pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def layout(modules: Sequence[str], prerequisites: Mapping[str, Sequence[str]]) -> Layout:
    """Lay out the modules of one track; prerequisites outside it are left out. The input has no cycles."""
    inside = set(modules)
    column: dict[str, int] = {}

    def place(module: str) -> int:
        if module not in column:
            column[module] = 0  # a cycle, which the roadmap's lint refuses, would end here instead of never
            column[module] = max(
                (place(p) + 1 for p in prerequisites.get(module, ()) if p in inside), default=0
            )
        return column[module]

    for module in modules:
        place(module)
    columns = [
        [m for m in modules if column[m] == index] for index in range(max(column.values(), default=-1) + 1)
    ]
    tallest = max((len(members) for members in columns), default=0)
    height = tallest * BOX_HEIGHT + max(tallest - 1, 0) * GAP_Y + 2 * MARGIN
    boxes: dict[str, Box] = {}
    for index, members in enumerate(columns):
        used = len(members) * BOX_HEIGHT + (len(members) - 1) * GAP_Y
        for row, module in enumerate(members):
            boxes[module] = Box(
                id=module,
                column=index,
                x=MARGIN + index * (BOX_WIDTH + GAP_X),
                y=(height - used) // 2 + row * (BOX_HEIGHT + GAP_Y),
            )
    arrows = [
        Arrow(source, module, _curve(boxes[source], boxes[module]))
        for module in modules
        for source in prerequisites.get(module, ())
        if source in inside
    ]
    width = len(columns) * BOX_WIDTH + max(len(columns) - 1, 0) * GAP_X + 2 * MARGIN
    return Layout(width=width, height=height, boxes=tuple(boxes[m] for m in modules), arrows=tuple(arrows))


def _curve(source: Box, target: Box) -> str:
    x1, y1 = source.x + source.w, source.y + source.h // 2
    x2, y2 = target.x, target.y + target.h // 2
    bend = GAP_X // 2 + 8
    return f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
