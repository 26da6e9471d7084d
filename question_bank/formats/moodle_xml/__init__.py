"""Moodle XML, both ways: choices, true/false, short, numeric, matching, ordering, cloze and open questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from question_bank.formats.interface import Exported, Format, Imported
from question_bank.formats.moodle_xml.reading import read_questions
from question_bank.formats.moodle_xml.writing import write_questions
from question_bank.question import Question


class MoodleXml(Format):
    """The XML that Moodle's question bank exports and imports."""

    name: ClassVar[str] = "moodle-xml"
    title: ClassVar[str] = "Moodle XML"
    extensions: ClassVar[tuple[str, ...]] = (".xml",)
    carries: ClassVar[frozenset[str]] = frozenset(
        {"single", "multiple", "true-false", "short", "numeric", "matching", "ordering", "cloze", "open"}
    )
    media_type: ClassVar[str] = "application/xml"

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        return b"<quiz" in data[:4096]

    def _read(self, data: bytes, name: str) -> Imported:
        return read_questions(data, name)

    def _write(self, questions: Sequence[Question]) -> Exported:
        return write_questions(questions)
