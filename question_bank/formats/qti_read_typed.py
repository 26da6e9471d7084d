"""Imports fields that are typed or chosen within a text: numbers, words, inline choices."""

from __future__ import annotations

import re
from typing import Any

from question_bank.formats import bodies
from question_bank.formats.bodies import Choice
from question_bank.formats.qti_reading import CannotRead, Reading
from question_bank.formats.qti_rules import Comment, Moment
from question_bank.formats.qti_tree import Element, every, line_text
from question_bank.kinds.numeric import NumericAnswer
from question_bank.kinds.typed import Forms, TypedAnswer

_NUMBERS = ("float", "integer")


def field_of(reading: Reading, interaction: Element, unit: str = "") -> dict[str, Any]:
    """A field as a gap of a text is described: with `choices`, `value` or `accept`."""
    response = interaction.get("responseIdentifier", "")
    if interaction.tag == "inlineChoiceInteraction":
        return _choice(reading, interaction, response)
    _, comments = reading.split(response, [])
    if reading.declaration(response).get("baseType") in _NUMBERS:
        return _number(reading, response, comments, unit)
    return _text(reading, response, comments)


def _choice(reading: Reading, interaction: Element, response: str) -> dict[str, Any]:
    named = {choice.get("identifier", ""): choice for choice in every(interaction, "inlineChoice")}
    comments, others = reading.split(response, named)
    reading.general(others)
    right = [name for name in reading.correct(response) if name in named]
    if not right:
        worth = {name: value for name, value in reading.mapping(response).items() if name in named}
        right = [name for name, value in worth.items() if value > 0 and value == max(worth.values())]
    if len(right) != 1:
        raise CannotRead(f"It doesn't say which choice of `{response}` is right.")
    return bodies.choice_gap(
        [Choice(line_text(choice), name in right, comments.get(name, "")) for name, choice in named.items()]
    )


def _number(reading: Reading, response: str, comments: list[Comment], unit: str) -> dict[str, Any]:
    value, margin, percent = _target(reading, response)
    fields: dict[str, Any] = {"value": _whole(value)}
    if margin:
        fields["tolerance"] = _whole(margin)
    if percent:
        fields["tolerance_percent"] = _whole(percent)
    if unit and re.fullmatch(r"[^\d\s].{0,23}", unit):
        fields["unit"] = unit
    elif unit:
        reading.lose("unit", f"“{unit[:60]}” can't be a unit: left out.")
    _say(reading, fields, comments, lambda test: _wrong_number(reading, fields, test))
    return fields


def _target(reading: Reading, response: str) -> tuple[float, float, float]:
    """The right number, and by how much, or by how many percent, an answer may be off."""
    given = reading.correct(response)
    value = _float(given[0]) if given else None
    margin = percent = 0.0
    tests = reading.rules.scoring_tests(response, "equal", "equalRounded", "gte", "lte", "gt", "lt")
    bounds: list[float] = []
    for test in tests:
        meant = _float(next((line_text(base) for base in every(test, "baseValue")), ""))
        if test.tag == "equal":
            value = meant if value is None else value
            if meant not in (None, value):
                continue
            amounts = [abs(amount) for part in test.get("tolerance", "").split() if (amount := _float(part))]
            if len(set(amounts)) > 1:
                reading.lose("answer", "The tolerance differs above and below: the larger one was taken.")
            if test.get("toleranceMode") == "relative":
                percent = max([percent, *amounts])
            elif test.get("toleranceMode") == "absolute":
                margin = max([margin, *amounts])
        elif test.tag == "equalRounded":
            figures = _float(test.get("figures", ""))
            if test.get("roundingMode") == "decimalPlaces" and figures is not None:
                margin = max(margin, 0.5 * 10 ** -min(abs(figures), 15))
            reading.lose("answer", "Answers are rounded there before they are compared: check the tolerance.")
        elif meant is not None:
            bounds.append(meant)
    if len(bounds) == 2 and bounds[0] != bounds[1]:
        middle, half = (bounds[0] + bounds[1]) / 2, abs(bounds[0] - bounds[1]) / 2
        if value is None or abs(value - middle) > half:
            value = middle
        margin = max(margin, abs(bounds[0] - value), abs(bounds[1] - value))
    if value is None:
        worth = reading.mapping(response)
        keys = [_float(key) for key, amount in worth.items() if amount > 0 and amount == max(worth.values())]
        value = next((key for key in keys if key is not None), None)
    if value is None:
        raise CannotRead(f"It doesn't say which number is right for `{response}`.")
    if percent > 50:
        reading.lose("answer", f"A tolerance of {percent:g} % is too large: 50 % was taken.")
    return value, margin, min(percent, 50.0)


def _wrong_number(reading: Reading, fields: dict[str, Any], test: Element) -> dict[str, Any] | None:
    """The number that a test asks for, as the beginning of a foreseen mistake; nothing in it when it is right."""
    values = [_float(line_text(base)) for base in every(test, "baseValue")]
    if test.tag not in ("equal", "match", "equalRounded") or len(values) != 1 or values[0] is None:
        return None
    known = {key: fields[key] for key in ("value", "tolerance", "tolerance_percent") if key in fields}
    return {} if NumericAnswer(**known).accepts(values[0]) else {"value": _whole(values[0])}


def _text(reading: Reading, response: str, comments: list[Comment]) -> dict[str, Any]:
    worth = reading.mapping(response)
    most = max(worth.values(), default=0.0)
    forms = reading.correct(response)
    forms += [form for form, value in worth.items() if value > 0 and value == most]
    if partly := [form for form, value in worth.items() if 0 < value < most and form not in forms]:
        reading.lose("score", f"Worth a part of the points there, nothing here: {', '.join(partly)[:200]}.")
    sensitive = {
        entry.get("caseSensitive", "true") for entry in every(reading.declaration(response), "mapEntry")
    }
    patterns = []
    for test in reading.rules.scoring_tests(response, "stringMatch", "match", "patternMatch", "substring"):
        if test.tag == "patternMatch":
            patterns.append(test.get("pattern", ""))
        elif test.tag == "substring":
            reading.lose("answer", "Answers that only contain the right words count there, but not here.")
        else:
            forms += [line_text(base) for base in every(test, "baseValue")]
            sensitive.add(test.get("caseSensitive", "true"))
    if len(sensitive) > 1:
        reading.lose("answer", "Capital letters count for some wordings there: here they don't.")
    fields: dict[str, Any] = {"accept": [form for form in dict.fromkeys(forms) if form.strip()]}
    if not fields["accept"]:
        raise CannotRead(f"It doesn't say which text is right for `{response}`.")
    if kept := _patterns(reading, patterns):
        fields["patterns"] = kept
    if sensitive <= {"true"}:
        fields["case_sensitive"] = True
    _say(reading, fields, comments, lambda test: _wrong_text(reading, fields, test))
    return fields


def _wrong_text(reading: Reading, fields: dict[str, Any], test: Element) -> dict[str, Any] | None:
    """The texts that a test asks for, as the beginning of a foreseen mistake; nothing in it when all are right."""
    right = TypedAnswer(**fields)
    texts = [line_text(base) for base in test.iter("baseValue")]
    found: dict[str, Any] = {}
    if accept := [text for text in dict.fromkeys(texts) if text and not right.accepts(text)]:
        found["accept"] = accept
    asked = [each.get("pattern", "") for each in test.iter() if each.tag == "patternMatch"]
    if patterns := _patterns(reading, list(dict.fromkeys(asked))):
        found["patterns"] = patterns
    return found if found or texts else None


def _patterns(reading: Reading, patterns: list[str]) -> list[str]:
    kept = []
    for pattern in patterns:
        try:
            Forms(patterns=(pattern,))
        except ValueError:
            reading.lose("patterns", f"`{pattern[:100]}` can't be read as a pattern here: left out.")
        else:
            kept.append(pattern)
    return kept


def _say(reading: Reading, fields: dict[str, Any], comments: list[Comment], wrong: Any) -> None:
    """What is said about answers: praise, foreseen mistakes, and the rest for the explanation."""
    praise, mistakes, others = [], [], []
    for comment in comments:
        start = wrong(comment.test) if comment.moment is Moment.ANSWER and comment.test is not None else None
        if comment.moment is Moment.RIGHT or start == {}:
            praise.append(reading.text(comment.text, "feedback"))
        elif start and comment.text.text:
            mistakes.append({**start, "why": reading.text(comment.text, "mistakes")})
        else:
            others.append(comment)
    if said := "\n\n".join(dict.fromkeys(text for text in praise if text)):
        fields["feedback"] = said
    if mistakes:
        fields["mistakes"] = mistakes[:12]
    if len(mistakes) > 12:
        reading.lose("mistakes", f"Only 12 of {len(mistakes)} foreseen mistakes were kept.")
    reading.general(others)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= 1e15 else None


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value
