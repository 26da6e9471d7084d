"""Writes questions as GIFT. All texts go along as Markdown, which Moodle shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from question_bank.formats.common import joined_explanation, lose_patterns, lose_percent, number, sampled
from question_bank.formats.gift.syntax import escape
from question_bank.formats.interface import Exported, Loss
from question_bank.formats.tags import to_tags
from question_bank.formats.text import without_control
from question_bank.kinds.matching import Matching
from question_bank.kinds.numeric import Numeric
from question_bank.kinds.open import OpenAnswer
from question_bank.kinds.short import ShortAnswer
from question_bank.question import Question


class _CannotHold(Exception):
    """GIFT has no way to write this; the message is a sentence."""


def write_questions(questions: Sequence[Question]) -> Exported:
    """The questions, by module and topic in categories."""
    parts: list[str] = []
    losses: list[Loss] = []
    written: list[str] = []
    place = ""
    for original in sorted(questions, key=lambda question: (question.module, question.topics[0])):
        write = _BODIES.get(original.kind)
        if write is None:
            message = f"A question of kind `{original.kind}` has no form in GIFT: it stays behind."
            losses.append(Loss(original.id, "question", message))
            continue
        own: list[Loss] = []
        question = sampled(original, own)
        try:
            answers = write(question, own)
        except _CannotHold as problem:
            losses.append(Loss(original.id, "question", f"It stays behind: {problem}"))
            continue
        losses += own
        category = f"$course$/top/{question.module}/{question.topics[0]}"
        if category != place:
            place = category
            parts.append(f"$CATEGORY: {place}\n")
        tags = " ".join(f"[tag:{tag}]" for tag in to_tags(question.meta))
        lines = [f"// [id:{question.id}] {tags}", f"::{question.id}::[markdown]{_text(question.prompt)}{{"]
        lines += [*answers, f"####{_formatted(joined_explanation(question))}", "}"]
        parts.append("\n".join(lines) + "\n")
        written.append(question.id)
    return Exported("\n".join(parts).encode(), tuple(written), tuple(losses))


def _text(text: str) -> str:
    return escape(without_control(text).strip())


def _formatted(text: str) -> str:
    """A text that is not taken to begin with a format."""
    written = _text(text)
    return f"[markdown]{written}" if written.startswith("[") else written


def _answer(mark: str, text: str, feedback: str) -> str:
    return f"{mark}{_formatted(text)}" + (f"#{_formatted(feedback)}" if feedback.strip() else "")


def _single(question: Question, losses: list[Loss]) -> list[str]:
    return [
        _answer("=" if o.right else "~%0%" if o.text.startswith("%") else "~", o.text, o.feedback)
        if not (o.right and o.text.startswith("%"))
        else _answer("=%100%", o.text, o.feedback)
        for o in question.options
    ]


def _multiple(question: Question, losses: list[Loss]) -> list[str]:
    share = f"{100 / sum(option.right for option in question.options):.5f}".rstrip("0").rstrip(".")
    return [_answer(f"~%{share}%" if o.right else f"~%-{share}%", o.text, o.feedback) for o in question.options]


def _true_false(question: Question, losses: list[Loss]) -> list[str]:
    right = next(option for option in question.options if option.right)
    wrong = next(option for option in question.options if not option.right)
    said = f"{right.text.upper()}#{_formatted(wrong.feedback)}#{_formatted(right.feedback)}"
    return [said.rstrip("#")]


def _short(question: Question, losses: list[Loss]) -> list[str]:
    assert isinstance(question.body, ShortAnswer)
    asked = question.body.answer
    forms = [*asked.accept, *(form for mistake in asked.mistakes for form in mistake.accept)]
    if any("->" in form for form in forms):
        raise _CannotHold("an answer with `->` would read as a pair.")
    if any(form.strip() == "*" for form in forms):
        raise _CannotHold("an answer that is a `*` would stand for any.")
    lose_patterns(question.id, asked, losses)
    if asked.case_sensitive:
        losses.append(Loss(question.id, "case_sensitive", "Capital letters don't count any more."))
    lines = [_plain("=%100%" if form.startswith("%") else "=", form, asked.feedback) for form in asked.accept]
    return lines + [_plain("=%0%", form, m.why) for m in asked.mistakes for form in m.accept]


def _plain(mark: str, form: str, feedback: str) -> str:
    written = _text(" ".join(form.split()))
    written = f"[plain]{written}" if written.startswith("[") else written
    return mark + written + (f"#{_formatted(feedback)}" if feedback.strip() else "")


def _numeric(question: Question, losses: list[Loss]) -> list[str]:
    assert isinstance(question.body, Numeric)
    asked = question.body.answer
    lose_percent(question.id, asked, losses)
    if asked.unit:
        losses.append(Loss(question.id, "unit", f"The unit {asked.unit} stays behind: say it in the prompt."))
    rows = [("=", asked.value, asked.feedback), *(("=%0%", m.value, m.why) for m in asked.mistakes)]
    lines = [
        f"{mark}{number(value)}:{number(asked.margin)}" + (f"#{_formatted(said)}" if said.strip() else "")
        for mark, value, said in rows
    ]
    return ["#", *lines]


def _matching(question: Question, losses: list[Loss]) -> list[str]:
    assert isinstance(question.body, Matching)
    body = question.body
    if any("->" in pair.left.text for pair in body.pairs):
        raise _CannotHold("a left side with `->` would end there.")
    if any(pair.feedback for pair in body.pairs) or any(other.feedback for other in body.distractors):
        losses.append(Loss(question.id, "feedback", "Feedback for single pairs stays behind."))
    lines = [f"={_formatted(pair.left.text)} -> {_formatted(pair.right.text)}" for pair in body.pairs]
    return lines + [f"= -> {_formatted(other.side.text)}" for other in body.distractors]


def _open(question: Question, losses: list[Loss]) -> list[str]:
    assert isinstance(question.body, OpenAnswer)
    losses.append(Loss(question.id, "rubric", "The rubric stays behind."))
    losses.append(Loss(question.id, "model answer", "The model answer stays behind."))
    return []


_BODIES: dict[str, Callable[[Question, list[Loss]], list[str]]] = {
    "single": _single,
    "multiple": _multiple,
    "true-false": _true_false,
    "short": _short,
    "numeric": _numeric,
    "matching": _matching,
    "open": _open,
}
CARRIED = frozenset(_BODIES)
