"""The list of all questions: those of the bank and those that are only drafts yet, filtered and searched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.authoring import queries
from portal.features.authoring.working import Origin
from portal.models import AuthoringState
from question_bank import Bank, Question

SEARCH_MOST = 200
WORDS_MOST = 8
EXCERPT = 160
_BLOCK = re.compile(r"```.*?(?:```|$)", re.DOTALL)

FOR_ME = "for-me"
"""Waits for a review that this person may give."""
MINE = "mine"
"""A draft or in review, and last changed by this person."""
COMMENTED = "commented"
CHANGED = "changed"
"""Learners see one text while another is being written."""


@dataclass(frozen=True)
class Entry:
    """One question of the list."""

    question_id: str
    state: AuthoringState
    kind: str
    module: str
    topics: tuple[str, ...]
    difficulty: int | None
    excerpt: str
    origin: Origin
    asked: bool
    """Whether learners are asked it now."""
    updated_at: datetime | None = None
    updated_by: int | None = None
    updater: str = ""
    comments: int = 0
    due: bool = False
    """Whether its file still waits to be written."""
    for_me: bool = False
    searched: str = field(default="", repr=False)


@dataclass(frozen=True)
class Filters:
    """What somebody looks for; empty strings don't narrow."""

    words: str = ""
    show: str = ""
    kind: str = ""
    module: str = ""
    origin: str = ""

    @property
    def given(self) -> dict[str, Any]:
        """What is looked for, as an address has it."""
        named = {
            "q": self.words,
            "show": self.show,
            "kind": self.kind,
            "module": self.module,
            "origin": self.origin,
        }
        return {name: value for name, value in named.items() if value}

    def fit(self, entry: Entry, user_id: int) -> bool:
        """Whether the entry is looked for."""
        if self.kind and entry.kind != self.kind:
            return False
        if self.module and entry.module != self.module:
            return False
        if self.origin and entry.origin != self.origin:
            return False
        if self.show and not _shown(self.show, entry, user_id):
            return False
        return all(word in entry.searched for word in self.words.casefold().split()[:WORDS_MOST])


def entries(db: Session, content: Content, built_in: Bank, user_id: int) -> list[Entry]:
    """Every question, in the order of modules and ids: three statements, whatever there is."""
    lines = {line.question_id: line for line in queries.lines(db)}
    comments = queries.open_comments(db)
    by_me = queries.in_review_by(db, user_id)
    known: dict[str, tuple[Question, bool]] = {
        **{name: (one, False) for name, one in content.bank.retired.items()},
        **{name: (one, True) for name, one in content.bank.questions.items()},
    }
    found = [
        _entry(name, known.get(name), lines.get(name), built_in, comments.get(name, 0), by_me)
        for name in known.keys() | lines.keys()
    ]
    return sorted(found, key=lambda entry: (entry.module, entry.question_id))


def choices(found: Iterable[Entry], titles: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The kinds and modules that there are to choose from."""
    everything = list(found)
    kinds = sorted({entry.kind for entry in everything if entry.kind})
    modules = sorted({entry.module for entry in everything if entry.module})
    return kinds, {module: titles.get(module, module) for module in modules}


def _shown(show: str, entry: Entry, user_id: int) -> bool:
    if show == FOR_ME:
        return entry.for_me
    if show == MINE:
        return entry.updated_by == user_id and entry.state in (AuthoringState.DRAFT, AuthoringState.REVIEW)
    if show == COMMENTED:
        return entry.comments > 0
    if show == CHANGED:
        return entry.asked and entry.state in (AuthoringState.DRAFT, AuthoringState.REVIEW)
    return entry.state == show


def _entry(
    name: str,
    known: tuple[Question, bool] | None,
    line: queries.Line | None,
    built_in: Bank,
    comments: int,
    by_me: set[str],
) -> Entry:
    question, asked = known or (None, False)
    default = AuthoringState.PUBLISHED if asked else AuthoringState.RETIRED
    state = line.state if line else default
    is_built_in = name in built_in.questions
    same = question is not None and question is built_in.questions.get(name) and line is None
    origin = Origin.OWN if not is_built_in else Origin.BUILT_IN if same else Origin.CHANGED
    # What is worked on shows its newest text; all else what learners see.
    drafted = line is not None and (question is None or state in (AuthoringState.DRAFT, AuthoringState.REVIEW))
    kind = line.kind if line and drafted else question.kind if question else ""
    module = line.module if line and drafted else question.module if question else ""
    excerpt = line.excerpt if line and drafted else question.prompt if question else ""
    topics = question.topics if question else ()
    text, searched = _words(name, module, kind, topics, excerpt, question.prompt if question else "")
    return Entry(
        question_id=name,
        state=state,
        kind=kind,
        module=module,
        topics=topics,
        difficulty=question.difficulty if question else None,
        excerpt=text if len(text) <= EXCERPT else text[: EXCERPT - 1].rsplit(" ", 1)[0] + "\N{NO-BREAK SPACE}…",
        origin=origin,
        asked=asked,
        updated_at=line.updated_at if line else None,
        updated_by=line.updated_by if line else None,
        updater=line.updater if line else "",
        comments=comments,
        due=bool(line and line.due),
        for_me=state == AuthoringState.REVIEW and name not in by_me,
        searched=searched,
    )


@lru_cache(maxsize=20_000)
def _words(
    name: str, module: str, kind: str, topics: tuple[str, ...], excerpt: str, prompt: str
) -> tuple[str, str]:
    """What the list shows of a question, and what is searched of it."""
    # The words of a prompt say more than the code that may stand before them.
    words = " ".join(_BLOCK.sub(" ", excerpt).split()) or " ".join(excerpt.split())
    text = words.replace("`", "").replace("**", "")
    return text, " ".join([name, module, kind, *topics, text, prompt]).casefold()
