"""Variants that go wrong for some values: the lint draws many and reads each as if somebody had written it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from question_bank.document import Document
from question_bank.kinds.numeric import Numeric, plain
from question_bank.question import Question
from question_bank.rules.common import fault
from question_bank.schema import Fault
from question_bank.variants import Template, Variant

DRAWS = 24
MIN_VARIANTS = 4
"""Fewer different variants than this are learnt by heart."""
MIN_ACCEPTED = 0.2
"""The share of draws that must meet the requirements."""

RULE = "variants"
_SO = " This is so when "


def variants(question: Question) -> Iterator[Fault]:
    """What is wrong with some of a question's variants, each fault once, with values that show it."""
    template = question.template
    if template is None:
        return
    faults: dict[tuple[int, str], str] = {}
    drawn: list[Variant] = []
    broken = 0
    for number in range(DRAWS):
        found: list[tuple[int, str]] = []
        variant = template.attempt(f"lint-{number}", lambda line, text: found.append((line, text)))  # noqa: B023
        if variant:
            drawn.append(variant)
        broken += bool(found)
        for line, message in found:
            faults.setdefault((line, _kind_of(message)), message)
    for (line, _), message in faults.items():
        yield Fault(question.path, line, f"A variant has this fault: {message}", RULE)
    if len(drawn) + broken < MIN_ACCEPTED * DRAWS:
        message = (
            f"Only {len(drawn) + broken} of {DRAWS} draws meet `require`: loosen it, or narrow the ranges."
        )
        yield fault(question, "require", message, RULE)
    elif len({tuple(variant.values.items()) for variant in drawn}) < MIN_VARIANTS and not broken:
        message = f"{DRAWS} draws gave fewer than {MIN_VARIANTS} different variants: widen the ranges."
        yield fault(question, "parameters", message, RULE)
    for name in _unused(template):
        yield fault(question, "parameters", f"The parameter `{name}` is used nowhere.", RULE)
    yield from _numbers(question, drawn)


def _kind_of(message: str) -> str:
    """A message without its values: the same fault of two variants is one."""
    return re.sub(r"[\d,.]+", "0", message.split(_SO)[0])


def _unused(template: Template) -> Iterator[str]:
    texts = list(_texts(template.document))
    texts.extend(parameter.formula or "" for parameter in template.parameters.parameters.values())
    texts.extend(template.parameters.require)
    joined = "\n".join(texts)
    for name in template.parameters.parameters:
        if not re.search(rf"\b{name}\b", joined):
            yield name


def _texts(document: Document) -> Iterator[str]:
    """All texts in which a parameter can stand."""
    yield document.prompt.text
    yield from (section.text for section in document.sections.values())

    def deep(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from deep(inner)

    yield from deep(
        {key: value for key, value in document.front.items() if key not in ("parameters", "require")}
    )


def _numbers(question: Question, drawn: list[Variant]) -> Iterator[Fault]:
    """For a number: whether it ever changes, and whether each mistake can be told from the others."""
    answers = [variant.body.answer for variant in drawn if isinstance(variant.body, Numeric)]
    if len(answers) >= MIN_VARIANTS and len({answer.value for answer in answers}) == 1:
        yield fault(
            question, "answer", "The answer is the same in every variant: make it depend on them.", RULE
        )
    for variant, answer in zip(drawn, answers, strict=False):
        for one, other in combinations(answer.mistakes, 2):
            if one.value == other.value:
                values = ", ".join(f"{name} is {value}" for name, value in variant.values.items())
                message = f"Two mistakes come to the same value, {plain(one.value)}, when {values}."
                yield fault(question, "answer", message, RULE)
                return
