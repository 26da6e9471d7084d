"""Reads the lists of a question file: options, items to order, pairs. Each entry is a marker, text that is indented
below it, and feedback in lines that start with `>`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

Report = Callable[[int, str], None]
"""Called with a line and a sentence for every fault found."""

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
_ALMOST = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s*(\[.{0,3}\])?")


@dataclass(frozen=True, slots=True)
class Marker:
    """How the entries of one section begin."""

    pattern: re.Pattern[str]
    """Two groups: the mark, and the text behind it."""
    hint: str
    """What to write, for somebody who wrote something like it."""
    width: int = 2
    """By how many columns, at most, the lines below are indented."""


MARKERS = {
    "Options": Marker(
        re.compile(r"^- \[([ xX])\](?: (.*))?$"),
        "An option starts with `- [x] ` when it is right or `- [ ] ` when it is wrong.",
    ),
    "Items": Marker(
        re.compile(r"^(\d{1,2})\.(?: (.*))?$"), "An item starts with its place, such as `1. `.", width=3
    ),
    "Pairs": Marker(
        re.compile(r"^(-)(?: (.*))?$"),
        "A pair starts with `- ` and the left side; the next line is `  = ` and the right.",
    ),
    "Distractors": Marker(re.compile(r"^(-)(?: (.*))?$"), "A right side that fits nothing starts with `- `."),
}
"""The sections that hold a list, and how its entries begin."""


@dataclass(frozen=True, slots=True)
class WrittenItem:
    """One entry of such a section, as written."""

    line: int = field(compare=False)
    mark: str
    text: str
    feedback: str
    source: str
    """The text before any parameter was filled in: what the entry is known by in every variant."""

    @property
    def right(self) -> bool:
        """Whether an option is marked as right."""
        return self.mark in ("x", "X")


class FenceTracker:
    """Tells, line by line, whether one stands inside a fenced code block."""

    def __init__(self) -> None:
        self._mark: str | None = None
        self.opened_at = 0

    @property
    def inside(self) -> bool:
        """True between an opening fence and its closing one."""
        return self._mark is not None

    def feed(self, number: int, line: str) -> bool:
        """Take one line; True when it belongs to a code block, its fences included."""
        match = _FENCE.match(line)
        if self._mark is None:
            if match is None:
                return False
            self._mark, self.opened_at = match[1], number
            return True
        if match and match[1][0] == self._mark[0] and len(match[1]) >= len(self._mark) and not match[2].strip():
            self._mark = None
        return True


class _InProgress:
    def __init__(self, line: int, mark: str, text: str) -> None:
        self.line, self.mark = line, mark
        self.text, self.feedback = [text], []  # type: list[str], list[str]

    def finished(self) -> WrittenItem:
        text = "\n".join(self.text).strip()
        return WrittenItem(self.line, self.mark, text, "\n".join(self.feedback).strip(), text)


def read_items(text: str, first_line: int, marker: Marker, report: Report) -> tuple[WrittenItem, ...]:
    """The entries of a section's text that starts at `first_line`; reports what belongs to none."""
    items: list[_InProgress] = []
    fence = FenceTracker()
    for number, line in enumerate(text.splitlines(), start=first_line):
        in_code = fence.feed(number, line)
        if not in_code and (match := marker.pattern.match(line)):
            items.append(_InProgress(number, match[1], match[2] or ""))
        elif not line.strip() and not items:
            continue
        elif not items or (line.strip() and not line.startswith("  ")):
            if _ALMOST.match(line):
                report(number, marker.hint)
            else:
                report(number, "Text between entries belongs to none of them: indent it by two spaces.")
        elif not in_code and line.lstrip().startswith(">"):
            items[-1].feedback.append(line.lstrip()[1:].removeprefix(" "))
        elif items[-1].feedback and line.strip():
            report(
                number, "An entry's text comes before its feedback: move this line up, or start it with `>`."
            )
        elif items[-1].feedback:
            items[-1].feedback.append("")
        else:
            indent = len(line) - len(line.lstrip(" "))
            items[-1].text.append(line[min(indent, marker.width) :])
    return tuple(item.finished() for item in items)
