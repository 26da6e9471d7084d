"""The formats of QTI: packages of versions 2.1 and 3.0 both ways, and files of version 1.2 as far as reading goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from question_bank.formats import qti_export, qti_import
from question_bank.formats.interface import Exported, Format, FormatRefused, Imported
from question_bank.formats.qti_vocabulary import QTI_21, QTI_30, Version
from question_bank.formats.qti_write import KINDS
from question_bank.formats.safe_zip import open_package
from question_bank.question import Question

_PEEKED = 4096


def beginnings(data: bytes) -> list[bytes]:
    """The first bytes of a file, or of the manifest and some XML files of a package."""
    if not data.startswith(b"PK"):
        return [data[:_PEEKED]]
    try:
        package = open_package(data, "file")
        named = [path for path in package.files if path.casefold().endswith((".xml", ".qti"))]
        named.sort(key=lambda path: (not path.endswith("imsmanifest.xml"), len(path)))
        return [package.read(path)[:_PEEKED] for path in named[:3]]
    except FormatRefused:
        return []


class _QtiPackage(Format):
    """A zip with a manifest and an XML file for each item. Reading takes either version, and an item on its own."""

    extensions = (".zip", ".xml")
    carries = KINDS
    media_type = "application/zip"
    version: ClassVar[Version]

    def _read(self, data: bytes, name: str) -> Imported:
        return qti_import.read(data, name)

    def _write(self, questions: Sequence[Question]) -> Exported:
        return qti_export.write(questions, self.version)

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        spaces = (cls.version.item_namespace.encode(), cls.version.package_namespace.encode())
        return any(space in part for part in beginnings(data) for space in spaces)


class Qti21(_QtiPackage):
    """QTI 2.1; reading takes 2.0 and 2.2, too."""

    name = "qti-2.1"
    title = "QTI 2.1"
    version = QTI_21


class Qti30(_QtiPackage):
    """QTI 3.0."""

    name = "qti-3.0"
    title = "QTI 3.0"
    version = QTI_30
