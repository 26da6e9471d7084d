"""The glossary: its terms by letter, and links to them from texts."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import lru_cache

from roadmap import Term

_TAG = re.compile(r"(<[^>]+>)")
_CLOSED = frozenset({"a", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "summary", "th"})
"""Elements in which no word becomes a link."""


def by_letter(terms: Mapping[str, Term]) -> dict[str, list[Term]]:
    """The terms under their first letters; what begins with none stands under `#`."""
    found: dict[str, list[Term]] = {}
    for term in sorted(terms.values(), key=lambda each: each.title.casefold()):
        first = term.title[:1].upper()
        found.setdefault(first if first.isalpha() else "#", []).append(term)
    return dict(sorted(found.items()))


def linked(source: str, terms: Mapping[str, Term], address: str, but: str | None = None) -> str:
    """Safe HTML with the first mention of each term as a link to `address#term-<id>`, with its text for the curious.

    Headings, code and links stay as they are; terms that the lesson `but` teaches are left alone there.
    """
    words = tuple(
        (term.id, term.text, term.title, *term.also)
        for term in terms.values()
        if but is None or term.lesson != but
    )
    return _linked(source, words, address) if words else source


@lru_cache(maxsize=256)
def _linked(source: str, words: tuple[tuple[str, ...], ...], address: str) -> str:
    pattern, owners = _pattern(words)
    texts = {id_: text for id_, text, *_ in words}
    seen: set[str] = set()
    inside: list[str] = []

    def link(match: re.Match[str]) -> str:
        owner = owners[match[0].casefold()]
        if owner in seen:
            return match[0]
        seen.add(owner)
        meaning = html.escape(texts[owner], quote=True)
        return f'<a class="term" href="{address}#term-{owner}" title="{meaning}">{match[0]}</a>'

    made = []
    for piece in _TAG.split(source):
        name = re.match(r"</?([a-z0-9]+)", piece)
        if name and name[1] in _CLOSED:
            if piece.startswith("</"):
                inside[-1:] = []
            else:
                inside.append(name[1])
        made.append(piece if inside or piece.startswith("<") else pattern.sub(link, piece))
    return "".join(made)


def _pattern(words: tuple[tuple[str, ...], ...]) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """One expression for all words, longest first, as they stand in HTML; and whose word each is."""
    owners = {html.escape(word, quote=False).casefold(): id_ for id_, _text, *named in words for word in named}
    any_of = "|".join(re.escape(word) for word in sorted(owners, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{any_of})(?![\w-])", re.IGNORECASE), owners
