"""Writes questions as Moodle XML. All texts go along as Markdown, which Moodle shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from question_bank.formats.common import (
    joined_explanation,
    joined_rubric,
    lose_patterns,
    lose_percent,
    number,
    sampled,
)
from question_bank.formats.interface import Exported, Loss
from question_bank.formats.moodle_xml.gaps import flattens, joined
from question_bank.formats.tags import to_tags
from question_bank.formats.text import without_control
from question_bank.kinds.cloze import Cloze
from question_bank.kinds.matching import Matching
from question_bank.kinds.multiple import MultipleChoice
from question_bank.kinds.numeric import Numeric
from question_bank.kinds.open import OpenAnswer
from question_bank.kinds.ordering import Ordering
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.single import SingleChoice
from question_bank.kinds.true_false import TrueFalse
from question_bank.question import Question

_MAX_TAG = 50
"""Characters that Moodle keeps of a tag."""
_MAX_ID = 100
_TYPES = {
    "single": "multichoice",
    "multiple": "multichoice",
    "true-false": "truefalse",
    "numeric": "numerical",
    "short": "shortanswer",
    "matching": "matching",
    "ordering": "ordering",
    "cloze": "cloze",
    "open": "essay",
}


def write_questions(questions: Sequence[Question]) -> Exported:
    """The questions, by module and topic in categories."""
    quiz = Element("quiz")
    losses: list[Loss] = []
    written: list[str] = []
    place = ""
    for original in sorted(questions, key=lambda question: (question.module, question.topics[0])):
        if original.kind not in _TYPES:
            message = f"A question of kind `{original.kind}` has no counterpart in Moodle: it stays behind."
            losses.append(Loss(original.id, "question", message))
            continue
        question = sampled(original, losses)
        asked = joined(question.body, question.prompt) if isinstance(question.body, Cloze) else question.prompt
        if asked is None:
            message = "Its text has what Moodle takes for a gap, or for the end of the prompt: it stays behind."
            losses.append(Loss(original.id, "question", message))
            continue
        category = f"$course$/top/{original.module}/{original.topics[0]}"
        if category != place:
            place = category
            _text(SubElement(quiz, "question", type="category"), "category", place)
        element = SubElement(quiz, "question", type=_TYPES[question.kind])
        _common(element, question, asked)
        _BODIES[question.kind](element, question, losses)
        tags = SubElement(element, "tags")
        for tag in to_tags(question.meta):
            _text(tags, "tag", tag)
            if len(tag) > _MAX_TAG:
                message = f"Moodle keeps {_MAX_TAG} characters of the tag `{tag}`."
                losses.append(Loss(question.id, "tags", message))
        written.append(question.id)
    indent(quiz)
    data = b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(quiz, encoding="utf-8") + b"\n"
    return Exported(data, tuple(written), tuple(losses))


def _text(parent: Element, name: str, text: str, style: str = "", **attributes: str) -> Element:
    element = SubElement(parent, name, {**({"format": style} if style else {}), **attributes})
    SubElement(element, "text").text = without_control(text)
    return element


def _markdown(parent: Element, name: str, text: str, **attributes: str) -> Element:
    return _text(parent, name, text, "markdown", **attributes)


def _field(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text


def _common(element: Element, question: Question, asked: str) -> None:
    _text(element, "name", question.id)
    _markdown(element, "questiontext", asked)
    _markdown(element, "generalfeedback", joined_explanation(question))
    for name, value in (("defaultgrade", "1"), ("penalty", "0"), ("hidden", "0"), ("idnumber", question.id)):
        _field(element, name, value)


def _choice(element: Element, question: Question, losses: list[Loss]) -> None:
    rights = sum(option.right for option in question.options)
    share = f"{100 / rights:.5f}".rstrip("0").rstrip(".")
    several = isinstance(question.body, MultipleChoice)
    for name, value in (
        ("single", "false" if several else "true"),
        ("shuffleanswers", "true"),
        ("answernumbering", "abc"),
    ):
        _field(element, name, value)
    for option in question.options:
        fraction = share if option.right else f"-{share}" if several else "0"
        answer = _markdown(element, "answer", option.text, fraction=fraction)
        _markdown(answer, "feedback", option.feedback)


def _true_false(element: Element, question: Question, losses: list[Loss]) -> None:
    for option in question.options:
        style = "moodle_auto_format"
        answer = _text(element, "answer", option.text.lower(), style, fraction="100" if option.right else "0")
        _markdown(answer, "feedback", option.feedback)


def _short(element: Element, question: Question, losses: list[Loss]) -> None:
    assert isinstance(question.body, ShortAnswer)
    asked = question.body.answer
    lose_patterns(question.id, asked, losses)
    _field(element, "usecase", "1" if asked.case_sensitive else "0")
    for form in asked.accept:
        answer = _text(element, "answer", form.replace("*", r"\*"), "moodle_auto_format", fraction="100")
        _markdown(answer, "feedback", asked.feedback)
    for mistake in asked.mistakes:
        for form in mistake.accept:
            answer = _text(element, "answer", form.replace("*", r"\*"), "moodle_auto_format", fraction="0")
            _markdown(answer, "feedback", mistake.why)


def _numeric(element: Element, question: Question, losses: list[Loss]) -> None:
    assert isinstance(question.body, Numeric)
    asked = question.body.answer
    lose_percent(question.id, asked, losses)
    rows = [(asked.value, asked.feedback, "100"), *((m.value, m.why, "0") for m in asked.mistakes)]
    for value, said, fraction in rows:
        answer = _text(element, "answer", number(value), "moodle_auto_format", fraction=fraction)
        _markdown(answer, "feedback", said)
        _field(answer, "tolerance", number(asked.margin))
    if asked.unit:
        units = SubElement(element, "units")
        for name in (asked.unit, *asked.unit_aliases):
            unit = SubElement(units, "unit")
            _field(unit, "multiplier", "1")
            _field(unit, "unit_name", name)
    _field(element, "unitgradingtype", "0")
    _field(element, "unitpenalty", "0")
    _field(element, "showunits", "0" if asked.unit else "3")
    _field(element, "unitsleft", "0")


def _matching(element: Element, question: Question, losses: list[Loss]) -> None:
    assert isinstance(question.body, Matching)
    _field(element, "shuffleanswers", "true")
    for pair in question.body.pairs:
        sub = _markdown(element, "subquestion", pair.left.text)
        _text(sub, "answer", pair.right.text)
    for other in question.body.distractors:
        _text(_markdown(element, "subquestion", ""), "answer", other.side.text)
    if any(pair.feedback for pair in question.body.pairs) or any(o.feedback for o in question.body.distractors):
        losses.append(Loss(question.id, "feedback", "Feedback for single pairs stays behind."))


def _ordering(element: Element, question: Question, losses: list[Loss]) -> None:
    assert isinstance(question.body, Ordering)
    for name, value in (
        ("layouttype", "VERTICAL"),
        ("selecttype", "ALL"),
        ("selectcount", "0"),
        ("gradingtype", "RELATIVE_ALL_PREVIOUS_AND_NEXT"),
        ("showgrading", "SHOW"),
        ("numberingstyle", "none"),
    ):
        _field(element, name, value)
    items = question.body.items
    for place, item in enumerate(items, start=1):
        _markdown(element, "answer", item.text, fraction=str(place))
    if len({item.place for item in items}) < len(items):
        losses.append(Loss(question.id, "items", "Items that may be exchanged have one fixed order now."))
    if any(item.feedback for item in items):
        losses.append(Loss(question.id, "feedback", "Feedback for single items stays behind."))


def _cloze(element: Element, question: Question, losses: list[Loss]) -> None:
    assert isinstance(question.body, Cloze)
    losses.append(Loss(question.id, "gaps", "Gaps are numbered: their names stay behind."))
    for gap in question.body.gaps:
        where = f"gap {gap.name}: "
        if flattens(gap):
            losses.append(Loss(question.id, f"{where}line breaks", "They stay behind: a gap is one line."))
        if isinstance(gap.body, SingleChoice):
            continue
        if isinstance(gap.body, Numeric):
            lose_percent(question.id, gap.body.answer, losses, where)
            if gap.body.answer.unit:
                losses.append(Loss(question.id, f"{where}unit", "The unit stays behind."))
        else:
            lose_patterns(question.id, gap.body.answer, losses, where)


def _open(element: Element, question: Question, losses: list[Loss]) -> None:
    assert isinstance(question.body, OpenAnswer)
    _field(element, "responseformat", "editor")
    _field(element, "responserequired", "1")
    _field(element, "responsefieldlines", "15")
    _field(element, "attachments", "0")
    _markdown(element, "graderinfo", joined_rubric(question.body))


_BODIES: dict[str, Callable[[Element, Question, list[Loss]], None]] = {
    SingleChoice.name: _choice,
    MultipleChoice.name: _choice,
    TrueFalse.name: _true_false,
    ShortAnswer.name: _short,
    Numeric.name: _numeric,
    Matching.name: _matching,
    Ordering.name: _ordering,
    Cloze.name: _cloze,
    OpenAnswer.name: _open,
}
