"""Imports what is typed, and texts with gaps, from QTI 1.2."""

from __future__ import annotations

import html
import re
from typing import Any

from question_bank.formats import bodies, markup
from question_bank.formats.bodies import Choice
from question_bank.formats.qti12_comments import Comments
from question_bank.formats.qti12_item import Item, Rule, Test
from question_bank.formats.qti_reading import CannotRead
from question_bank.formats.qti_tree import Element, line_text
from question_bank.kinds.numeric import NumericAnswer
from question_bank.kinds.typed import TypedAnswer

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_DOWN = ("vargte", "vargt")
_UP = ("varlte", "varlt")


def text_answer(item: Item, response: str, said: Comments) -> dict[str, Any]:
    """The fields of a short answer. Raises `CannotRead` when the item doesn't say what is right."""
    rules = item.scoring(response)
    tests = [
        test
        for rule in rules
        for test in rule.tests
        if test.response == response and not test.negated and test.value
    ]
    if any(test.operator in ("varsubstring", "varsubset") for test in tests):
        item.lose("answer", "Answers that only contain the right words count there, but not here.")
    forms = list(dict.fromkeys(test.value for test in tests if test.operator not in _DOWN + _UP))
    if not forms:
        raise CannotRead("It doesn't say which text is right.")
    if len({rule.points for rule in rules}) > 1:
        item.lose("score", "Some answers are worth a part of the points there: here each of them earns all.")
    fields: dict[str, Any] = {"accept": forms[:30]}
    if len(forms) > 30:
        item.lose("answer", f"Only 30 of {len(forms)} accepted wordings were kept.")
    if all(test.case_sensitive for test in tests):
        fields["case_sensitive"] = True
    own = [said.of(response, form) for form in forms]
    _feedback(item, fields, said, own)
    right = TypedAnswer(**fields)
    mistakes = [
        {"accept": [answer], "why": why}
        for (about, answer), why in said.by_answer.items()
        if about == response and not answer.startswith("not ") and not right.accepts(answer)
    ]
    _mistakes(item, fields, mistakes)
    return fields


def number_answer(item: Item, response: str, said: Comments) -> dict[str, Any]:
    """The fields of a number with its tolerance. Raises `CannotRead` when the item doesn't say what is right."""
    rules = item.scoring(response)
    if not rules:
        raise CannotRead("It doesn't say which number is right.")
    targets = [target for rule in rules for target in _targets(item, rule, response)]
    if not targets:
        raise CannotRead("It doesn't say which number is right.")
    first = targets[0][0]
    value, margin = max(
        (target for target in targets if abs(target[0] - first) <= target[1] or target[0] == first),
        key=lambda target: target[1],
    )
    if others := [f"{other:g}" for other, _ in targets if abs(other - value) > margin]:
        item.lose("answer", f"Other numbers count as right there: {', '.join(dict.fromkeys(others))[:200]}.")
    fields: dict[str, Any] = {"value": whole(value)}
    if margin:
        fields["tolerance"] = whole(margin)
    right = NumericAnswer(**fields)
    own, mistakes = [], []
    for (about, answer), why in said.by_answer.items():
        amount = number(answer)
        if about != response or amount is None:
            continue
        if right.accepts(amount):
            own.append(why)
        else:
            mistakes.append({"value": whole(amount), "why": why})
    _feedback(item, fields, said, own)
    _mistakes(item, fields, mistakes)
    return fields


def _feedback(item: Item, fields: dict[str, Any], said: Comments, own: list[str]) -> None:
    praise = "\n\n".join(dict.fromkeys(text for text in [said.right, *own] if text))
    if praise:
        fields["feedback"] = praise
    if said.wrong:
        said.always.append(said.wrong)
        item.lose(
            "feedback", "The text for wrong answers was put into the explanation, which follows every answer."
        )


def _mistakes(item: Item, fields: dict[str, Any], mistakes: list[dict[str, Any]]) -> None:
    if mistakes:
        fields["mistakes"] = mistakes[:12]
    if len(mistakes) > 12:
        item.lose("mistakes", f"Only 12 of {len(mistakes)} foreseen mistakes were kept.")


def _targets(item: Item, rule: Rule, response: str) -> list[tuple[float, float]]:
    """The numbers that a condition rewards, each with its tolerance."""
    tests = [test for test in rule.tests if test.response == response and not test.negated]
    exact = [
        amount for test in tests if test.operator == "varequal" and (amount := number(test.value)) is not None
    ]
    low, high = _bound(tests, _DOWN), _bound(tests, _UP)
    if low is None or high is None or low > high:
        return [(value, 0.0) for value in exact]
    if any(test.operator in ("vargt", "varlt") for test in tests):
        item.lose("answer", "A bound that doesn't count as right there does so here.")
    value = exact[0] if exact and low <= exact[0] <= high else round((low + high) / 2, 12)
    above, below = round(high - value, 12), round(value - low, 12)
    if abs(above - below) > 1e-9 * max(1.0, abs(value)):
        item.lose("answer", "The tolerance differs above and below: the larger one was taken.")
    return [(value, max(above, below))]


def _bound(tests: list[Test], operators: tuple[str, ...]) -> float | None:
    found = [
        amount for test in tests if test.operator in operators and (amount := number(test.value)) is not None
    ]
    return found[0] if found else None


def gaps(item: Item, said: Comments, *, chosen: bool) -> tuple[str, dict[str, dict[str, Any]]]:
    """A text with `[name]` marks or with fields at its end, and its gaps; `chosen` says that their labels are choices."""
    text = item.text(item.prompt, "text")
    found: dict[str, dict[str, Any]] = {}
    for place, response in enumerate(item.responses, start=1):
        ident = response.get("ident", "")
        written = line_text(response.find("material")) or ident.removeprefix("response_")
        name = _gap_name(written, found, place)
        found[name] = _gap(item, response, said, chosen=chosen)
        labels = dict.fromkeys((ident.removeprefix("response_"), written))
        signs = "|".join(
            re.escape(markup.from_plain(label)) + "|" + re.escape(label) for label in labels if label
        )
        marks = re.compile(rf"\\?\[{{1,2}}(?:{signs})\\?\]{{1,2}}")
        if marks.search(text):
            text = marks.sub(lambda _, mark=f"[[?{name}]]": mark, text, count=1)  # type: ignore[misc]
            text = marks.sub(name, text)
        else:
            text = f"{text}\n\n{name}: [[?{name}]]"
            item.lose("text", f"The place of the gap `{name}` isn't marked: it stands at the end.")
    return text, found


def _gap(item: Item, response: Element, said: Comments, *, chosen: bool) -> dict[str, Any]:
    ident = response.get("ident", "")
    labels = item.labels(response)
    if not labels or response.tag in ("response_str", "response_num"):
        return text_answer(item, ident, said)
    right = [
        test.value
        for rule in item.scoring(ident)
        for test in rule.tests
        if test.response == ident and not test.negated and test.operator == "varequal"
    ]
    if chosen:
        if not right:
            raise CannotRead(f"It doesn't say what belongs into the gap `{ident}`.")
        return bodies.choice_gap(
            [
                Choice(item.text(label.text, "text"), label.ident == right[0], said.of(ident, label.ident))
                for label in labels
            ]
        )
    forms = list(dict.fromkeys(text for label in labels if (text := _plain(label.text.text))))
    if not forms:
        raise CannotRead(f"It doesn't say what belongs into the gap `{ident}`.")
    fields: dict[str, Any] = {"accept": forms[:30]}
    praise = "\n\n".join(dict.fromkeys(text for label in labels if (text := said.of(ident, label.ident))))
    if praise:
        fields["feedback"] = praise
    return fields


def _plain(text: str) -> str:
    """An accepted wording without what Markdown needed."""
    return " ".join(html.unescape(re.sub(r"\\([\\`*_\[\]<>#+.)=~-])", r"\1", text)).split())


def _gap_name(written: str, taken: dict[str, dict[str, Any]], place: int) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", written.casefold()).strip("_")
    return name if _NAME.fullmatch(name) and name not in taken else f"gap{place}"


def number(text: str) -> float | None:
    """A number in a file; None for what is none."""
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if abs(value) <= 1e15 else None


def whole(value: float) -> int | float:
    """6 in place of 6.0."""
    return int(value) if value == int(value) else value
