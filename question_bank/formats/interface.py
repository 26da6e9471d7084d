"""The interface of a format in which questions come from, or go to, another system.

A format reads bytes and gives questions, faults and losses; it writes questions and gives bytes and losses. Nothing
is lost silently: what the other side can't hold, and what was assumed because the file doesn't say, is a `Loss` of
its question.

Errors::

    QuestionBankError
    └── FormatRefused     nothing in the file can be read, or the format can't do this; says what to do
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from question_bank.question import Question
from question_bank.schema import Fault, QuestionBankError

MAX_UPLOAD = 32 * 1024 * 1024
"""Bytes of a file that is imported."""
MAX_QUESTIONS = 5_000
"""Questions of a file that is imported."""


class FormatRefused(QuestionBankError):
    """Nothing in the file can be read, or the format can't do this; the message says what to do."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """What doesn't come along with one question, or had to be assumed."""

    question: str
    """The question's id."""
    part: str
    """What it is about, such as `patterns` or `level`; `question` when the whole question stays behind."""
    message: str
    """What is lost or assumed, as a sentence."""

    def __str__(self) -> str:
        return f"{self.question}: {self.part}: {self.message}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read from a file."""

    questions: tuple[Question, ...]
    """In the order of the file. Ids are unique here, and provisional: the import settles them with the bank."""
    faults: tuple[Fault, ...] = ()
    """What could not be read, with the line in the file; `path` is the file inside a package, or the file's name."""
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    data: bytes
    written: tuple[str, ...]
    """The ids of the questions that are in it."""
    losses: tuple[Loss, ...] = ()


class Format(ABC):
    """One format. Every instance is listed in `question_bank.formats.FORMATS`."""

    name: ClassVar[str]
    """As it is called on the command line, such as `moodle-xml`."""
    title: ClassVar[str]
    """As people call it."""
    extensions: ClassVar[tuple[str, ...]]
    """File name endings with the dot, the usual one first."""
    can_import: ClassVar[bool] = True
    can_export: ClassVar[bool] = True
    carries: ClassVar[frozenset[str]]
    """The kinds that it can hold; questions of other kinds stay behind, and are reported."""
    media_type: ClassVar[str] = "application/octet-stream"
    """For a download."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Fail when a format is defined, not when somebody first uses it."""
        super().__init_subclass__(**kwargs)
        if inspect.isabstract(cls):
            return
        missing = [name for name in ("name", "title", "extensions", "carries") if not hasattr(cls, name)]
        if missing:
            raise TypeError(f"The format {cls.__name__} is incomplete: it lacks {', '.join(missing)}.")

    def read(self, data: bytes, name: str = "upload") -> Imported:
        """The questions of a file; `name` is what faults call it.

        Raises `FormatRefused` when nothing in it can be read. What can be read is, and the rest is in `faults`.
        """
        if not self.can_import:
            raise FormatRefused(f"{self.title} can be exported only: choose another format to import.")
        if len(data) > MAX_UPLOAD:
            raise FormatRefused(
                f"{name} is larger than {MAX_UPLOAD // 1024 // 1024} MiB: export it in several parts."
            )
        if not data.strip():
            raise FormatRefused(f"{name} is empty: choose a file with questions.")
        return self._read(data, name)

    def write(self, questions: Sequence[Question]) -> Exported:
        """The questions as a file. Raises `FormatRefused` when the format is for import only."""
        if not self.can_export:
            raise FormatRefused(f"{self.title} can be imported only: choose another format to export.")
        return self._write(questions)

    def _read(self, data: bytes, name: str) -> Imported:
        raise NotImplementedError

    def _write(self, questions: Sequence[Question]) -> Exported:
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def sniff(cls, data: bytes) -> bool:
        """Whether a file looks like this format; a guess for people who don't know what they have."""
