"""Just enough Markdown to find fenced blocks and links by line; rendering is not our business."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)$")
_LINK = re.compile(r"\]\(/(?P<kind>lessons|labs)/(?P<id>[A-Za-z0-9_-]*)/?(?:#[^)]*)?\)")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")


@dataclass(frozen=True, slots=True)
class FencedBlock:
    """A fenced code block. `line` is that of its first line of code, `closed` says whether the fence ends."""

    language: str
    flags: tuple[str, ...]
    code: str
    line: int
    closed: bool
    info: str = ""
    """All that stands behind the opening fence."""
    end: int = 0
    """The line of the closing fence; the last line there is when it never comes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to one of our own pages: `/lessons/<id>` or `/labs/<slug>`."""

    kind: str
    id: str
    line: int


def fenced_blocks(body: str, first_line: int = 1) -> list[FencedBlock]:
    """All fenced blocks of `body`, whose first line is `first_line` of its file."""
    return [item for item in _scan(body, first_line) if isinstance(item, FencedBlock)]


def prose_lines(body: str, first_line: int = 1) -> list[tuple[int, str]]:
    """The lines outside of fenced blocks, each with its number."""
    return [item for item in _scan(body, first_line) if not isinstance(item, FencedBlock)]


def own_links(body: str, first_line: int = 1) -> list[Link]:
    """The links to lessons and labs, outside of code."""
    return [
        Link(found["kind"], found["id"], line)
        for line, text in prose_lines(body, first_line)
        for found in _LINK.finditer(_CODE_SPAN.sub("", text))
    ]


def _scan(body: str, first_line: int) -> Iterator[FencedBlock | tuple[int, str]]:
    opening: re.Match[str] | None = None
    code: list[str] = []
    start = first_line
    for number, line in enumerate(body.split("\n"), start=first_line):
        if opening is None:
            opening = _FENCE.match(line)
            if opening is None:
                yield number, line
            else:
                code, start = [], number + 1
        elif _closes(line, opening["mark"]):
            yield _block(opening, code, start, number, closed=True)
            opening = None
        else:
            code.append(line)
    if opening is not None:
        yield _block(opening, code, start, start + len(code) - 1, closed=False)


def _closes(line: str, mark: str) -> bool:
    bare = line.strip()
    return len(line) - len(line.lstrip(" ")) < 4 and len(bare) >= len(mark) and set(bare) == {mark[0]}


def _block(opening: re.Match[str], code: list[str], start: int, end: int, *, closed: bool) -> FencedBlock:
    info = opening["info"].strip()
    words = info.split()
    return FencedBlock(words[0] if words else "", tuple(words[1:]), "\n".join(code), start, closed, info, end)
