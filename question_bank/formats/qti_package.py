"""Packages of QTI 2.1 and 3.0, both ways."""

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


class Qti21(Format):
    """QTI 2.1: a zip with a manifest and an XML file for each item.

    Reading takes 2.0, 2.2 and 3.0 as well, and an item on its own.
    """

    name: ClassVar[str] = "qti-2.1"
    title: ClassVar[str] = "QTI 2.1"
    extensions: ClassVar[tuple[str, ...]] = (".zip", ".xml")
    carries: ClassVar[frozenset[str]] = KINDS
    media_type: ClassVar[str] = "application/zip"
    version: ClassVar[Version] = QTI_21

    def _read(self, data: bytes, name: str) -> Imported:
        return qti_import.read(data, name)

    def _write(self, questions: Sequence[Question]) -> Exported:
        return qti_export.write(questions, self.version)

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        spaces = (cls.version.item_namespace.encode(), cls.version.package_namespace.encode())
        return any(_begins(part, space) for part in beginnings(data) for space in spaces)


class Qti30(Qti21):
    """QTI 3.0."""

    name: ClassVar[str] = "qti-3.0"
    title: ClassVar[str] = "QTI 3.0"
    version: ClassVar[Version] = QTI_30


def _begins(data: bytes, space: bytes) -> bool:
    """Whether a file is of a namespace. Cartridges of QTI 1.2 have manifests like those of QTI 2.1."""
    return space in data and b"imsqti_xmlv1p2" not in data
