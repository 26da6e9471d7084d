"""The full-text index: SQLite's FTS5 in memory, made from each content once.

Ranking is BM25 with the title ten times, and the other names four times, as heavy as the text.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from portal.content import Content
from portal.features.search.documents import Document, Found, documents

MAX_QUERY = 200
"""Characters of a query; what is longer is cut."""
MAX_WORDS = 12
MAX_HITS = 200
OPEN, CLOSE = "\x02", "\x03"
"""What stands before and behind a word that was found, in an extract."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SELECT = (
    "SELECT kind, id, title, context, snippet(things, 4, ?, ?, ' … ', 28) FROM things WHERE things MATCH ? "
    "ORDER BY bm25(things, 0, 0, 10.0, 4.0, 1.0, 0) * CASE kind WHEN 'question' THEN 0.3 WHEN 'topic' THEN 0.8 ELSE 1 END "
    "LIMIT ?"
)
"""Questions and topics are many and short, which BM25 rewards: of things alike, those to read and to do come first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found."""

    kind: Found
    id: str
    title: str
    context: str
    extract: tuple[tuple[str, bool], ...]
    """Pieces of its text; True for those that were searched for."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search found, best first."""

    hits: tuple[Hit, ...]
    counts: dict[Found, int]
    any_word: bool = False
    """Whether nothing had all the words, so that these have some of them."""


class SearchIndex:
    """An index that many threads may ask at once."""

    def __init__(self, found: Iterable[Document]) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute(
            "CREATE VIRTUAL TABLE things USING fts5(kind UNINDEXED, id UNINDEXED, title, words, body, context UNINDEXED, "
            "tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3')"
        )
        self._database.executemany(
            "INSERT INTO things (kind, id, title, words, body, context) VALUES (?, ?, ?, ?, ?, ?)",
            ((str(one.kind), one.id, one.title, one.words, one.text, one.context) for one in found),
        )
        self._database.commit()

    def search(self, query: str) -> Hits:
        """What has all the words of a query, the last one as a beginning; else what has any of them."""
        words = _WORD.findall(query[:MAX_QUERY])[:MAX_WORDS]
        if not words:
            return Hits((), {})
        quoted = [f'"{word}"' for word in words]
        quoted[-1] += "*"
        rows = self._rows(" AND ".join(quoted))
        any_word = not rows and len(words) > 1
        if any_word:
            rows = self._rows(" OR ".join(quoted))
        asked = " ".join(words).casefold()
        rows.sort(key=lambda row: _likeness(row[2], asked))
        hits = tuple(
            Hit(Found(kind), id_, title, context, _pieces(extract))
            for kind, id_, title, context, extract in rows
        )
        counts = {kind: count for kind in Found if (count := sum(hit.kind is kind for hit in hits))}
        return Hits(hits, counts, any_word=any_word and bool(hits))

    def _rows(self, match: str) -> list[tuple[str, str, str, str, str]]:
        with self._lock:
            return self._database.execute(_SELECT, (OPEN, CLOSE, match, MAX_HITS)).fetchall()


def _likeness(title: str, asked: str) -> int:
    """0 when a title is what was asked for, 1 when it holds it, else 2; within each the ranking stands."""
    named = " ".join(_WORD.findall(title)).casefold()
    return 0 if named == asked else 1 if asked in named else 2


def _pieces(extract: str) -> tuple[tuple[str, bool], ...]:
    pieces: list[tuple[str, bool]] = []
    for part in extract.split(OPEN):
        found, closed, rest = part.partition(CLOSE)
        if closed:
            pieces += [(found, True), (rest, False)]
        else:
            pieces.append((part, False))
    return tuple((text, marked) for text, marked in pieces if text)


def index_of(content: Content) -> SearchIndex:
    """The index of a content; made at the first search of it."""
    return content.derived(_made)


def _made(content: Content) -> SearchIndex:
    return SearchIndex(documents(content))
