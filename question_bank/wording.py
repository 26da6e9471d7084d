"""Helpers that look at wording the way a guesser or a reviewer would: words, likeness, visible length."""

from __future__ import annotations

import re
from collections.abc import Set
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9_]+")
_TOKEN = re.compile(r"[^\W_]+|[^\w\s.,;:!?'\"`*_]+")
_FENCED = re.compile(r"^\s*(`{3,}|~{3,}).*?^\s*\1\s*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(`+)[^`]+\1")
_MARKUP = re.compile(r"[*_`~#>]+")

_COMMON = frozenset(
    """
    a about after again all also an and any are as at be because been before being both but by can could do
    does doing down each every few for from had has have having he her here how i if in into is it its
    itself just like may more most must my no not of off on once one only or other our out over own same she
    should so some such than that the their them then there these they this those through to too two under
    until up use used uses very was we were what when where which while who why will with without would you
    your
    """.split()  # noqa: SIM905
)


def without_code(text: str) -> str:
    """Markdown without its code blocks and inline code."""
    return _INLINE.sub("", _FENCED.sub("", text))


def as_code(text: str) -> str:
    """Plain text as inline code: what somebody typed, shown as it is and never read as Markdown."""
    line = " ".join(text.split())
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or line != line.strip() else ""
    return f"{fence}{space}{line}{space}{fence}" if line else ""


def visible_length(text: str) -> int:
    """How long a piece of Markdown looks: markup and runs of white space don't count."""
    return len(" ".join(_MARKUP.sub("", text).split()))


def normalised(text: str) -> str:
    """Lower-case words, numbers and symbols without markup and punctuation: equal for texts that say the same.

    Symbols count because in code they are all the difference: `a -> b` and `a ->> b`.
    """
    return " ".join(_TOKEN.findall(text.casefold()))


@lru_cache(maxsize=20_000)
def telling_words(text: str) -> frozenset[str]:
    """The words that carry meaning, cut to a rough stem so that "locks" meets "locking"."""
    return frozenset(
        _stem(word) for word in _WORD.findall(text.casefold()) if word not in _COMMON and len(word) > 1
    )


def shingles(text: str, size: int = 3) -> frozenset[tuple[str, ...]]:
    """Every run of `size` words in a text; the whole text when it is shorter."""
    words = _WORD.findall(text.casefold())
    return frozenset(tuple(words[start : start + size]) for start in range(max(1, len(words) - size + 1)))


def likeness(one: Set[object], other: Set[object]) -> float:
    """The share of elements that two sets have in common (Jaccard), from 0 to 1."""
    if not one or not other:
        return 0.0
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
