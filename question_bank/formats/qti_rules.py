"""What an item's response processing says: which answer is right, how near it has to come, and what is said about which
answer. Processing is not run; it is looked through for what question files can hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from question_bank.formats.markup import Taken
from question_bank.formats.qti_markup import from_element
from question_bank.formats.qti_tree import Element, every, line_text

_TEXTS = ("modalFeedback", "feedbackBlock", "feedbackInline")
_BRANCHES = ("responseIf", "responseElseIf", "responseElse")
_IGNORED = ("isNull",)


class Moment(StrEnum):
    """When a text is shown."""

    RIGHT = "right"
    WRONG = "wrong"
    ANSWER = "answer"
    """For the answers in `Comment.answers`, or those that meet its test."""
    ALWAYS = "always"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Comment:
    """A text that follows an answer."""

    identifier: str
    moment: Moment
    text: Taken
    answers: tuple[str, ...] = ()
    test: Element | None = None


@dataclass(frozen=True, slots=True)
class _Guard:
    """One outcome that is set, and on what condition."""

    outcome: str
    expression: Element
    test: Element | None
    otherwise: bool = False


class Rules:
    """The response processing of an item."""

    def __init__(self, item: Element) -> None:
        self._item = item
        self._processing = [part for part in item if part.tag == "responseProcessing"]

    @cached_property
    def template(self) -> str:
        """The name of the standard template that is used, such as `match_correct`; empty when there is none."""
        named = next((part.get("template", "") for part in self._processing), "")
        return named.rpartition("/")[2].removesuffix(".xml").casefold().replace("cc2_", "").strip()

    @cached_property
    def guards(self) -> list[_Guard]:
        """Every outcome that is set, in the order of the file."""
        return [guard for part in self._processing for guard in _guards(part, None)]

    def maps(self, response: str) -> bool:
        """Whether the score comes from the worth of parts of an answer, rather than from all or nothing."""
        if self.template:
            return "map_response" in self.template
        return any(m.get("identifier") == response for p in self._processing for m in every(p, "mapResponse"))

    def scoring_tests(self, response: str, *operators: str) -> list[Element]:
        """The operators on a response that lead to a score."""
        return [
            operator
            for guard in self.guards
            if guard.test is not None and not guard.otherwise and _is_score(guard)
            for operator in guard.test.iter()
            if operator.tag in operators and _mentions(operator, response)
        ]

    def comments(self, response: str) -> list[Comment]:
        """The texts about the answer to one response, in the order of the file."""
        found = []
        for element in self._texts:
            identifier, outcome = element.get("identifier", ""), element.get("outcomeIdentifier", "")
            text = from_element(element)
            if not text.text and not text.lost:
                continue
            if element.get("showHide", "show") != "show":
                found.append(Comment(identifier, Moment.UNKNOWN, text))
                continue
            guards = [guard for guard in self.guards if guard.outcome == outcome]
            moments = [self._moment(guard, identifier, response) for guard in guards]
            known = [moment for moment in moments if moment]
            if not known and guards and self._several:
                continue  # it is about another response
            for moment, answers, test in known or [(Moment.UNKNOWN, (), None)]:
                found.append(Comment(identifier, moment, text, answers, test))
        return found

    @cached_property
    def _several(self) -> bool:
        return len(every(self._item, "responseDeclaration")) > 1

    @cached_property
    def _texts(self) -> list[Element]:
        inside_choices = {
            id(text)
            for choice in every(self._item, "simpleChoice", "inlineChoice", "simpleAssociableChoice", "gapText")
            for text in every(choice, *_TEXTS)
        }
        return [text for text in every(self._item, *_TEXTS) if id(text) not in inside_choices]

    def _moment(
        self, guard: _Guard, identifier: str, response: str
    ) -> tuple[Moment, tuple[str, ...], Element | None] | None:
        """When a guard shows the text of an identifier; None when it has nothing to do with it."""
        expression = guard.expression
        if any(part.get("identifier") == response for part in expression.iter("variable")):
            return Moment.ANSWER, (identifier,), None
        if identifier not in [line_text(part) for part in expression.iter("baseValue")]:
            return None
        if guard.test is None:
            return (Moment.WRONG if guard.otherwise else Moment.ALWAYS), (), None
        return _classified(guard.test, response)


def _guards(part: Element, test: Element | None) -> Iterator[_Guard]:
    for rule in part:
        if rule.tag == "setOutcomeValue":
            if len(rule):
                yield _Guard(rule.get("identifier", ""), rule[0], test, otherwise=part.tag == "responseElse")
        elif rule.tag == "responseCondition":
            for branch in rule:
                if branch.tag not in _BRANCHES:
                    continue
                own = branch[0] if branch.tag != "responseElse" and len(branch) else None
                yield from _guards(branch, own if own is not None and own.tag not in _IGNORED else test)
        elif rule.tag == "responseProcessingFragment":
            yield from _guards(rule, test)


def _is_score(guard: _Guard) -> bool:
    """Whether it gives something for an answer: any outcome that is a number other than 0."""
    if guard.expression.tag == "baseValue":
        try:
            return float(line_text(guard.expression)) > 0
        except ValueError:
            return line_text(guard.expression) in ("true", "correct", "CORRECT")
    return guard.expression.tag in ("sum", "variable", "mapResponse", "divide", "product")


def _mentions(test: Element, response: str) -> bool:
    names = [part.get("identifier") for part in test.iter() if part.tag in ("variable", "mapResponse")]
    return response in names


def _classified(test: Element, response: str) -> tuple[Moment, tuple[str, ...], Element | None] | None:
    """What a condition on a response means."""
    if test.tag == "not" and len(test):
        inner = _classified(test[0], response)
        if inner is None:
            return None
        turned = {Moment.RIGHT: Moment.WRONG, Moment.WRONG: Moment.RIGHT}
        return turned.get(inner[0], Moment.UNKNOWN), (), None
    about_score = any(part.get("identifier") in ("SCORE", "MAXSCORE") for part in test.iter("variable"))
    if about_score and not _mentions(test, response):
        return (Moment.WRONG if test.tag in ("lt", "lte") else Moment.RIGHT), (), None
    if not _mentions(test, response):
        return None
    if any(part.get("identifier") == response for part in test.iter("correct")):
        return Moment.RIGHT, (), None
    if any(True for _ in test.iter("mapResponse")):
        return (Moment.RIGHT if test.tag in ("gt", "gte", "or") else Moment.WRONG), (), None
    return Moment.ANSWER, tuple(line_text(part) for part in test.iter("baseValue")), test
