"""What a question is made of, what a learner sees of it, and what grading gives back: frozen, bounded values.

Errors::

    QuestionBankError
    └── AnswerRefused     the answer can't be graded as it stands; `.learner` says to the learner what to change
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_FILE_BYTES = 64 * 1024
MAX_FILES = 10_000
MAX_TEXT = 8_000
MAX_OPTION_TEXT = 800
MAX_FEEDBACK = 1_500
MIN_OPTIONS = 2
MAX_OPTIONS = 8

Answer = str | int | float | Sequence[str] | None
"""A learner's answer: an option's key, several keys, a number or its text; None when left blank."""

Seed = int | str
"""What a shuffle or a draw starts from: the same seed gives the same result on every machine."""

Slug = Annotated[str, Field(min_length=2, max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
CodePath = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./#-]*$")]


class QuestionBankError(Exception):
    """Anything that went wrong in the question bank."""


class AnswerRefused(QuestionBankError):
    """The answer can't be graded as it stands; nothing is scored and the learner may answer again."""

    def __init__(self, learner: str) -> None:
        super().__init__(learner)
        self.learner = learner
        """One or two sentences for the learner: what is wrong and what to write instead."""


class Frozen(BaseModel):
    """The base of all values: immutable, and closed to fields that nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with the bank, and where."""

    path: str
    """The file, relative to the bank's root; "." for the bank as a whole."""
    line: int
    """The line in that file, counted from 1."""
    message: str
    """What is wrong and what to do about it, as a sentence."""
    rule: str = "schema"
    """The short name of the rule that was broken."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"


class Links(Frozen):
    """Where else the same matter can be learnt or seen at work."""

    lab: Slug | None = None
    """The lab that proves the answer."""
    lesson: Slug | None = None
    """The lesson that teaches it."""
    code: tuple[CodePath, ...] = Field(default=(), max_length=8)
    """Files of this repository that show it, relative to the repository's root."""

    @field_validator("code")
    @classmethod
    def _stay_inside(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if any(".." in path.split("/") for path in paths):
            raise ValueError("a code link must stay inside the repository: leave out '..'")
        return paths


class FrontMatter(Frozen):
    """The fields that questions of every kind share."""

    id: Slug
    kind: Annotated[str, Field(min_length=1, max_length=40)]
    module: Slug
    topics: tuple[Slug, ...] = Field(min_length=1, max_length=8)
    difficulty: int = Field(ge=1, le=5, strict=True)
    seconds: int = Field(ge=10, le=3600, strict=True)
    links: Links = Links()
    replaces: tuple[Slug, ...] = Field(default=(), max_length=20)

    @field_validator("topics", "replaces")
    @classmethod
    def _no_repeats(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(ids)) != len(ids):
            raise ValueError("an id is listed twice")
        return ids


@dataclass(frozen=True, slots=True)
class Option:
    """One option as its author wrote it. It knows whether it is right, so it never leaves the server before
    grading.
    """

    key: str
    text: str
    right: bool = field(repr=False)
    feedback: str
    line: int


class PresentedOption(Frozen):
    """One option as a learner sees it."""

    key: str
    """What to send back to choose it: stable for one wording, opaque, the same under every seed."""
    text: str
    """Markdown."""


class Presented(Frozen):
    """A question as a learner sees it; nothing in it tells which answer is right."""

    id: str
    kind: str
    prompt: str
    """Markdown."""
    options: tuple[PresentedOption, ...] = ()
    """In the order in which to show them; empty when the answer is typed."""
    unit: str | None = None
    """The unit in which a number is asked for."""
    rule: str
    """One or two sentences for the learner: how to answer and how it is scored."""
    seconds: int
    difficulty: int


class Feedback(Frozen):
    """What there is to say about one option, or about a typed answer."""

    key: str
    """The option's key; empty for a typed answer."""
    text: str
    """Markdown: the option, or the answer as it was understood."""
    chosen: bool
    right: bool
    comment: str
    """Markdown: why it is right or wrong; may be empty for a typed answer that nobody foresaw."""


class Verdict(Frozen):
    """What a kind says about an answer; the question adds the explanation."""

    fraction: float = Field(ge=0.0, le=1.0)
    answered: bool
    feedback: tuple[Feedback, ...]
    right_answer: str


class Graded(Frozen):
    """The result of grading one answer."""

    fraction: float = Field(ge=0.0, le=1.0)
    """The share of the question's points that the answer earned."""
    correct: bool
    """True for a fully right answer only."""
    answered: bool
    """False when the question was left blank: that earns nothing and is no error."""
    feedback: tuple[Feedback, ...]
    """For choices, one entry an option in the author's order; for a number, one entry for what was typed."""
    right_answer: str
    """Markdown: the right answer in words."""
    explanation: str
    """Markdown."""
