"""The cells of `lab.md`: Markdown in the way in which Jupytext writes notebooks, as far as labs use it.

A fence that says `python` is a code cell, and so is one of Go that names a file (`labs.go_cells`); everything between two of
them is one cell of text, or several where two empty lines part them. Any other code block is part of the text. What Jupytext
knows beyond that (front matter, regions, metadata of cells) is a fault here. Jupytext itself takes longer to import than all
labs take to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from labs import go_cells

TEXT_ONLY = ".noeval"
"""Behind `python`, it makes a code block part of the text, as in Jupytext."""
_FENCE = re.compile(r"^(?P<ticks>`{3,})[ \t]*(?P<info>[^`]*)$")
_TASK = re.compile(r"""task=(?P<quote>["']?)(?P<task>[^\s"']+)(?P=quote)""")
_REGION = re.compile(r"^<!--[ \t]*#(?:end)?(?:region|markdown|md|raw)\b")
_INDENT = "    "


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    line: int
    """Of its fence, from 1."""
    info: str
    """What stands behind the fence."""
    code: str
    last: int
    """The line of the fence that closes it, or of the last line where none does."""
    closed: bool

    @property
    def is_cell(self) -> bool:
        """Whether it is a code cell, not part of the text."""
        words = self.info.split()
        is_code = words[:1] == ["python"] or go_cells.names_a_file(self.info)
        return is_code and TEXT_ONLY not in words

    @property
    def source(self) -> str:
        """What the cell that it makes holds."""
        return go_cells.as_cell(self.info, self.code) if go_cells.names_a_file(self.info) else self.code


@dataclass(frozen=True)
class RawCell:
    """A cell as it stands in the file."""

    line: int
    """Of a code cell's fence, or of the first line of a text."""
    source: str
    is_code: bool = False
    task: str | None = None


class Unreadable(Exception):
    """The text can't be taken apart; the message is for the author."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def blocks(text: str) -> list[Block]:
    """The fenced code blocks of a Markdown text, in order. A block ends at a fence at least as long as its own."""
    found: list[Block] = []
    opened: tuple[int, str, int] | None = None
    content: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, content = (number, fence["info"].strip(), len(fence["ticks"])), []
        elif fence and not fence["info"].strip() and len(fence["ticks"]) >= opened[2]:
            found.append(Block(opened[0], opened[1], "\n".join(content), number, True))
            opened = None
        else:
            content.append(line)
    if opened is not None:
        found.append(Block(opened[0], opened[1], "\n".join(content), len(lines), False))
    return found


def cells(text: str) -> list[RawCell]:
    """The cells in order, none of them empty text. Raises Unreadable."""
    lines = text.splitlines()
    if lines and lines[0].rstrip() == "---":
        raise Unreadable(1, "begins with front matter, which is not read: what a lab is stands in lab.yaml")
    found: list[RawCell] = []
    within: set[int] = set()
    after = 0
    every = blocks(text)
    for block in every:
        within |= set(range(block.line, block.last + 1))
        _must_be_closed(block)
        if (fault := go_cells.fault_of_fence(block.info)) is not None:
            raise Unreadable(block.line, fault)
    for block in filter(lambda block: block.is_cell, every):
        found += _texts(lines, after, block.line - 1, within)
        found.append(RawCell(block.line, block.source, True, _task(block)))
        after = block.last
    return [*found, *_texts(lines, after, len(lines), within)]


def _must_be_closed(block: Block) -> None:
    inner = (_FENCE.match(line) for line in block.code.split("\n")) if block.is_cell else ()
    if not block.closed or any(fence and fence["info"].split()[:1] == ["python"] for fence in inner):
        raise Unreadable(block.line, "has a code fence that is never closed")


def _task(block: Block) -> str | None:
    behind = go_cells.without_file(block.info).partition(" ")[2].strip()
    named = _TASK.fullmatch(behind)
    if behind and not named:
        name = re.split(r"[=\s]", _TASK.sub("", behind).strip())[0]
        raise Unreadable(block.line, f'the cell says `{name}`: only `task="…"` may stand behind a fence')
    return named["task"] if named else None


def _texts(lines: list[str], begin: int, end: int, within: set[int]) -> Iterator[RawCell]:
    """The texts of the lines from index `begin` to before `end`; the line numbers `within` are code."""
    start: int | None = None
    empty, indented = 0, False
    for index in range(begin, end):
        line = lines[index]
        code = index + 1 in within
        if not code and _REGION.match(line):
            raise Unreadable(index + 1, "has a region marker: two empty lines part two cells of text")
        if not line.strip() and not code:
            empty += 1
            continue
        # What is indented, code or a list, and the empty lines in and behind it, stay together.
        stays = indented
        indented = not code and line.startswith(_INDENT) and (indented or empty > 0)
        if start is not None and empty >= 2 and not stays and not indented:
            yield _text(lines, start, index)
            start = None
        start = index if start is None else start
        empty = 0
    if start is not None:
        yield _text(lines, start, end)


def _text(lines: list[str], start: int, end: int) -> RawCell:
    source = "\n".join(lines[start:end]).rstrip()
    return RawCell(start + 1, source.replace(f" {TEXT_ONLY}", ""))
