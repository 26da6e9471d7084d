"""What several formats share: one text for explanation and references, one for a rubric, weights of options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from question_bank.formats.bodies import Choice
from question_bank.formats.interface import Loss
from question_bank.kinds.numeric import NumericAnswer
from question_bank.kinds.open import OpenAnswer
from question_bank.kinds.typed import TypedAnswer
from question_bank.question import Question

SAY_WHY = "‹Say why this is wrong.›"
"""What stands for the reason of a wrong answer that a file foresees without saying why."""
_REFERENCES = "\n\n### References\n\n"
_RUBRIC = "\n\n### Rubric\n\n"
_CRITERION = re.compile(r"- \[(\d{1,2})\] (.+)")
_SAMPLE_SEED = 1


def sampled(question: Question, losses: list[Loss]) -> Question:
    """One variant of a question that has parameters, and that as a loss; any other question as it is."""
    if not question.parameterised:
        return question
    losses.append(
        Loss(question.id, "parameters", "Its variants stay behind: one of them goes along, with fixed numbers.")
    )
    return question.at(_SAMPLE_SEED)


def joined_explanation(question: Question) -> str:
    """The explanation, and below it the references."""
    return question.explanation + (_REFERENCES + question.references if question.references else "")


def split_explanation(text: str) -> tuple[str, str]:
    """Explanation and references out of one text."""
    explanation, mark, references = f"\n\n{text}".rpartition(_REFERENCES)
    return (explanation.strip(), references.strip()) if mark and explanation.strip() else (text.strip(), "")


def joined_rubric(body: OpenAnswer) -> str:
    """The model answer, and below it the rubric as a list."""
    criteria = (f"- [{entry.points}] {' '.join(entry.criterion.split())}" for entry in body.rubric)
    return body.model_answer + _RUBRIC + "\n".join(criteria)


def split_rubric(text: str) -> tuple[str, list[tuple[int, str]]]:
    """Model answer and rubric out of one text; the text and no rubric when it doesn't end with one."""
    model, mark, listed = f"\n\n{text}".rpartition(_RUBRIC)
    found = [_CRITERION.fullmatch(line.strip()) for line in listed.split("\n") if line.strip()]
    if not mark or not found or not all(found):
        return text.strip(), []
    return model.strip(), [(int(match[1]), match[2]) for match in found if match]


def chosen_kind(
    options: Sequence[tuple[Choice, float]], one_only: bool | None
) -> tuple[str, list[Choice], list[tuple[str, str]]]:
    """The kind of a choice with weighted options, its options, and what the weights lose.

    Weights are fractions of the question's points, from -1 to 1. `one_only` says whether one can be chosen alone;
    None when the file doesn't say.
    """
    full = [weight >= 0.99999 for _, weight in options]
    lost: list[tuple[str, str]] = []
    single = one_only if one_only is not None else sum(full) == 1
    if single and sum(full) == 1:
        if any(0 < weight < 0.99999 for _, weight in options):
            lost.append(("fractions", "An option that earns a part of the points counts as wrong now."))
        return (
            "single",
            [Choice(o.text, right, o.feedback) for (o, _), right in zip(options, full, strict=True)],
            lost,
        )
    rights = [weight > 0 for _, weight in options]
    if single:
        lost.append(("single", "It takes one of several right options; now all of them have to be chosen."))
    even = 1 / max(1, sum(rights))
    if any(weight > 0 and abs(weight - even) > 0.001 for _, weight in options):
        lost.append(("fractions", "Right options earn different parts of the points; now they earn the same."))
    wrongs = [weight for _, weight in options if weight <= 0]
    if not single and any(abs(weight + even) > 0.001 for weight in wrongs):
        lost.append(("fractions", f"A wrong option takes away as much as a right one earns now ({even:.0%})."))
    return "multiple", [Choice(o.text, r, o.feedback) for (o, _), r in zip(options, rights, strict=True)], lost


def typed_fields(
    accept: Sequence[str],
    mistakes: Sequence[tuple[str, str]],
    *,
    feedback: str = "",
    case_sensitive: bool = False,
    patterns: Sequence[str] = (),
) -> dict[str, Any]:
    """The fields of a typed answer; neighbouring (form, why) with the same `why` become one mistake."""
    merged: list[dict[str, Any]] = []
    for form, why in mistakes:
        if merged and merged[-1]["why"] == why:
            merged[-1]["accept"].append(form)
        else:
            merged.append({"accept": [form], "why": why})
    fields: dict[str, Any] = {"accept": list(accept)}
    if patterns:
        fields["patterns"] = list(patterns)
    if case_sensitive:
        fields["case_sensitive"] = True
    if feedback:
        fields["feedback"] = feedback
    return {**fields, "mistakes": merged} if merged else fields


def numeric_fields(
    value: float, tolerance: float, mistakes: Sequence[tuple[float, str]], feedback: str, units: Sequence[str]
) -> dict[str, Any]:
    """The fields of a numeric answer; the first unit is the one asked for."""
    fields: dict[str, Any] = {"value": value}
    if tolerance:
        fields["tolerance"] = tolerance
    if units:
        fields["unit"] = units[0]
    if len(units) > 1:
        fields["unit_aliases"] = list(units[1:])
    if feedback:
        fields["feedback"] = feedback
    return {**fields, "mistakes": [{"value": v, "why": why} for v, why in mistakes]} if mistakes else fields


def lose_patterns(question_id: str, answer: TypedAnswer, losses: list[Loss], where: str = "") -> None:
    """Say that patterns stay behind, if there are any."""
    if answer.patterns or any(mistake.patterns for mistake in answer.mistakes):
        losses.append(
            Loss(question_id, f"{where}patterns", "Patterns stay behind: only the listed forms are recognised.")
        )


def lose_percent(question_id: str, answer: NumericAnswer, losses: list[Loss], where: str = "") -> None:
    """Say that a tolerance in percent is written as a number, if there is one."""
    if answer.tolerance_percent:
        message = f"The tolerance of {answer.tolerance_percent:g} % is written as ± {answer.margin:g}."
        losses.append(Loss(question_id, f"{where}tolerance_percent", message))


def number(value: float) -> str:
    """A number in the shortest form that gives it back."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
