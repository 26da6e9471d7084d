"""Two texts, line by line: what went, what came, and within a changed line which words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

CONTEXT = 3
"""Lines shown around a change."""
LINES_EXACT = 2_000
WORDS_LONGEST = 4_000
"""A pair of lines that is longer is not compared word by word."""
LIKE = 0.4
"""Lines less alike than this are not compared word by word: it would only look confused."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


class Change(StrEnum):
    """What became of a line."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"
    SKIPPED = "skipped"
    """Stands for equal lines that are not shown."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a line; `marked` when it is what differs within it."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of the comparison."""

    change: Change
    old: int | None
    """Its number in the old text; None when it is not there."""
    new: int | None
    pieces: tuple[Piece, ...]
    skipped: int = 0
    """How many equal lines this one stands for."""


def compare(old: str, new: str, context: int = CONTEXT) -> list[DiffLine]:
    """The lines that differ with some around them; empty when nothing does."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return []
    found: list[DiffLine] = []
    # Exact where that is quick; a long text of equal lines would take minutes otherwise.
    matcher = SequenceMatcher(None, before, after, autojunk=len(before) + len(after) > LINES_EXACT)
    operations = matcher.get_opcodes()
    for index, (tag, i1, i2, j1, j2) in enumerate(operations):
        if tag == "equal":
            first, last = index == 0, index == len(operations) - 1
            found.extend(_equal(before, i1, i2, j1, 0 if first else context, 0 if last else context))
        else:
            found.extend(_changed(before[i1:i2], after[j1:j2], i1, j1))
    return found


def counts(lines: list[DiffLine]) -> tuple[int, int]:
    """How many lines came, and how many went."""
    return (
        sum(line.change is Change.ADDED for line in lines),
        sum(line.change is Change.REMOVED for line in lines),
    )


def _equal(before: list[str], i1: int, i2: int, j1: int, head: int, tail: int) -> Iterator[DiffLine]:
    count = i2 - i1
    left_out = count - head - tail
    for offset in range(count):
        if left_out > 1 and head <= offset < count - tail:
            if offset == head:
                yield DiffLine(Change.SKIPPED, None, None, (), skipped=left_out)
            continue
        yield DiffLine(Change.SAME, i1 + offset + 1, j1 + offset + 1, (Piece(before[i1 + offset]),))


def _changed(gone: list[str], come: list[str], i1: int, j1: int) -> Iterator[DiffLine]:
    pairs = [_words(old, new) for old, new in zip(gone, come, strict=False)] if len(gone) == len(come) else []
    for offset, line in enumerate(gone):
        pieces = pairs[offset][0] if pairs else (Piece(line),)
        yield DiffLine(Change.REMOVED, i1 + offset + 1, None, pieces)
    for offset, line in enumerate(come):
        pieces = pairs[offset][1] if pairs else (Piece(line),)
        yield DiffLine(Change.ADDED, None, j1 + offset + 1, pieces)


def _words(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if len(old) + len(new) > WORDS_LONGEST:
        return (Piece(old),), (Piece(new),)
    before, after = _WORD.findall(old), _WORD.findall(new)
    matcher = SequenceMatcher(None, before, after)
    if matcher.ratio() < LIKE:
        return (Piece(old),), (Piece(new),)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        marked = tag != "equal"
        if i2 > i1:
            left.append(Piece("".join(before[i1:i2]), marked))
        if j2 > j1:
            right.append(Piece("".join(after[j1:j2]), marked))
    return tuple(left), tuple(right)
