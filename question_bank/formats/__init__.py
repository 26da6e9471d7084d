"""Formats in which questions come from, and go to, other systems. `registry` lists them.

    from question_bank import formats

    found = formats.FORMATS["csv"].read(Path("quiz.csv").read_bytes(), "quiz.csv")   # raises FormatRefused
    made = formats.FORMATS["csv"].write(found.questions)

The formats are loaded when `FORMATS` is looked at first: what reads other people's HTML and XML takes a while to load, and
a portal starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from question_bank.formats.interface import (
    MAX_QUESTIONS,
    MAX_UPLOAD,
    Exported,
    Format,
    FormatRefused,
    Imported,
    Loss,
)

if TYPE_CHECKING:
    from question_bank.formats.registry import FORMATS

__all__ = [
    "FORMATS",
    "MAX_QUESTIONS",
    "MAX_UPLOAD",
    "Exported",
    "Format",
    "FormatRefused",
    "Imported",
    "Loss",
]


def __getattr__(name: str) -> Any:
    if name == "FORMATS":
        from question_bank.formats.registry import FORMATS

        return FORMATS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
