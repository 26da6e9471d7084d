"""Numeric: a typed number, right within a tolerance, with feedback for wrong values that people arrive at."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from question_bank.body import Body, Written
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report
from question_bank.presented import Shown
from question_bank.runner import CodeRunner
from question_bank.schema import MAX_FEEDBACK, AnswerRefused, Frozen
from question_bank.values import read_value, sparse

MAX_ANSWER_LENGTH = 40
_MAX_MAGNITUDE = 1e15

# Digits are ASCII and groups have three digits, so that "1,5" is refused instead of being read as 15 or as 1.5.
_NUMBER = re.compile(r"([+-]?)(\d{1,3}(?:[, _]\d{3})+|\d+)?(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_LIKE_A_NUMBER = "Write a number such as 1200, 1,200, 0.75 or 1.2e3"

Finite = Annotated[float, Field(ge=-_MAX_MAGNITUDE, le=_MAX_MAGNITUDE, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, le=_MAX_MAGNITUDE, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0.0, le=50.0, allow_inf_nan=False)]
Unit = Annotated[str, Field(min_length=1, max_length=24, pattern=r"^[^\d\s].*$")]


class Mistake(Frozen):
    """A wrong value that people arrive at, and the thought that leads there."""

    value: Finite
    why: str = Field(min_length=1, max_length=MAX_FEEDBACK)

    @field_validator("value", mode="before")
    @classmethod
    def _a_number(cls, value: Any) -> Any:
        return _only_numbers(value)


class NumericAnswer(Frozen):
    """The `answer:` block of the front matter."""

    value: Finite
    tolerance: NotNegative = 0.0
    """How far off an answer may be, in the unit asked for."""
    tolerance_percent: Percent = 0.0
    """How far off an answer may be, as a percentage of the value; the more generous of the two counts."""
    unit: Unit | None = None
    unit_aliases: tuple[Unit, ...] = Field(default=(), max_length=8)
    """Other spellings of the unit that learners may type."""
    feedback: str = Field(default="", max_length=MAX_FEEDBACK)
    """What to say about a right answer."""
    mistakes: tuple[Mistake, ...] = Field(default=(), max_length=12)

    @field_validator("value", "tolerance", "tolerance_percent", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return _only_numbers(value)

    @model_validator(mode="after")
    def _mistakes_are_wrong(self) -> NumericAnswer:
        for mistake in self.mistakes:
            if self.accepts(mistake.value):
                raise ValueError(
                    f"The mistake {plain(mistake.value)} lies within the tolerance: it would count as right"
                )
        return self

    @property
    def margin(self) -> float:
        """The largest distance from the value that still counts as right."""
        return max(self.tolerance, abs(self.value) * self.tolerance_percent / 100)

    def accepts(self, number: float) -> bool:
        """Whether a number is right. A hair is added to the margin, so that its edge doesn't depend on binary
        rounding.
        """
        return abs(number - self.value) <= self.margin + 1e-9 * max(1.0, abs(self.value))

    def mistake_for(self, number: float) -> Mistake | None:
        """The foreseen mistake nearest to this number, when the number is within the same margin of it."""
        near = [m for m in self.mistakes if _close(number, m.value, max(self.margin, abs(m.value) * 0.005))]
        return min(near, key=lambda mistake: abs(number - mistake.value), default=None)


@dataclass(frozen=True)
class Numeric(Body):
    """A number with a tolerance; the answer is its text, or a number."""

    answer: NumericAnswer
    name: ClassVar[str] = "numeric"
    fields: ClassVar[frozenset[str]] = frozenset({"answer"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        answer = read_value(NumericAnswer, document, ("answer",), report)
        return cls(answer) if answer else None

    def show(self, shuffle: random.Random) -> Shown:
        within = _tolerance_in_words(self.answer)
        unit = f" in {self.answer.unit}" if self.answer.unit else ""
        return Shown(rule=f"Type a number{unit}. {within} It scores all or nothing.", unit=self.answer.unit)

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        number = self._number(answer)
        right = number is not None and self.answer.accepts(number)
        comment = ""
        if right:
            comment = self.answer.feedback
        elif number is not None and (mistake := self.answer.mistake_for(number)):
            comment = mistake.why
        feedback: tuple[Feedback, ...] = ()
        if number is not None:
            feedback = (
                Feedback(key="", text=self._with_unit(number), chosen=True, right=right, comment=comment),
            )
        return Verdict(
            fraction=1.0 if right else 0.0,
            answered=number is not None,
            feedback=feedback,
            right_answer=self._with_unit(self.answer.value) + _margin_in_words(self.answer),
        )

    def write(self) -> Written:
        return Written(front={"answer": sparse(self.answer)})

    def remarks(self) -> tuple[tuple[str, str], ...]:
        if not self.answer.mistakes:
            message = "Foresee at least one wrong value: list it under `answer.mistakes` with what leads to it."
            return (("answer", message),)
        return ()

    def _with_unit(self, number: float) -> str:
        if self.answer.unit is None:
            return plain(number)
        return f"{plain(number)}{'' if self.answer.unit == '%' else ' '}{self.answer.unit}"

    def _number(self, answer: object) -> float | None:
        """The number an answer stands for, None for a blank one."""
        if answer is None:
            return None
        if isinstance(answer, str):
            return read_number(answer, self.answer.unit, self.answer.unit_aliases)
        if isinstance(answer, int | float) and not isinstance(answer, bool):
            # Compared before it is converted: an int can be too large to become a float at all.
            if isinstance(answer, int) and abs(answer) > _MAX_MAGNITUDE:
                raise AnswerRefused("That number is too large to be meant. Check its digits.")
            return _finite(float(answer))
        raise AnswerRefused(f"{_LIKE_A_NUMBER}.")


def read_number(text: str, unit: str | None = None, aliases: tuple[str, ...] = ()) -> float | None:
    """The number that a learner typed, with or without its unit; None when nothing was typed.

    Reads 1200, 1,200, 1 200, 0.75, .75 and 1.2e3. Raises `AnswerRefused` for anything else: another unit, NaN,
    infinity, a decimal comma, a number beyond 10^15, or text longer than 40 characters.
    """
    if len(text) > MAX_ANSWER_LENGTH:
        raise AnswerRefused(f"That is longer than {MAX_ANSWER_LENGTH} characters. {_LIKE_A_NUMBER}.")
    typed = text.replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ").strip()
    if not typed:
        return None
    bare = typed.lstrip("+-").casefold()
    if bare in {"nan", "inf", "infinity", "∞"}:
        raise AnswerRefused("NaN and infinity are no answers here. Write a finite number.")
    match = _NUMBER.match(typed)
    assert match is not None  # every part of the pattern is optional, so it matches at least the empty text
    sign, whole, decimals, exponent = match.groups()
    if whole is None and decimals is None:
        raise AnswerRefused(f"“{typed}” doesn't start with a number. {_LIKE_A_NUMBER}.")
    rest = typed[match.end() :].strip()
    if rest[:1] and (rest[0].isdigit() or rest[0] in ",._'"):
        raise AnswerRefused(
            f"“{typed}” can be read in more than one way. Use a point for decimals, and commas only between "
            "groups of three digits: 1,200.5."
        )
    if rest:
        _check_unit(rest, unit, aliases)
    digits = re.sub(r"[, _]", "", whole or "0")
    return _finite(float(f"{sign}{digits}{decimals or ''}{exponent or ''}"))


def _check_unit(typed: str, unit: str | None, aliases: tuple[str, ...]) -> None:
    if unit is None:
        raise AnswerRefused(f"Write the number alone, without “{typed}”.")
    if typed.casefold() not in {known.casefold() for known in (unit, *aliases)}:
        raise AnswerRefused(f"The answer is asked for in {unit}; convert yours, or leave the unit out.")


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise AnswerRefused("NaN and infinity are no answers here. Write a finite number.")
    if abs(number) > _MAX_MAGNITUDE:
        raise AnswerRefused("That number is too large to be meant. Check its exponent.")
    return number


def _only_numbers(value: Any) -> Any:
    """Refuse what pydantic would turn into a number: YAML reads `yes` as a truth value and "12" as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("this must be a number")
    return value


def _close(number: float, target: float, margin: float) -> bool:
    return abs(number - target) <= margin + 1e-9 * max(1.0, abs(target))


def plain(number: float) -> str:
    """A number as people write it: thousands separated, no trailing zeros."""
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:,.6g}" if abs(number) < 1e6 else f"{number:,.2f}"


def _tolerance_in_words(answer: NumericAnswer) -> str:
    if answer.margin == 0:
        return "It has to be exact."
    if answer.tolerance_percent and answer.margin > answer.tolerance:
        return f"Rounding is fine: within {plain(answer.tolerance_percent)} % counts as right."
    return f"Rounding is fine: within {plain(answer.tolerance)} counts as right."


def _margin_in_words(answer: NumericAnswer) -> str:
    return f" (± {plain(answer.margin)})" if answer.margin else ""
