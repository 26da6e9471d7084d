"""Makes the parts of each kind out of what a reader found, in a form that a question file can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from question_bank.body import Written, entry
from question_bank.fences import fenced
from question_bank.formats.text import tame_markdown
from question_bank.items import FenceTracker
from question_bank.kinds.matching import joined_pair

SAY_CRITERION = "‹Say what a good answer has ({number}).›"
SAY_MODEL_ANSWER = "‹Imported without a model answer: write one.›"


@dataclass(frozen=True, slots=True)
class Choice:
    """An option, or one choice of a gap."""

    text: str
    right: bool
    feedback: str = ""


def choices(options: Sequence[Choice]) -> Written:
    """The body of a `single` or `multiple` question."""
    entries = (
        entry("- [x] " if o.right else "- [ ] ", entry_text(o.text), feedback_text(o.feedback)) for o in options
    )
    return Written(sections={"Options": "\n".join(entries)})


def true_false(statement_holds: bool, when_true: str = "", when_false: str = "") -> Written:
    """The body of a `true-false` question, with the feedback for each choice."""
    return choices(
        [Choice("True", statement_holds, when_true), Choice("False", not statement_holds, when_false)]
    )


def ordering(items: Sequence[tuple[str, str]], places: Sequence[int] | None = None) -> Written:
    """The body of an `ordering` question: (text, feedback) in the right order; equal places may be exchanged."""
    entries = (
        entry(f"{place}. ", entry_text(text), feedback_text(feedback), indent=3)
        for place, (text, feedback) in zip(places or range(1, len(items) + 1), items, strict=True)
    )
    return Written(sections={"Items": "\n".join(entries)})


def matching(pairs: Sequence[tuple[str, str, str]], distractors: Sequence[tuple[str, str]] = ()) -> Written:
    """The body of a `matching` question: (left, right, feedback), and (text, feedback) of what fits nothing."""
    sections = {
        "Pairs": "\n".join(
            entry("- ", joined_pair(_side(left), _side(right)), feedback_text(feedback))
            for left, right, feedback in pairs
        )
    }
    if distractors:
        sections["Distractors"] = "\n".join(
            entry("- ", _side(text), feedback_text(feedback)) for text, feedback in distractors
        )
    return Written(sections=sections)


def answer(fields: Mapping[str, Any]) -> Written:
    """The body of a `numeric` or `short` question: the fields of `answer:`."""
    return Written(front={"answer": dict(fields)})


def cloze(text: str, gaps: Mapping[str, Mapping[str, Any]]) -> Written:
    """The body of a `cloze` question: the text with its `[[?name]]` marks, and what belongs into each gap."""
    return Written(
        front={"gaps": {name: dict(gap) for name, gap in gaps.items()}},
        sections={"Text": tame_markdown(text).strip()},
    )


def choice_gap(options: Sequence[Choice]) -> dict[str, Any]:
    """A gap that is chosen."""
    return {
        "choices": [
            {
                "text": " ".join(option.text.split()),
                **({"right": True} if option.right else {}),
                **({"why": option.feedback.strip()} if option.feedback.strip() else {}),
            }
            for option in options
        ]
    }


def open_answer(rubric: Sequence[tuple[int, str]], model_answer: str) -> Written:
    """The body of an `open` question. Two places to fill stand for a rubric that a file doesn't have."""
    criteria = list(rubric)
    while len(criteria) < 2:
        criteria.append((1, SAY_CRITERION.format(number=len(criteria) + 1)))
    return Written(
        front={"rubric": [{"points": points, "criterion": text} for points, text in criteria]},
        sections={"Model answer": tame_markdown(model_answer).strip() or SAY_MODEL_ANSWER},
    )


def code(fields: Mapping[str, Any], starter: str, solution: str, harness: str = "") -> Written:
    """The body of a `code` question: the fields of the front matter, and the programs."""
    language = str(fields.get("language", ""))
    sections = {"Starter": fenced(starter, language), "Solution": fenced(solution, language)}
    if harness:
        sections["Harness"] = fenced(harness, language)
    return Written(front=dict(fields), sections=sections)


def entry_text(text: str) -> str:
    """A text that an entry of a list can hold: no line that reads as feedback, no code block left open."""
    return _outside_code(tame_markdown(text).strip(), r"(\s*)>", r"\1\\>")


def feedback_text(text: str) -> str:
    """A feedback that an entry of a list can hold."""
    return tame_markdown(text).strip()


def _side(text: str) -> str:
    """One side of a pair: besides, no line that reads as the other side."""
    return _outside_code(entry_text(text), r"=(?= |$)", r"\\=")


def _outside_code(text: str, pattern: str, replacement: str) -> str:
    fence = FenceTracker()
    return "\n".join(
        line if fence.feed(number, line) else re.sub(rf"^{pattern}", replacement, line)
        for number, line in enumerate(text.split("\n"))
    )
