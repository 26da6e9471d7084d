"""The interface of a kind of question. A kind is one module with one subclass of `Body`, listed in
`kinds/__init__.py`.

A body is what differs between kinds: how the file's sections become data (`parse`) and text again (`write`), what
a learner sees of it (`show`) and what an answer earns (`grade`). Id, topics, prompt and explanation are the same
for all and live in `Question`.
"""

from __future__ import annotations

import inspect
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from question_bank.document import COMMON_SECTIONS, Document
from question_bank.graded import Verdict
from question_bank.items import Report
from question_bank.presented import Shown
from question_bank.runner import CodeRunner
from question_bank.schema import FrontMatter, Option

VARIANT_FIELDS = frozenset({"parameters", "require"})
"""The front matter fields from which variants are drawn."""


FENCES = ("```", "~~~")
"""What a code block begins with."""


@dataclass(frozen=True, slots=True)
class Written:
    """A body in the form of a file: front matter fields, and the text of sections, in the order to write them."""

    front: Mapping[str, Any] = field(default_factory=dict)
    sections: Mapping[str, str] = field(default_factory=dict)


class Body(ABC):
    """What is particular to one question of one kind."""

    name: ClassVar[str]
    """The kind's name in front matter."""
    fields: ClassVar[frozenset[str]] = frozenset()
    """The front matter fields that this kind has beyond the common ones."""
    sections: ClassVar[frozenset[str]] = frozenset()
    """The sections that this kind has beyond the common ones."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Fail when a kind is defined, not when its first question is loaded. A class without a name is a
        shared helper.
        """
        super().__init_subclass__(**kwargs)
        if "name" in cls.__dict__ and inspect.isabstract(cls):
            missing = [
                name for name in dir(cls) if getattr(getattr(cls, name, None), "__isabstractmethod__", False)
            ]
            raise TypeError(f"The kind `{cls.name}` is incomplete: {cls.__name__} lacks {', '.join(missing)}.")

    @classmethod
    @abstractmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        """Read the body out of a file. Reports every fault it finds, and returns None when there was one."""

    @abstractmethod
    def show(self, shuffle: random.Random) -> Shown:
        """What a learner sees; any order is drawn from `shuffle`. Must not tell which answer is right."""

    @abstractmethod
    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        """Score an answer of any type and size. Raises `AnswerRefused` when it can't be graded.

        Only code needs a runner; it raises `RunnerUnavailable` when there is none.
        """

    @abstractmethod
    def write(self) -> Written:
        """The file's form of this body: reading it again gives an equal body."""

    def choices(self) -> tuple[Option, ...]:
        """The author's options, for the lint; empty when the answer is typed."""
        return ()

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """What the lint should say about the kind's own parts: (front matter field or section, sentence)."""
        return ()

    @classmethod
    def refuse_unknown_parts(cls, document: Document, report: Report) -> None:
        """Report each front matter field and each section that neither all questions nor this kind have."""
        known = set(FrontMatter.model_fields) | cls.fields | VARIANT_FIELDS
        for key in document.front:
            if key not in known:
                allowed = ", ".join(sorted(known))
                report(
                    document.line_of(key),
                    f"`{key}` is no field of a `{cls.name}` question; it may have: {allowed}.",
                )
        for name, section in document.sections.items():
            if name not in cls.sections and name not in COMMON_SECTIONS:
                message = f"A question of kind `{cls.name}` has no {name.lower()}: leave `## {name}` out."
                report(section.line, f"{message} {cls._sections_in_words()}")

    @classmethod
    def _sections_in_words(cls) -> str:
        names = [*sorted(cls.sections), *COMMON_SECTIONS]
        return f"It may have: {', '.join(f'`## {name}`' for name in names)}."


def entry(mark: str, text: str, feedback: str, *, indent: int = 2) -> str:
    """One entry of a list in a question file. A code block begins in a line of its own, below the mark."""
    lines = (f"\n{text}" if text.startswith(FENCES) else text).split("\n")
    written = [
        f"{mark}{lines[0]}".rstrip(),
        *(" " * indent + line if line.strip() else "" for line in lines[1:]),
    ]
    if feedback:
        written.extend(f"{' ' * indent}> {line}".rstrip() for line in feedback.split("\n"))
    return "\n".join(written)
