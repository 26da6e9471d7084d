"""The interface of a kind of question. A kind is one module with one subclass of `Body`, listed in
`kinds/__init__.py`.

A body is what differs between kinds: how the file's sections become data (`parse`), what a learner sees of it
(`show`) and what an answer earns (`grade`). Id, topics, prompt and explanation are the same for all and live in
`Question`.
"""

from __future__ import annotations

import inspect
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from question_bank.document import Document, Report
from question_bank.schema import FrontMatter, Option, PresentedOption, Verdict


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a presented question that depends on its kind."""

    rule: str
    options: tuple[PresentedOption, ...] = ()
    unit: str | None = None


class Body(ABC):
    """What is particular to one question of one kind."""

    name: ClassVar[str]
    """The kind's name in front matter."""
    fields: ClassVar[frozenset[str]] = frozenset()
    """The front matter fields that this kind has beyond the common ones."""

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
    def grade(self, answer: object) -> Verdict:
        """Score an answer of any type and size. Raises `AnswerRefused` when it can't be graded."""

    def choices(self) -> tuple[Option, ...]:
        """The author's options, for the lint; empty when the answer is typed."""
        return ()

    def remarks(self) -> tuple[str, ...]:
        """What the lint should say about the kind's own fields, as sentences."""
        return ()

    @classmethod
    def refuse_unknown_fields(cls, document: Document, report: Report) -> None:
        """Report each front matter field that neither all questions nor this kind have."""
        known = set(FrontMatter.model_fields) | cls.fields
        for key in document.front:
            if key not in known:
                allowed = ", ".join(sorted(known))
                report(
                    document.line_of(key),
                    f"`{key}` is no field of a `{cls.name}` question; it may have: {allowed}.",
                )
