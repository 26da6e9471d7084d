"""All formats. A new one is a module beside this one and a line in `_ALL`."""

from __future__ import annotations

from question_bank.formats.aiken import Aiken
from question_bank.formats.anki import Anki
from question_bank.formats.archive import Archive
from question_bank.formats.csv_table import CsvTable
from question_bank.formats.gift import Gift
from question_bank.formats.interface import Format
from question_bank.formats.moodle_xml import MoodleXml
from question_bank.formats.qti12_import import Qti12
from question_bank.formats.qti_package import Qti21, Qti30

_ALL: tuple[Format, ...] = (
    MoodleXml(),
    Gift(),
    Aiken(),
    Qti21(),
    Qti30(),
    Qti12(),
    CsvTable(),
    Archive(),
    Anki(),
)

FORMATS: dict[str, Format] = {each.name: each for each in _ALL}
"""By the name on the command line."""
