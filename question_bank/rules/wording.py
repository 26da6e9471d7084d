"""How prompts and options are worded: catch-alls, negations, options that overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from question_bank.question import Question
from question_bank.rules.common import fault, option_fault
from question_bank.schema import Fault
from question_bank.wording import normalised, without_code

MIN_STATEMENT = 3
"""Fewer words than this make no statement that another option could contain."""

_CATCH_ALL = re.compile(
    r"\b(all|none|both|neither) of (the|these|those) (above|others?|(other )?options|answers|choices)\b"
    r"|\b(all|none) of (the above|these|those|them)\W*$"
    r"|\b(both|neither) [a-h] (and|nor) [a-h]\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\b(which|what|who|how many|choose|select|pick|mark|name)\b", re.IGNORECASE)
_COMMANDS = re.compile(r"\W*(choose|select|pick|mark|name)\b", re.IGNORECASE)
_NEGATION = re.compile(
    r"(?<![*_\w])(not|never|except|cannot|incorrect|false|least(?= (?:likely|suit|use|eff|appro))|\w+n[’']t)(?![*_\w])",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.?!:]+[.?!:]?", re.DOTALL)
_RANGE = re.compile(r"^\W*(\d[\d,.]*)\s*(?:-|–|to)\s*(\d[\d,.]*)\s*\S*$")


def catch_alls(question: Question) -> Iterator[Fault]:
    """Options that refer to others."""
    for option in question.options:
        if _CATCH_ALL.search(option.text):
            message = (
                "Options are shuffled and stand for themselves: replace “all/none of the above” by a statement."
            )
            yield option_fault(question, option, message, "catch-all")


def negations(question: Question) -> Iterator[Fault]:
    """A question that turns on a small word."""
    for sentence in _SENTENCE.findall(without_code(question.prompt)):
        asks = _ASKS.search(sentence)
        found = _NEGATION.search(sentence, asks.end()) if asks else None
        if found and (sentence.endswith("?") or _COMMANDS.match(sentence)):
            message = f"The question turns on “{found[0]}”: set it in bold, or ask without a negation."
            yield fault(question, "prompt", message, "negation")


def overlaps(question: Question) -> Iterator[Fault]:
    """Options that are right or wrong together."""
    for one, other in combinations(question.options, 2):
        if normalised(one.text) == normalised(other.text):
            message = f"This option says the same as line {one.line}."
        elif _contains(one.text, other.text) or _contains(other.text, one.text):
            message = f"This option and line {one.line} contain each other: whoever picks one has picked both."
        elif _ranges_overlap(one.text, other.text):
            message = f"The range of this option overlaps that of line {one.line}."
        else:
            continue
        yield option_fault(question, other, message, "overlap")


def _contains(long: str, short: str) -> bool:
    """Whether one statement is part of another. Code is exempt: a query with one more clause is another query."""
    if len(without_code(short).split()) < MIN_STATEMENT:
        return False
    return f" {normalised(short)} " in f" {normalised(long)} "


def _ranges_overlap(one: str, other: str) -> bool:
    first, second = _RANGE.match(one), _RANGE.match(other)
    if not first or not second:
        return False
    (low, high), (low2, high2) = (
        tuple(float(n.replace(",", "").rstrip(".")) for n in m.groups()) for m in (first, second)
    )
    return max(low, low2) < min(high, high2)
