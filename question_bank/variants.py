"""Variants: parameters drawn by seed, filled into a question's texts and formulae.

A question with `parameters:` is a template. Filling it gives an ordinary document, which its kind then reads as if
somebody had written it: so every kind can have variants, and knows nothing of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, model_validator

from question_bank.body import VARIANT_FIELDS, Body
from question_bank.document import Document, Section
from question_bank.formula import MAX_FORMULA, FormulaError, Value, evaluate
from question_bank.items import Report
from question_bank.schema import FrontMatter, Frozen, Seed
from question_bank.values import read_value

MAX_PARAMETERS = 20
MAX_STEPS = 100_000
TRIES = 60
"""How many draws are tried until one meets the requirements and reads without a fault."""
SAMPLE_SEEDS = tuple(f"sample-{n}" for n in range(20))

_FIXED = frozenset(FrontMatter.model_fields) | VARIANT_FIELDS
_FILLED = re.compile(r"\{\{([^{}]*)\}\}")
_FORMAT = re.compile(r",?(\.\d)?%?")

Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
Formula = Annotated[str, Field(min_length=1, max_length=MAX_FORMULA)]


class Parameter(Frozen):
    """One name, and what it is drawn from: a range, a list, or a formula over the names before it."""

    start: int | Number | None = Field(default=None, alias="from")
    to: int | Number | None = None
    step: int | Number | None = Field(default=None, gt=0)
    choices: tuple[int | Number | Text, ...] | None = Field(default=None, min_length=2, max_length=50)
    formula: Formula | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Parameter:
        ways = [
            self.start is not None or self.to is not None,
            self.choices is not None,
            self.formula is not None,
        ]
        if sum(ways) != 1:
            raise ValueError("give either `from` and `to` (and `step`), or `choices`, or a `formula`")
        if not ways[0]:
            if self.step is not None:
                raise ValueError("`step` goes with `from` and `to`")
            return self
        if self.start is None or self.to is None or self.start >= self.to:
            raise ValueError("`from` and `to` are both needed, the smaller first")
        if self.steps > MAX_STEPS:
            raise ValueError(f"the range has more than {MAX_STEPS} values: choose a larger `step`")
        if self.steps < 1:
            raise ValueError("`step` is larger than the range")
        return self

    @property
    def steps(self) -> int:
        """How many steps lead through the range."""
        assert self.start is not None
        assert self.to is not None
        return int((self.to - self.start) / (self.step or 1) + 1e-9)

    def draw(self, chance: random.Random, names: Mapping[str, Value]) -> Value:
        """A value for this parameter. Raises `FormulaError`."""
        if self.formula is not None:
            return evaluate(self.formula, names)
        if self.choices is not None:
            return chance.choice(self.choices)
        assert self.start is not None
        value = self.start + chance.randrange(self.steps + 1) * (self.step or 1)
        return round(value, 10) if isinstance(value, float) else value


class Parameters(Frozen):
    """The fields `parameters` and `require` of the front matter."""

    parameters: dict[Name, Parameter] = Field(min_length=1, max_length=MAX_PARAMETERS)
    require: tuple[Formula, ...] = Field(default=(), max_length=10)
    """Formulae that must hold; a draw for which one doesn't is drawn again."""

    def draw(self, seed: Seed) -> Mapping[str, Value] | None:
        """Values for all names; None when a requirement doesn't hold for them. Raises `FormulaError`."""
        chance = random.Random(f"variant:{seed}")
        names: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            names[name] = parameter.draw(chance, names)
        return names if all(evaluate(formula, names) for formula in self.require) else None


@dataclass(frozen=True, slots=True)
class Variant:
    """What one seed makes of a template."""

    values: Mapping[str, Value]
    document: Document
    body: Body


@dataclass(frozen=True, slots=True)
class Template:
    """A question before its parameters are filled in."""

    question_id: str
    kind: type[Body]
    document: Document
    parameters: Parameters

    def variant(self, seed: Seed) -> Variant:
        """The variant of a seed: always the same, and one that reads without a fault.

        A seed whose draws all fail gets one of the samples; the loader lets no template pass that has none.
        """
        for attempt in range(TRIES):
            if found := self.attempt(f"{self.question_id}:{seed}:{attempt}", _ignore):
                return found
        for sample in SAMPLE_SEEDS:
            if found := self.attempt(sample, _ignore):
                return found
        raise AssertionError("a template without any variant was loaded")

    def attempt(self, seed: Seed, report: Report) -> Variant | None:
        """What this very draw gives; None when a requirement doesn't hold, or after reporting each fault."""
        line = self.document.line_of("parameters")
        try:
            values = self.parameters.draw(seed)
        except FormulaError as error:
            report(line, f"{error}.")
            return None
        if values is None:
            return None
        faults: list[tuple[int, str]] = []

        def note(at: int, message: str) -> None:
            faults.append((at, f"{message} This is so when {_in_words(values)}."))

        document = _fill(self.document, values, note)
        body = self.kind.parse(self.question_id, document, note) if not faults else None
        for fault in faults:
            report(*fault)
        return Variant(values, document, body) if body and not faults else None


def read_template(
    question_id: str, kind: type[Body], document: Document, report: Report
) -> tuple[Template, Variant] | None:
    """The template of a document that has parameters, and a sample of it; None after reporting what is wrong."""
    fields = {key: document.front[key] for key in VARIANT_FIELDS if key in document.front}
    parameters = read_value(Parameters, document, (), report, fields)
    if parameters is None:
        return None
    template = Template(question_id, kind, document, parameters)
    for seed in SAMPLE_SEEDS:
        faults: list[tuple[int, str]] = []
        found = template.attempt(seed, lambda line, message: faults.append((line, message)))  # noqa: B023
        if found:
            return template, found
        if faults:
            for fault in faults:
                report(*fault)
            return None
    report(document.line_of("require"), f"None of {len(SAMPLE_SEEDS)} draws meets `require`: loosen it.")
    return None


def _fill(document: Document, values: Mapping[str, Value], report: Report) -> Document:
    """The document with every `{{formula}}` replaced by its value, and every `= formula` by its number."""

    def text(template: str, line: int) -> str:
        def value(match: re.Match[str]) -> str:
            try:
                return render(match[1], values)
            except FormulaError as error:
                report(line + template.count("\n", 0, match.start()), f"{error}.")
                return ""

        return _FILLED.sub(value, template)

    def part(section: Section) -> Section:
        return replace(section, text=text(section.text, section.line))

    def deep(value: Any, line: int) -> Any:
        if isinstance(value, str):
            if value.startswith("="):
                try:
                    return evaluate(value[1:].strip(), values)
                except FormulaError as error:
                    report(line, f"{error}.")
                    return 0
            return text(value, line) if value.count("{{") else value
        if isinstance(value, dict):
            return {key: deep(inner, line) for key, inner in value.items()}
        return [deep(inner, line) for inner in value] if isinstance(value, list) else value

    front = {
        key: value if key in _FIXED else deep(value, document.line_of(key))
        for key, value in document.front.items()
    }
    lists = {
        name: tuple(
            replace(item, text=text(item.text, item.line), feedback=text(item.feedback, item.line))
            for item in items
        )
        for name, items in document.lists.items()
    }
    sections = {name: part(section) for name, section in document.sections.items()}
    return replace(document, front=front, prompt=part(document.prompt), sections=sections, lists=lists)


def render(written: str, values: Mapping[str, Value]) -> str:
    """What `{{formula}}` or `{{formula:format}}` shows. Raises `FormulaError`."""
    formula, _, style = written.partition(":")
    value = evaluate(formula.strip(), values)
    style = style.strip()
    if isinstance(value, str):
        return value
    if not _FORMAT.fullmatch(style):
        raise FormulaError(f"`{written}`: a format is `,` and `.2` and `%`, in this order, each if wanted")
    if style.endswith("%"):
        return f"{value:{style}}"
    if "." in style:
        return f"{value:{style}f}"
    number = int(value) if value == int(value) else round(value, 9)
    return f"{number:{style}}"


def _in_words(values: Mapping[str, Value] | None) -> str:
    return ", ".join(f"{name} is {value}" for name, value in (values or {}).items())


def _ignore(line: int, message: str) -> None:
    """Takes a report and drops it: the lint draws again and shows it."""
