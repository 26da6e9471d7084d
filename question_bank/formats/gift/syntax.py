"""The signs of GIFT: escapes, comments with ids and tags, and where one question ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPED = re.compile(r"\\([~=#{}:\\n])")
_RESERVED = re.compile(r"[\\~=#{}:]")
_COMMENT_PART = re.compile(r"\[(id|tag):((?:\\\]|[^\]])+)\]")
_FORMAT = re.compile(r"\[(html|markdown|plain|moodle)\]", re.IGNORECASE)
CATEGORY = re.compile(r"\s*\$CATEGORY:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The lines of one question."""

    line: int
    """Of its first line."""
    text: str
    """Without comments."""
    comments: str
    """The comments before it and within it."""
    category: str


def chunks(text: str) -> Iterator[Chunk]:
    """The questions of a file, which are separated by empty lines; an open brace runs on over them."""
    start, lines, comments, category = 0, list[str](), list[str](), ""
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.lstrip().startswith("//"):
            comments.append(line.strip())
        elif match := CATEGORY.match(line):
            category = match[1].strip()
        elif line.strip():
            if lines and _is_open(lines) and line.lstrip().startswith("::"):
                # The next question begins while this one's brace is open: it was never closed.
                yield Chunk(start, "\n".join(lines), "\n".join(comments), category)
                lines, comments = [], []
            start = start if lines else number
            lines.append(line)
        elif lines and not _is_open(lines):
            yield Chunk(start, "\n".join(lines), "\n".join(comments), category)
            lines, comments = [], []
    if lines:
        yield Chunk(start, "\n".join(lines), "\n".join(comments), category)


def _is_open(lines: list[str]) -> bool:
    text = _ESCAPED.sub("", "\n".join(lines))
    return text.count("{") > text.count("}")


def find(text: str, signs: str, start: int = 0) -> int:
    """Where one of these signs, or this run of one sign, first stands unescaped; -1 when nowhere."""
    at = start
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in "~=#{}:\\n":
            at += 2
        elif text.startswith(signs, at) if len(set(signs)) == 1 else text[at] in signs:
            return at
        else:
            at += 1
    return -1


def split_at(text: str, sign: str, most: int = -1) -> list[str]:
    """The parts between unescaped signs."""
    parts, start = list[str](), 0
    while most < 0 or len(parts) < most:
        at = find(text, sign, start)
        if at < 0:
            break
        parts.append(text[start:at])
        start = at + len(sign)
    return [*parts, text[start:]]


def unescape(text: str) -> str:
    """The text that an escaped one stands for."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def escape(text: str) -> str:
    """A text in which no sign has a meaning."""
    return _RESERVED.sub(lambda match: f"\\{match[0]}", text).replace("\n", "\\n")


def split_format(text: str, default: str) -> tuple[str, str]:
    """The format that a text begins with, and the rest."""
    match = _FORMAT.match(text)
    return (match[1].lower(), text[match.end() :].strip()) if match else (default, text)


def comment_fields(comments: str) -> tuple[str, list[str]]:
    """The id and the tags that comments give."""
    found = [(match[1], match[2].replace("\\]", "]").strip()) for match in _COMMENT_PART.finditer(comments)]
    ids = [value for key, value in found if key == "id"]
    return (ids[-1] if ids else ""), [value for key, value in found if key == "tag"]
