"""Finds questions that ask the same, or nearly the same, among very many."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from question_bank.document import COMMON_SECTIONS
from question_bank.items import MARKERS, read_items
from question_bank.kinds.cloze import fill_gaps, gap_names
from question_bank.question import Question
from question_bank.schema import FrontMatter
from question_bank.wording import shingles

NEAR = 0.5
"""The share of three-word runs in common from which two questions count as nearly the same."""
_SAID = frozenset({"feedback", "why", "mistakes"})
"""Fields that say something about an answer, without which the question is the same."""
_COMMON_WORDS = 400
"""A run of words that stands in more questions than this tells nothing of any."""


def asked(question: Question) -> dict[str, Any]:
    """What a question asks and what counts as right: without its id, topics, feedback and explanation."""
    if question.template is not None:
        document = question.template.document
        front = {k: v for k, v in document.front.items() if k not in FrontMatter.model_fields}
        sections = {k: s.text for k, s in document.sections.items() if k not in COMMON_SECTIONS}
        prompt = document.prompt.text
    else:
        written = question.body.write()
        front, sections, prompt = dict(written.front), dict(written.sections), question.prompt
    if question.kind == "cloze":
        front, sections = _numbered_gaps(front, sections)
    found: dict[str, Any] = {"kind": question.kind, "prompt": _words(prompt), "fields": _without_said(front)}
    for name, text in sections.items():
        if name in MARKERS:
            entries = [[e.mark.lower(), _words(e.text)] for e in read_items(text, 1, MARKERS[name], _ignore)]
            found[name] = entries if name == "Items" else sorted(entries)
        else:
            found[name] = text.strip()
    return found


def fingerprint(question: Question) -> str:
    """A digest that is equal for questions that ask the same and count the same as right."""
    return hashlib.sha256(json.dumps(asked(question), sort_keys=True).encode()).hexdigest()


class Index:
    """Questions by what they ask. Looking one up takes time by its own length, not by how many there are."""

    def __init__(self, questions: Iterable[Question] = ()) -> None:
        self._exact: dict[str, Question] = {}
        self._runs: dict[str, tuple[Question, int]] = {}
        self._postings: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for question in questions:
            self.add(question)

    def add(self, question: Question) -> None:
        """Take a question in; of two that ask the same, the first is found."""
        self._exact.setdefault(fingerprint(question), question)
        runs = _runs(question)
        self._runs[question.id] = (question, len(runs))
        for run in runs:
            self._postings[run].append(question.id)

    def same(self, question: Question) -> Question | None:
        """The question that asks the same; None when there is none."""
        return self._exact.get(fingerprint(question))

    def nearest(self, question: Question) -> tuple[Question, float] | None:
        """The question that is most like this one, and how like, from `NEAR` to 1; None when none is like it."""
        runs = _runs(question)
        common: Counter[str] = Counter()
        for run in runs:
            if len(posting := self._postings.get(run, ())) <= _COMMON_WORDS:
                common.update(posting)
        likely = [
            (shared / (len(runs) + self._runs[other][1] - shared), other) for other, shared in common.items()
        ]
        best = max(likely, default=(0.0, ""))
        return (self._runs[best[1]][0], best[0]) if best[0] >= NEAR else None


def _runs(question: Question) -> frozenset[tuple[str, ...]]:
    parts = [question.prompt]
    for name, text in question.body.write().sections.items():
        if name in MARKERS:
            parts += sorted(entry.text for entry in read_items(text, 1, MARKERS[name], _ignore))
        else:
            parts.append(text)
    return shingles(" ".join(parts))


def _numbered_gaps(
    front: Mapping[str, Any], sections: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Gaps under numbers: how an author called them makes no difference."""
    names = {name: f"g{number}" for number, name in enumerate(gap_names(sections.get("Text", "")), start=1)}
    gaps = {names.get(name, name): gap for name, gap in front.get("gaps", {}).items()}
    text = fill_gaps(sections.get("Text", ""), lambda name: f"[[?{names[name]}]]")
    return {**front, "gaps": gaps}, {**sections, "Text": text}


def _without_said(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_said(inner) for key, inner in value.items() if key not in _SAID}
    return [_without_said(inner) for inner in value] if isinstance(value, list | tuple) else value


def _words(text: str) -> str:
    return " ".join(text.split())


def _ignore(line: int, message: str) -> None:
    """Takes a report and drops it: the question was read before."""
