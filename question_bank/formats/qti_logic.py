"""The response processing of items that are exported: declarations, conditions and outcomes, as elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from question_bank.formats.qti_tree import Element, make

SCORE = "SCORE"
FEEDBACK = "FEEDBACK"
SOLUTION = "SOLUTION"
"""The outcome that shows the explanation and the references, whatever the answer was."""
RESPONSE = "RESPONSE"


def response(
    identifier: str, base_type: str, cardinality: str, correct: Sequence[str] = (), *mapping: Element
) -> Element:
    """The declaration of what a learner answers, with the right answer."""
    declared = make(
        "responseDeclaration", {"identifier": identifier, "cardinality": cardinality, "baseType": base_type}
    )
    if correct:
        declared.append(make("correctResponse", None, *(make("value", None, value) for value in correct)))
    declared.extend(mapping)
    return declared


def mapping(
    entries: Iterable[tuple[str, float]],
    *,
    lower: float | None = None,
    upper: float | None = None,
    case_sensitive: bool | None = None,
) -> Element:
    """What parts of an answer are worth; `case_sensitive` only for texts."""
    attributes = {"defaultValue": "0"}
    if lower is not None:
        attributes["lowerBound"] = number(lower)
    if upper is not None:
        attributes["upperBound"] = number(upper)
    made = make("mapping", attributes)
    for key, value in entries:
        entry = make("mapEntry", {"mapKey": key, "mappedValue": number(value)})
        if case_sensitive is not None:
            entry.set("caseSensitive", "true" if case_sensitive else "false")
        made.append(entry)
    return made


def outcome(
    identifier: str, base_type: str, cardinality: str = "single", default: str | None = None
) -> Element:
    """The declaration of what processing gives."""
    declared = make(
        "outcomeDeclaration", {"identifier": identifier, "cardinality": cardinality, "baseType": base_type}
    )
    if default is not None:
        declared.append(make("defaultValue", None, make("value", None, default)))
    return declared


def score_outcomes(*, by_hand: bool = False) -> list[Element]:
    """The declarations of the score, from 0 to 1."""
    score = outcome(SCORE, "float", default="0")
    score.set("normalMinimum", "0")
    score.set("normalMaximum", "1")
    if by_hand:
        score.set("externalScored", "human")
    return [score, outcome("MAXSCORE", "float", default="1")]


def variable(identifier: str) -> Element:
    """The value of a response or an outcome."""
    return make("variable", {"identifier": identifier})


def correct(identifier: str) -> Element:
    """The right answer of a response."""
    return make("correct", {"identifier": identifier})


def value(base_type: str, text: str) -> Element:
    """A constant."""
    return make("baseValue", {"baseType": base_type}, text)


def call(operator: str, *operands: Element, **attributes: str) -> Element:
    """An operator such as `match` or `divide` on its operands."""
    return make(operator, attributes, *operands)


def setting(identifier: str, expression: Element) -> Element:
    """Sets an outcome."""
    return make("setOutcomeValue", {"identifier": identifier}, expression)


def when(cases: Sequence[tuple[Element, Sequence[Element]]], otherwise: Sequence[Element] = ()) -> Element:
    """A condition: the first case that holds, and what is done then."""
    made = make("responseCondition")
    for index, (holds, rules) in enumerate(cases):
        made.append(make("responseElseIf" if index else "responseIf", None, holds, *rules))
    if otherwise:
        made.append(make("responseElse", None, *otherwise))
    return made


def modal(outcome_identifier: str, identifier: str, content: Sequence[Element], title: str = "") -> Element:
    """A text that is shown after the answer when an outcome has, or contains, an identifier."""
    attributes = {"outcomeIdentifier": outcome_identifier, "identifier": identifier, "showHide": "show"}
    if title:
        attributes["title"] = title
    return make("modalFeedback", attributes, *content)


def number(amount: float) -> str:
    """A number as XML Schema writes it, without losing any of it."""
    return str(int(amount)) if amount == int(amount) and abs(amount) < 1e15 else repr(float(amount))
