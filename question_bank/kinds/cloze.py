"""Cloze: gaps in a text or a code block, each typed, chosen, or a number; each earns an equal share.

A gap stands in `## Text` as `[[?name]]` and is described under `gaps:` in the front matter. Its description decides
what it is: `choices` to choose from, `value` for a number, `accept` for text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import Field

from question_bank.body import Body, Written
from question_bank.choices import option_key
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report
from question_bank.kinds.numeric import Numeric, NumericAnswer
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.single import SingleChoice
from question_bank.kinds.typed import TypedAnswer
from question_bank.presented import PresentedGap, Shown
from question_bank.runner import CodeRunner
from question_bank.schema import (
    MAX_FEEDBACK,
    MAX_OPTIONS,
    MIN_OPTIONS,
    AnswerRefused,
    Frozen,
    Option,
)
from question_bank.values import read_value, sparse
from question_bank.wording import as_code

MAX_GAPS = 12
MAX_CHOICE = 200

_GAP = re.compile(r"\[\[\?([^\[\]]*)\]\]")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")


class Choice(Frozen):
    """One of the choices of a gap: plain text, not Markdown."""

    text: str = Field(min_length=1, max_length=MAX_CHOICE)
    right: bool = Field(default=False, strict=True)
    why: str = Field(default="", max_length=MAX_FEEDBACK)


class ChosenAnswer(Frozen):
    """A gap that is chosen."""

    choices: tuple[Choice, ...] = Field(min_length=MIN_OPTIONS, max_length=MAX_OPTIONS)


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap: what belongs there is a small question of its own."""

    name: str
    body: SingleChoice | Numeric | ShortAnswer


@dataclass(frozen=True)
class Cloze(Body):
    """A text with gaps; the answer maps their names to what was typed, or to the key of what was chosen."""

    text: str
    gaps: tuple[Gap, ...]
    """In the order of the text."""
    name: ClassVar[str] = "cloze"
    fields: ClassVar[frozenset[str]] = frozenset({"gaps"})
    sections: ClassVar[frozenset[str]] = frozenset({"Text"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        section = document.sections.get("Text")
        line = document.line_of("gaps")
        if section is None:
            report(
                document.line_of("kind"), "A question of kind `cloze` needs a section `## Text` with the gaps."
            )
            return None
        described = document.front.get("gaps")
        if not isinstance(described, dict) or not 1 <= len(described) <= MAX_GAPS:
            report(line, f"Describe 1 to {MAX_GAPS} gaps under `gaps`, each by its name.")
            return None
        complaints = _mark_complaints(section.text, section.line, described)
        names = gap_names(section.text)
        complaints += [
            (line, f"The gap `{name}` has no place: write `[[?{name}]]` where it stands in the text.")
            for name in described
            if name not in names
        ]
        gaps = []
        for name in names:
            if name in described and (body := _gap_body(question_id, document, name, report, complaints)):
                gaps.append(Gap(name, body))
        for complaint in complaints:
            report(*complaint)
        return None if complaints or len(gaps) != len(described) else cls(section.text, tuple(gaps))

    def show(self, shuffle: random.Random) -> Shown:
        gaps = []
        for gap in self.gaps:
            shown = gap.body.show(shuffle)
            gaps.append(PresentedGap(name=gap.name, choices=shown.options, unit=shown.unit))
        return Shown(
            rule="Fill every gap. Each right one earns an equal share; an empty one earns nothing.",
            text=self.text,
            gaps=tuple(gaps),
        )

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        given = self._given(answer)
        verdicts = {gap.name: _gap_verdict(gap, given.get(gap.name)) for gap in self.gaps}
        feedback = tuple(_gap_feedback(gap, verdicts[gap.name]) for gap in self.gaps)
        return Verdict(
            fraction=sum(entry.right for entry in feedback) / len(self.gaps),
            answered=any(verdict.answered for verdict in verdicts.values()),
            feedback=feedback,
            right_answer="\n\n".join(f"{entry.key}: {entry.expected}" for entry in feedback),
        )

    def write(self) -> Written:
        return Written(
            front={"gaps": {gap.name: _described(gap) for gap in self.gaps}}, sections={"Text": self.text}
        )

    def remarks(self) -> tuple[tuple[str, str], ...]:
        said = []
        for gap in self.gaps:
            if isinstance(gap.body, SingleChoice):
                silent = any(not option.feedback for option in gap.body.options if not option.right)
            else:
                silent = not gap.body.answer.mistakes
            if silent:
                said.append(("gaps", f"Say for the gap `{gap.name}` why what people put there is wrong."))
        return tuple(said)

    def _given(self, answer: object) -> dict[str, object]:
        if answer is None or answer == "":
            return {}
        if not isinstance(answer, Mapping) or len(answer) > MAX_GAPS:
            raise AnswerRefused("Send the gaps as a mapping from their names to what belongs there.")
        if not set(answer) <= {gap.name for gap in self.gaps}:
            raise AnswerRefused("This answer names a gap that isn't there. Reload the page and fill it again.")
        return dict(answer)


def gap_names(text: str) -> list[str]:
    """The names of the gaps of a text, in its order, each once."""
    return list(dict.fromkeys(_GAP.findall(text)))


def fill_gaps(text: str, replace: Callable[[str], str]) -> str:
    """The text with what `replace` gives for each gap's name in the gap's place."""
    return _GAP.sub(lambda match: replace(match[1]), text)


def _mark_complaints(text: str, line: int, described: Mapping[Any, Any]) -> list[tuple[int, str]]:
    complaints: list[tuple[int, str]] = []
    seen: set[str] = set()
    for match in _GAP.finditer(text):
        at, name = line + text.count("\n", 0, match.start()), match[1]
        if not _NAME.fullmatch(name):
            complaints.append(
                (at, f"A gap's name is a word in lower case such as `[[?level]]`, not `{match[0]}`.")
            )
        elif name not in described:
            complaints.append((at, f"The gap `{name}` isn't described under `gaps`."))
        elif name in seen:
            complaints.append((at, f"The gap `{name}` stands in the text twice: give the second another name."))
        seen.add(name)
    return complaints


def _gap_body(
    question_id: str, document: Document, name: str, report: Report, complaints: list[tuple[int, str]]
) -> SingleChoice | Numeric | ShortAnswer | None:
    described = document.front["gaps"][name]
    path = ("gaps", name)
    if isinstance(described, dict) and "value" in described:
        number = read_value(NumericAnswer, document, path, report, described)
        return Numeric(number) if number else None
    if not isinstance(described, dict) or "choices" not in described:
        typed = read_value(TypedAnswer, document, path, report, described or {})
        return ShortAnswer(typed) if typed else None
    chosen = read_value(ChosenAnswer, document, path, report, described)
    if chosen is None:
        return None
    line = document.line_of("gaps")
    if sum(choice.right for choice in chosen.choices) != 1:
        complaints.append((line, f"`gaps.{name}`: mark exactly one choice with `right: true`."))
    if len({choice.text for choice in chosen.choices}) < len(chosen.choices):
        complaints.append((line, f"`gaps.{name}`: two choices are the same."))
    return SingleChoice(
        tuple(
            Option(option_key(question_id, f"{name} {c.text}"), c.text, c.right, c.why, line)
            for c in chosen.choices
        )
    )


def _gap_verdict(gap: Gap, given: object) -> Verdict:
    try:
        return gap.body.grade(given)
    except AnswerRefused as refused:
        raise AnswerRefused(f"Gap “{gap.name}”: {refused.learner}") from refused


def _gap_feedback(gap: Gap, verdict: Verdict) -> Feedback:
    chosen = next((entry for entry in verdict.feedback if entry.chosen), None)
    # Choices of a gap are plain text, as a list in a line of text can hold nothing else.
    shown = as_code if isinstance(gap.body, SingleChoice) else str
    return Feedback(
        key=gap.name,
        text=gap.name,
        chosen=chosen is not None,
        right=verdict.fraction == 1.0,
        comment=chosen.comment if chosen else "",
        given=shown(chosen.text) if chosen else "",
        expected=shown(verdict.right_answer),
    )


def _described(gap: Gap) -> dict[str, Any]:
    if isinstance(gap.body, SingleChoice):
        choices = tuple(Choice(text=o.text, right=o.right, why=o.feedback) for o in gap.body.options)
        return sparse(ChosenAnswer(choices=choices))
    return sparse(gap.body.answer)
