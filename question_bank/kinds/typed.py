"""Typed text that is compared with accepted forms and patterns; for short answers and the gaps of a cloze.

Patterns run on RE2, whose time grows with the text alone: no pattern can make grading hang.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Annotated, Any

import re2
from pydantic import Field, field_validator, model_validator

from question_bank.schema import MAX_FEEDBACK, AnswerRefused, Frozen
from question_bank.wording import as_code

MAX_TYPED = 200
MAX_PATTERN = 200
_PATTERN_MEMORY = 256 * 1024
_NOBODY_MEANS = "qzxj vwkq 0"
"""An answer that no pattern should accept."""

Form = Annotated[str, Field(min_length=1, max_length=MAX_TYPED)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]


class Forms(Frozen):
    """What counts as one and the same answer."""

    accept: tuple[Form, ...] = Field(default=(), max_length=30)
    """Wordings, compared without regard to case, quotes, runs of spaces and a full stop at the end."""
    patterns: tuple[Pattern, ...] = Field(default=(), max_length=10)
    """RE2 expressions that the whole answer has to match."""

    @field_validator("accept")
    @classmethod
    def _something_left(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        if any(not tidy(form) for form in forms):
            raise ValueError("a form has no text")
        return forms

    @field_validator("patterns")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                compiled = _compiled(pattern, case_sensitive=False)
            except re2.error as error:
                raise ValueError(f"`{pattern}` is no RE2 pattern: {_reason(error)}") from error
            if compiled.fullmatch("") or compiled.fullmatch(_NOBODY_MEANS):
                raise ValueError(f"`{pattern}` matches anything: say what the answer has to contain")
        return patterns

    @model_validator(mode="after")
    def _not_empty(self) -> Forms:
        if not self.accept and not self.patterns:
            raise ValueError("list at least one form under `accept` or one of `patterns`")
        return self

    def matches(self, typed: str, *, case_sensitive: bool) -> bool:
        """Whether a tidied answer is one of these."""
        wanted = {tidy(form) for form in self.accept}
        if not case_sensitive:
            typed_folded, wanted = typed.casefold(), {form.casefold() for form in wanted}
        else:
            typed_folded = typed
        return typed_folded in wanted or any(
            _compiled(pattern, case_sensitive).fullmatch(typed) is not None for pattern in self.patterns
        )


class TypedMistake(Forms):
    """A wrong answer that people give, and the thought that leads there."""

    why: str = Field(min_length=1, max_length=MAX_FEEDBACK)


class TypedAnswer(Forms):
    """The `answer:` block of a short question, or a typed gap. The first form is shown as the right answer."""

    accept: tuple[Form, ...] = Field(min_length=1, max_length=30)
    case_sensitive: bool = Field(default=False, strict=True)
    feedback: str = Field(default="", max_length=MAX_FEEDBACK)
    """What to say about a right answer."""
    mistakes: tuple[TypedMistake, ...] = Field(default=(), max_length=12)

    @model_validator(mode="before")
    @classmethod
    def _a_mapping(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("describe the answer as fields: `accept`, `patterns`, `feedback`, `mistakes`")
        return value

    @model_validator(mode="after")
    def _mistakes_are_wrong(self) -> TypedAnswer:
        for mistake in self.mistakes:
            for form in mistake.accept:
                if self.accepts(tidy(form)):
                    raise ValueError(f"the mistake “{form}” would count as right")
        return self

    def accepts(self, typed: str) -> bool:
        """Whether a tidied answer is right."""
        return self.matches(typed, case_sensitive=self.case_sensitive)

    def mistake_for(self, typed: str) -> TypedMistake | None:
        """The first foreseen mistake that a tidied answer is."""
        return next(
            (m for m in self.mistakes if m.matches(typed, case_sensitive=self.case_sensitive)),
            None,
        )

    @property
    def shown(self) -> str:
        """The right answer as learners see it, as Markdown."""
        return as_code(self.accept[0])


def tidy(text: str) -> str:
    """An answer without what says nothing: compatibility forms, runs of spaces, quotes around it, a full stop."""
    plain = " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").split())
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "`\"'":
        plain = plain[1:-1].strip()
    return plain.removesuffix(".").rstrip() or plain


def read_typed(answer: object) -> str | None:
    """The tidied text of an answer, None for a blank one. Raises `AnswerRefused` for what is no short text."""
    if answer is None:
        return None
    if not isinstance(answer, str):
        raise AnswerRefused("Type the answer as text.")
    if len(answer) > MAX_TYPED:
        raise AnswerRefused(f"That is longer than {MAX_TYPED} characters: answer in a few words.")
    return tidy(answer) or None


@lru_cache(maxsize=2_000)
def _compiled(pattern: str, case_sensitive: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = case_sensitive
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options=options)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else "it can't be read"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
