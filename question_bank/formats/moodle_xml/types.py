"""Moodle's types of questions, each turned into a kind, a prompt and a body."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from question_bank.body import Written
from question_bank.formats import bodies
from question_bank.formats.common import SAY_WHY, chosen_kind, numeric_fields, split_rubric, typed_fields
from question_bank.formats.moodle_xml.gaps import divided, read_gaps
from question_bank.formats.moodle_xml.texts import Reader, value_of
from question_bank.formats.safe_xml import Element

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Unreadable(Exception):
    """A question that can't be taken in; the message is a sentence."""


def _choice(element: Element, reader: Reader) -> tuple[str, str, Written]:
    options = [
        (bodies.Choice(reader.own_text(answer), False, reader.text("feedback", answer)), _fraction(answer))
        for answer in element.findall("answer")
    ]
    options = [(option, weight) for option, weight in options if option.text]
    one_only = (
        value_of(element, "single").lower() in ("true", "1", "yes")
        if element.find("single") is not None
        else None
    )
    if element.get("type") == "multichoiceset":
        reader.lost.append(("scoring", "It was all or nothing; now each right option earns its part."))
        one_only = False
        full = sum(weight > 0 for _, weight in options)
        options = [(option, 1 / full if weight > 0 else -1 / full) for option, weight in options]
    if not any(weight > 0 for _, weight in options):
        raise Unreadable("No option is right.")
    kind, chosen, lost = chosen_kind(options, one_only)
    reader.lost += lost
    return kind, reader.text("questiontext"), bodies.choices(chosen)


def _true_false(element: Element, reader: Reader) -> tuple[str, str, Written]:
    said = {
        value_of(answer, ".").lower(): (_fraction(answer) > 0, reader.text("feedback", answer))
        for answer in element.findall("answer")
    }
    if set(said) != {"true", "false"} or said["true"][0] == said["false"][0]:
        raise Unreadable("It needs the answers `true` and `false`, of which one is right.")
    written = bodies.true_false(said["true"][0], said["true"][1], said["false"][1])
    return "true-false", reader.text("questiontext"), written


def _short(element: Element, reader: Reader) -> tuple[str, str, Written]:
    accept: list[str] = []
    patterns: list[str] = []
    mistakes: list[tuple[str, str]] = []
    said: list[str] = []
    for answer in element.findall("answer"):
        text, feedback, worth = value_of(answer, "."), reader.text("feedback", answer), _fraction(answer)
        if text == "*":
            reader.lost.append(("feedback", "What is said of every other answer stays behind."))
        elif re.search(r"(?<!\\)\*", text):
            if worth >= 0.99999:
                patterns.append(_pattern(text))
            else:
                reader.lost.append(("mistakes", f"The wrong answer “{text[:40]}” with a `*` stays behind."))
        elif worth >= 0.99999:
            accept.append(text.replace(r"\*", "*"))
            said.append(feedback)
        else:
            if worth > 0:
                reader.lost.append(("fractions", f"“{text[:40]}” earned {worth:.0%}; now it counts as wrong."))
            mistakes.append((text.replace(r"\*", "*"), feedback or SAY_WHY))
    if patterns and not accept:
        accept.append(re.sub(r"(?<!\\)\*+", " ", value_of(element.find("answer"), ".")).strip() or "…")
    if not accept:
        raise Unreadable("No answer is right.")
    if len(set(said)) > 1:
        reader.lost.append(("feedback", "Right forms have different feedback; the first was kept."))
    fields = typed_fields(
        accept,
        mistakes,
        feedback=next((text for text in said if text), ""),
        case_sensitive=value_of(element, "usecase") == "1",
        patterns=patterns,
    )
    return "short", reader.text("questiontext"), bodies.answer(fields)


def _pattern(text: str) -> str:
    """A wildcard of Moodle as an RE2 expression."""
    return ".*".join(re.escape(part.replace(r"\*", "*")) for part in re.split(r"(?<!\\)\*+", text))


def _numerical(element: Element, reader: Reader) -> tuple[str, str, Written]:
    right: tuple[float, float, str] | None = None
    mistakes: list[tuple[float, str]] = []
    for answer in element.findall("answer"):
        text, feedback = value_of(answer, "."), reader.text("feedback", answer)
        if text == "*":
            reader.lost.append(("feedback", "What is said of every other answer stays behind."))
            continue
        value, tolerance = _number(text), _number(value_of(answer, "tolerance") or "0")
        if _fraction(answer) >= 0.99999 and right is None:
            right = (value, abs(tolerance), feedback)
        elif _fraction(answer) > 0:
            reader.lost.append(
                ("answers", f"The further right or partly right number {text[:40]} stays behind.")
            )
        else:
            mistakes.append((value, feedback or SAY_WHY))
    if right is None:
        raise Unreadable("No number is right.")
    units = []
    for unit in element.findall("units/unit"):
        if _number(value_of(unit, "multiplier") or "1") == 1:
            units.append(value_of(unit, "unit_name"))
        else:
            reader.lost.append(
                ("units", f"The unit {value_of(unit, 'unit_name')[:24]}, which is converted, stays behind.")
            )
    return (
        "numeric",
        reader.text("questiontext"),
        bodies.answer(numeric_fields(right[0], right[1], mistakes, right[2], units)),
    )


def _matching(element: Element, reader: Reader) -> tuple[str, str, Written]:
    pairs, spare = [], []
    for sub in element.findall("subquestion"):
        left, right = reader.own_text(sub), reader.plain(value_of(sub, "answer"))
        if left and right:
            pairs.append((left, right, ""))
        elif right:
            spare.append((right, ""))
    rights = {right for _, right, _ in pairs}
    return (
        "matching",
        reader.text("questiontext"),
        bodies.matching(pairs, [s for s in dict.fromkeys(spare) if s[0] not in rights]),
    )


def _ordering(element: Element, reader: Reader) -> tuple[str, str, Written]:
    answers = [(float(_raw_fraction(answer)), reader.own_text(answer)) for answer in element.findall("answer")]
    if len({place for place, _ in answers}) == len(answers):
        answers.sort(key=lambda answer: answer[0])
    if value_of(element, "selecttype").upper() not in ("", "0", "ALL"):
        reader.lost.append(("select", "It drew some of its items; now all are shown."))
    return "ordering", reader.text("questiontext"), bodies.ordering([(text, "") for _, text in answers])


def _essay(element: Element, reader: Reader) -> tuple[str, str, Written]:
    model, rubric = split_rubric(reader.text("graderinfo"))
    if not model:
        reader.lost.append(("model answer", "There is none in the file: write one."))
    if len(rubric) < 2:
        reader.lost.append(("rubric", "There is none in the file: say what a good answer has."))
    if value_of(element, "responsetemplate"):
        reader.lost.append(("responsetemplate", "The text that the answer starts with stays behind."))
    return "open", reader.text("questiontext"), bodies.open_answer(rubric, model)


def _cloze(element: Element, reader: Reader) -> tuple[str, str, Written]:
    text, gaps = reader.with_gaps(lambda source, plain: read_gaps(source, plain, reader.lost))
    if not gaps:
        raise Unreadable("There is no gap in its text.")
    prompt, rest = divided(text)
    return "cloze", prompt or "Fill in the gaps.", bodies.cloze(rest, gaps)


def _select_words(element: Element, reader: Reader) -> tuple[str, str, Written]:
    """Words dragged or selected into numbered places of a text: each place is a gap with the words of its group."""
    words = [
        (reader.plain(value_of(box, ".")), value_of(box, "group") or "1")
        for box in [*element.findall("selectoption"), *element.findall("dragbox")]
    ]
    text = reader.text("questiontext").replace("\\[", "[").replace("\\]", "]")
    gaps: dict[str, Any] = {}

    def gap(match: re.Match[str]) -> str:
        number = int(match[1])
        if not 1 <= number <= len(words):
            raise Unreadable(f"The place [[{number}]] has no word.")
        name, (right, group) = f"g{len(gaps) + 1}", words[number - 1]
        options = dict.fromkeys(word for word, other in words if other == group)
        if len(options) < 2:
            gaps[name] = typed_fields([right], [])
        else:
            kept = [right, *(word for word in options if word != right)][:8]
            gaps[name] = bodies.choice_gap([bodies.Choice(word, word == right) for word in kept])
        return f"[[?{name}]]"

    text = re.sub(r"\[\[(\d{1,2})\]\]", gap, text)
    if not gaps:
        raise Unreadable("There is no gap in its text.")
    return "cloze", "Fill in the gaps.", bodies.cloze(text, gaps)


def _fraction(answer: Element) -> float:
    try:
        return float(_raw_fraction(answer)) / 100
    except ValueError as error:
        raise Unreadable(f"An answer's fraction “{_raw_fraction(answer)[:20]}” is no number.") from error


def _raw_fraction(answer: Element) -> str:
    written = str(answer.get("fraction") or "0").strip()
    if not _NUMBER.fullmatch(written):
        raise Unreadable(f"An answer's fraction “{written[:20]}” is no number.")
    return written


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise Unreadable(f"“{text[:40]}” is no number.")
    return float(text)


TYPES: dict[str, Callable[[Element, Reader], tuple[str, str, Written]]] = {
    "multichoice": _choice,
    "multichoiceset": _choice,
    "truefalse": _true_false,
    "shortanswer": _short,
    "numerical": _numerical,
    "matching": _matching,
    "ddmatch": _matching,
    "ordering": _ordering,
    "essay": _essay,
    "cloze": _cloze,
    "gapselect": _select_words,
    "ddwtos": _select_words,
}
"""By the type's name in the file: what gives the kind, the prompt and the body. Each raises `Unreadable` or `BrokenGap`."""
