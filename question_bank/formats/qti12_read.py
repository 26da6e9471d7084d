"""Reads one item of QTI 1.2 into the parts of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from question_bank.body import Written
from question_bank.formats import bodies, qti12_fields
from question_bank.formats.bodies import Choice
from question_bank.formats.intake import Incoming
from question_bank.formats.qti12_calculated import calculated
from question_bank.formats.qti12_comments import Comments, comments
from question_bank.formats.qti12_item import Item, Label, Rule
from question_bank.formats.qti_read import FILL_IN
from question_bank.formats.qti_reading import CannotRead, usable
from question_bank.formats.qti_tree import Element, every
from question_bank.kinds.true_false import WORDS

Found = tuple[str, Written]
"""A kind, and its own parts."""

_NOTHING_ASKED = ("text_only", "stimulus")
_STRANGE = {"file_upload": "asks for a file", "hot_spot": "asks for a place in an image"}


def item(element: Element, path: str) -> Incoming:
    """The question in an item. Raises `CannotRead` when it has no form in question files."""
    found = Item(element)
    sort = found.sort
    if sort in _STRANGE:
        raise CannotRead(f"It {_STRANGE[sort]}, which no kind of question does here.")
    if sort in _NOTHING_ASKED or not found.responses:
        raise CannotRead("It asks nothing: it is a text alone.")
    reader = _READERS.get(sort) or _by_structure(found)
    said = comments(found)
    kind, written = reader(found, said)
    prompt = FILL_IN if kind == "cloze" else found.text(found.prompt, "prompt")
    if "parameters" in written.front:
        prompt = calculated_prompt(prompt, written)
    title = element.get("title", "") or element.get("label", "")
    points = found.about.get("points_possible", "")
    if points and qti12_fields.number(points) not in (1.0, None):
        found.lose("score", f"It is worth {points} points there: here an exam says what a question is worth.")
    if not prompt:
        found.lose("prompt", "It has none: its title stands for it.")
    return Incoming(
        title=title if title.casefold() not in ("", "question") else prompt,
        kind=kind,
        prompt=prompt or title or element.get("ident", ""),
        written=written,
        explanation="\n\n".join(dict.fromkeys(said.always)),
        line=getattr(element, "line", 1),
        path=path,
        lost=tuple(dict.fromkeys(found.lost)),
    )


def calculated_prompt(prompt: str, written: Written) -> str:
    """The prompt with `{{x}}` for `[x]`."""
    for name in written.front.get("parameters", {}):
        for sign in (f"[{name}]", f"\\[{name}\\]"):
            prompt = prompt.replace(sign, f"{{{{{name}}}}}")
    return prompt


def _choice(item: Item, said: Comments) -> Found:
    response = _only(item)
    ident, labels = response.get("ident", ""), item.labels(response)
    several = (
        response.get("rcardinality", "Single").casefold() == "multiple" or "multiple_" in f"{item.sort}_"[:16]
    )
    several = several and item.sort not in ("multiple_choice", "true_false")
    worth = _worth(item, ident)
    best = max(worth.values(), default=0.0)
    right = {name for name, points in worth.items() if points > 0 and (several or points == best)}
    right &= {label.ident for label in labels}
    if not right:
        raise CannotRead("It doesn't say which choice is right.")
    if not several and any(0 < points < best for points in worth.values()):
        item.lose("score", "Some choices are worth a part of the points there: here one earns all.")
    if several and len(item.scoring(ident)) == 1 and item.sort != "multiple_answers":
        item.lose("score", "It is all or nothing there: here each right choice earns a share.")
    options = [_option(item, label, said, ident, right, several=several) for label in labels]
    if several:
        for text in (said.right, said.wrong):
            _into_explanation(item, said, text)
    texts = sorted(option.text.casefold() for option in options)
    if not several and texts == sorted(word.casefold() for word in WORDS):
        true, false = sorted(options, key=lambda option: option.text.casefold() != "true")
        return "true-false", bodies.true_false(true.right, true.feedback, false.feedback)
    return ("multiple" if several else "single"), bodies.choices(usable(options, item.lose))


def _option(item: Item, label: Label, said: Comments, ident: str, right: set[str], *, several: bool) -> Choice:
    is_right = label.ident in right
    shared = "" if several else (said.right if is_right else said.wrong)
    return Choice(item.text(label.text, "options"), is_right, said.of(ident, label.ident) or shared)


def _worth(item: Item, ident: str) -> dict[str, float]:
    """What choosing each label brings, at the most."""
    worth: dict[str, float] = {}
    for rule in item.rules:
        for test in rule.tests:
            if rule.points is not None and test.response == ident and not test.negated:
                worth[test.value] = max(rule.points, worth.get(test.value, rule.points))
    return worth


def _short(item: Item, said: Comments) -> Found:
    if len(item.responses) > 1:
        return _blanks(item, said)
    return "short", bodies.answer(qti12_fields.text_answer(item, _only(item).get("ident", ""), said))


def _number(item: Item, said: Comments) -> Found:
    return "numeric", bodies.answer(qti12_fields.number_answer(item, _only(item).get("ident", ""), said))


def _calculated(item: Item, said: Comments) -> Found:
    return "numeric", calculated(item, said)


def _essay(item: Item, said: Comments) -> Found:
    _into_explanation(item, said, said.right)
    _into_explanation(item, said, said.wrong)
    item.lose("rubric", "It has no criteria: write them before the question is used.")
    if not said.model_answer:
        item.lose("model answer", "It has none: write one before the question is used.")
    return "open", bodies.open_answer([], said.model_answer)


def _blanks(item: Item, said: Comments) -> Found:
    return "cloze", bodies.cloze(*qti12_fields.gaps(item, said, chosen=False))


def _dropdowns(item: Item, said: Comments) -> Found:
    return "cloze", bodies.cloze(*qti12_fields.gaps(item, said, chosen=True))


def _matching(item: Item, said: Comments) -> Found:
    pairs, used, offered = [], set(), {}
    for response in item.responses:
        ident = response.get("ident", "")
        left = item.text(item.own_text(response), "pairs")
        labels = {label.ident: item.text(label.text, "pairs") for label in item.labels(response)}
        offered.update(labels)
        right = [name for name in _rewarded(item.scoring(ident), ident) if name in labels]
        if not left:
            item.lose("pairs", "A left side without text was left out.")
            continue
        if not right or not labels[right[0]]:
            item.lose("pairs", f"“{left[:60]}” has no partner, which can't be stored: left out.")
            continue
        text = said.of(ident, right[0], f"not {right[0]}")
        pairs.append((left, labels[right[0]], text))
        used.add(labels[right[0]])
    _into_explanation(item, said, said.wrong)
    _into_explanation(item, said, said.right)
    spare = [(text, "") for text in dict.fromkeys(offered.values()) if text and text not in used]
    return "matching", bodies.matching(pairs, spare)


def _categories(item: Item, said: Comments) -> Found:
    """Things to put into categories, as pairs of a thing and its category."""
    pairs, placed, things = [], set(), {}
    for response in item.responses:
        ident = response.get("ident", "")
        category = item.text(item.own_text(response), "pairs")
        labels = {label.ident: item.text(label.text, "pairs") for label in item.labels(response)}
        things.update(labels)
        for name in _rewarded(item.scoring(ident), ident):
            if name in labels:
                pairs.append((labels[name], category, ""))
                placed.add(name)
    for text in (text for name, text in things.items() if name not in placed):
        item.lose("pairs", f"“{text[:60]}” belongs to no category, which can't be stored: left out.")
    for said_too in (said.right, said.wrong):
        _into_explanation(item, said, said_too)
    return "matching", bodies.matching(pairs)


def _ordering(item: Item, said: Comments) -> Found:
    response = _only(item)
    ident = response.get("ident", "")
    labels = {label.ident: item.text(label.text, "items") for label in item.labels(response)}
    order = next((_rewarded([rule], ident) for rule in item.scoring(ident)), [])
    if sorted(order) != sorted(labels):
        raise CannotRead("It doesn't give one right order of all its items.")
    for text in (said.right, said.wrong):
        _into_explanation(item, said, text)
    item.lose("score", "It is all or nothing there: here each pair of items earns a share.")
    return "ordering", bodies.ordering([(labels[name], said.of(ident, name)) for name in order])


def _rewarded(rules: list[Rule], ident: str) -> list[str]:
    """What a response has to be for points, each once."""
    tests = [test for rule in rules for test in rule.tests if test.response == ident and not test.negated]
    return list(dict.fromkeys(test.value for test in tests if test.operator in ("varequal", "varsubset")))


def _into_explanation(item: Item, said: Comments, text: str) -> None:
    if text and text not in said.always:
        said.always.append(text)
        item.lose(
            "feedback", "A text for some answers only was put into the explanation, which follows every answer."
        )


def _only(item: Item) -> Element:
    if len(item.responses) != 1:
        raise CannotRead(f"It asks {len(item.responses)} questions at once: split it.")
    return item.responses[0]


_Reader = Callable[[Item, Comments], Found]
_READERS: Mapping[str, _Reader] = {
    "multiple_choice": _choice,
    "true_false": _choice,
    "multiple_answers": _choice,
    "multiple_response": _choice,
    "short_answer": _short,
    "fib": _short,
    "pattern_match": _short,
    "numerical": _number,
    "calculated": _calculated,
    "essay": _essay,
    "matching": _matching,
    "categorization": _categories,
    "fill_in_multiple_blanks": _blanks,
    "multiple_dropdowns": _dropdowns,
    "ordering": _ordering,
}


def _by_structure(item: Item) -> _Reader:
    """How to read an item that doesn't say what it is. Raises `CannotRead`."""
    tags = {response.tag for response in item.responses}
    if strange := tags & {"response_xy", "response_grp"}:
        raise CannotRead(f"What it asks with `{min(strange)}` has no form in question files.")
    if every(item.element, "calculated"):
        return _calculated
    first = item.responses[0]
    cardinality = first.get("rcardinality", "Single").casefold()
    if tags == {"response_lid"} and every(first, "response_label"):
        if len(item.responses) > 1:
            return _matching
        return _ordering if cardinality == "ordered" else _choice
    kinds = {part.get("fibtype", "String").casefold() for part in every(item.element, "render_fib")}
    is_number = tags == {"response_num"} or kinds & {"integer", "decimal", "scientific"}
    if is_number and len(item.responses) == 1:
        return _number
    return _short if item.scoring() else _essay
