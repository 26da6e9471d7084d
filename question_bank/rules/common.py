"""What rules share: the ids that links may name, and faults with the right line."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from question_bank.question import Question
from question_bank.schema import Fault, Option


@dataclass(frozen=True, slots=True)
class Known:
    """The ids that links may name; None means unknown, and then links of that sort go unchecked."""

    topics: Set[str] | None = None
    modules: Set[str] | None = None
    lessons: Set[str] | None = None
    labs: Set[str] | None = None
    code_root: Path | None = None
    """The folder that code links are relative to."""


def fault(question: Question, part: str, message: str, rule: str) -> Fault:
    return Fault(question.path, question.lines.get(part, 1), message, rule)


def option_fault(question: Question, option: Option, message: str, rule: str) -> Fault:
    return Fault(question.path, option.line, message, rule)
