"""Markdown that takes very long to show, because a renderer looks for the other half of each mark in all that follows.

People write no such text, but it costs whoever shows it minutes: look before rendering what somebody sent.
"""

from __future__ import annotations

import re

MOST_BRACKETS = 400
"""`[` in one text. Those in code count, too: what is code for one reader of Markdown is none for another."""
MOST_TAGS = 1_000
"""`<` in one text."""
MOST_MARKED_LINES = 500
"""Lines that are headings, underline one, or begin or end a code block."""

_NESTED = re.compile(r"(?:\s*(?:>|(?:[-*+]|\d{1,9}[.)])\s)){25}")
_MARKED = re.compile(r"^[ \t>]*(?:#|=+[ \t]*$|-+[ \t]*$|`{3}|~{3})", re.MULTILINE)


def tangled(text: str) -> bool:
    """Whether a Markdown text has so many brackets, tags, marked lines or lists in lists that showing it takes very long."""
    return (
        text.count("[") > MOST_BRACKETS
        or text.count("<") > MOST_TAGS
        or sum(1 for _ in _MARKED.finditer(text)) > MOST_MARKED_LINES
        or any(_NESTED.match(line) for line in text.split("\n"))
    )
