"""Fenced code blocks of Markdown: finding them with their lines, and writing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from question_bank.document import Section
from question_bank.items import FenceTracker, Report

_OPENING = re.compile(r"^(\s*(?:>\s?)*\s*)(`{3,}|~{3,})\s*([^\s`{]*)")
_TICKS = re.compile(r"`{3,}")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block."""

    line: int
    """Of the opening fence."""
    language: str
    """In lower case; empty when the fence names none."""
    text: str


def blocks(text: str, first_line: int = 1) -> Iterator[Block]:
    """The closed code blocks of a text that starts at `first_line`, without their indentation."""
    tracker = FenceTracker()
    opening: re.Match[str] | None = None
    start, inside = 0, list[str]()
    for number, line in enumerate(text.split("\n"), start=first_line):
        if not tracker.feed(number, line):
            continue
        if opening is None:
            opening, start, inside = _OPENING.match(line), number, []
        elif tracker.inside:
            indent = len(line) - len(line.lstrip(" "))
            inside.append(line[min(indent, len(opening[1])) :])
        else:
            yield Block(start, opening[3].lower(), "\n".join(inside))
            opening = None


def the_only_block(section: Section, report: Report) -> str | None:
    """The text of the code block that a section consists of; None, and a report, when it holds anything else."""
    found = list(blocks(section.text, section.line))
    if len(found) != 1 or section.text.count("\n") != found[0].text.count("\n") + 2:
        report(section.line, "This section holds one code block between two fences, and nothing else.")
        return None
    return found[0].text.rstrip()


def fenced(text: str, language: str) -> str:
    """A text as a code block, with a fence that it doesn't contain."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
