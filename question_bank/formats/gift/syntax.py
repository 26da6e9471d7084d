"""The signs of GIFT: escapes, comments with ids and tags, and where one question ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_ESCAPED = re.compile(r"\\([~=#{}:\\n])")
_RESERVED = re.compile(r"[\\~=#{}:]")
_COMMENT_PART = re.compile(r"\[(id|tag):((?:\\\]|[^\]])+)\]")
_FORMAT = re.compile(r"\[(html|markdown|plain|moodle)\]", re.IGNORECASE)
MAX_QUESTION = 100_000
"""Characters of one question; a longer one is read as several, none of which is whole."""
MAX_COMMENT = 2_000
MAX_COMMENTS = 50
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
    start, lines, comments, category, depth, size = 0, list[str](), list[str](), "", 0, 0
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.lstrip().startswith("//"):
            comments += [line.strip()[:MAX_COMMENT]] if len(comments) < MAX_COMMENTS else []
            continue
        if match := CATEGORY.match(line):
            category = match[1].strip()
            continue
        said = line.strip() != ""
        # A next question that begins while this one's brace is open: it was never closed.
        lost = said and depth > 0 and line.lstrip().startswith("::")
        if lines and (lost or size > MAX_QUESTION or (not said and depth <= 0)):
            yield Chunk(start, "\n".join(lines), "\n".join(comments), category)
            lines, comments, depth, size = [], [], 0, 0
        if said:
            start = start if lines else number
            lines.append(line)
            size += len(line)
            bare = _ESCAPED.sub("", line)
            depth += bare.count("{") - bare.count("}")
    if lines:
        yield Chunk(start, "\n".join(lines), "\n".join(comments), category)


def find(text: str, signs: str, start: int = 0) -> int:
    """Where one of these signs, or this run of one sign, first stands unescaped; -1 when nowhere."""
    for match in _finder(signs).finditer(text, start):
        if not match[0].startswith("\\"):
            return match.start()
    return -1


@lru_cache
def _finder(signs: str) -> re.Pattern[str]:
    sought = re.escape(signs) if len(set(signs)) == 1 else f"[{re.escape(signs)}]"
    return re.compile(rf"\\[~=#{{}}:\\n]|{sought}")


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
