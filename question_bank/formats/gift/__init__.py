"""GIFT, both ways: Moodle's text format for choices, true/false, short, numeric, matching and open questions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from question_bank.formats.gift.reading import read_questions
from question_bank.formats.gift.writing import CARRIED, write_questions
from question_bank.formats.interface import Exported, Format, Imported
from question_bank.formats.text import beginning
from question_bank.question import Question


class Gift(Format):
    """General Import Format Technology."""

    name: ClassVar[str] = "gift"
    title: ClassVar[str] = "GIFT"
    extensions: ClassVar[tuple[str, ...]] = (".gift", ".txt")
    carries: ClassVar[frozenset[str]] = CARRIED
    media_type: ClassVar[str] = "text/plain"

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        start = beginning(data)
        return bool(re.search(r"^\s*(::|\$CATEGORY:|//)", start)) or bool(re.search(r"\{\s*[=~#TF]", start))

    def _read(self, data: bytes, name: str) -> Imported:
        return read_questions(data, name)

    def _write(self, questions: Sequence[Question]) -> Exported:
        return write_questions(questions)
