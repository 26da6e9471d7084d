"""What a question is made of: frozen, bounded values, and the errors of the bank.

Errors::

    QuestionBankError
    ├── AnswerRefused     the answer can't be graded as it stands; `.learner` says to the learner what to change
    ├── RunnerUnavailable code can't be run now; nothing is scored and the learner may try again later
    └── CannotWrite       a question has no form as a file; the message says which part and why
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_FILE_BYTES = 64 * 1024
MAX_FILES = 10_000
MAX_TEXT = 8_000
MAX_OPTION_TEXT = 800
MAX_FEEDBACK = 1_500
MIN_OPTIONS = 2
MAX_OPTIONS = 8

Answer = str | int | float | Sequence[str] | Mapping[str, object] | None
"""A learner's answer; None when left blank. Each kind says what it takes: an option's key, several keys, text, a
number, code, or a mapping (pairs, gaps, a marked text)."""

Level = Literal["mid", "senior", "staff", "principal"]
"""The interview in which a question would be asked."""

Skill = Literal[
    "capacity",
    "latency",
    "cost",
    "availability",
    "consistency",
    "data-modelling",
    "design",
    "trade-offs",
    "debugging",
    "operations",
    "security",
    "coding",
    "delivery",
    "leadership",
]
"""What a question exercises."""

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


class RunnerUnavailable(QuestionBankError):
    """Code can't be run now: nothing is scored, and the learner may try again later."""


class CannotWrite(QuestionBankError):
    """A question has no form as a file: a text in it would be read back as something else."""


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
    level: Level | None = None
    """The interview in which it would be asked."""
    skills: tuple[Skill, ...] = Field(default=(), max_length=4)
    """What it exercises."""
    scenario: bool = Field(default=False, strict=True)
    """Whether the prompt sets a concrete situation that has to be reasoned through."""

    @field_validator("topics", "replaces", "skills")
    @classmethod
    def _no_repeats(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(ids)) != len(ids):
            raise ValueError("a name is listed twice")
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
    line: int = field(compare=False)
