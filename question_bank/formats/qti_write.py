"""Puts an item together: one question, or one drawn variant of it, as QTI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from question_bank.formats import qti_logic as logic
from question_bank.formats import qti_write_chosen as chosen
from question_bank.formats import qti_write_typed as typed
from question_bank.formats.qti_draft import Draft, identifiers
from question_bank.formats.qti_markup import changes, to_blocks
from question_bank.formats.qti_tree import Element, make
from question_bank.question import Question

_WRITERS: dict[str, Callable[[Draft, Any], None]] = {
    "single": chosen.choices,
    "multiple": chosen.choices,
    "true-false": chosen.choices,
    "ordering": chosen.ordering,
    "matching": chosen.matching,
    "numeric": typed.numeric,
    "short": typed.short,
    "cloze": typed.cloze,
    "code": typed.code,
    "open": typed.open_answer,
}
KINDS = frozenset(_WRITERS)
"""The kinds that can be exported."""


@dataclass(frozen=True, slots=True)
class Written:
    """An item, and what it doesn't hold."""

    root: Element
    title: str
    lost: tuple[tuple[str, str], ...]


def item(question: Question, identifier: str) -> Written:
    """The item of a question whose parameters are filled in, under an identifier."""
    draft = Draft(question)
    _WRITERS[question.kind](draft, question.body)
    shown = ["explanation"]
    draft.texts.append(
        logic.modal(logic.SOLUTION, "explanation", to_blocks(question.explanation), "Explanation")
    )
    if draft.by_hand:
        shown.append("model_answer")
    if question.references:
        shown.append("references")
        draft.texts.append(
            logic.modal(logic.SOLUTION, "references", to_blocks(question.references), "References")
        )
    for part, text in _texts(question):
        for message in changes(text):
            draft.lose(part, message)
    draft.feedback_outcome("multiple", logic.SOLUTION)
    draft.rules.append(logic.setting(logic.SOLUTION, identifiers(shown)))
    title = _title(question)
    root = make(
        "assessmentItem",
        {
            "identifier": item_identifier(identifier),
            "title": title,
            "adaptive": "false",
            "timeDependent": "false",
        },
        *draft.responses,
        *logic.score_outcomes(by_hand=draft.by_hand),
        *draft.outcomes,
        make("itemBody", None, *to_blocks(question.prompt), *draft.blocks),
        make("responseProcessing", None, *draft.rules),
        *draft.texts,
    )
    return Written(root, title, tuple(dict.fromkeys(draft.lost)))


def _texts(question: Question) -> Iterator[tuple[str, str]]:
    """The parts of a question that are Markdown."""
    yield "prompt", question.prompt
    yield "explanation", question.explanation
    yield "references", question.references
    for name, text in question.body.write().sections.items():
        yield name.casefold(), text


def item_identifier(question_id: str) -> str:
    """An id as QTI takes it: it begins with a letter."""
    return question_id if question_id[0].isalpha() else f"item-{question_id}"


def _title(question: Question) -> str:
    """What the other system lists it as: the beginning of its prompt, without markup."""
    words = " ".join("".join(part.itertext()) for part in to_blocks(question.prompt)).split()
    line = " ".join(words) or question.id
    return line if len(line) <= 80 else f"{line[:79].rpartition(' ')[0] or line[:79]}…"
