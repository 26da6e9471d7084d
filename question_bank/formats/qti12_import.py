"""Reads QTI 1.2: an XML file, a Canvas export, or a Common Cartridge."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import ClassVar

from question_bank.formats import qti12_read, qti_manifest
from question_bank.formats.intake import Intake
from question_bank.formats.interface import Exported, Format, FormatRefused, Imported
from question_bank.formats.qti_manifest import MANIFEST
from question_bank.formats.qti_package import beginnings
from question_bank.formats.qti_reading import CannotRead
from question_bank.formats.qti_tree import every, line_text, read_tree
from question_bank.formats.safe_zip import Package, open_package
from question_bank.question import Question

_ROOT = b"questestinterop"
_PEEKED = 4096


class Qti12(Format):
    """QTI 1.2 as Canvas exports it, for import only."""

    name: ClassVar[str] = "qti-1.2"
    title: ClassVar[str] = "QTI 1.2 (Canvas, Common Cartridge)"
    extensions: ClassVar[tuple[str, ...]] = (".zip", ".imscc", ".xml", ".qti")
    can_export: ClassVar[bool] = False
    carries: ClassVar[frozenset[str]] = frozenset(
        {"single", "multiple", "true-false", "numeric", "short", "ordering", "matching", "cloze", "open"}
    )
    media_type: ClassVar[str] = "application/zip"

    def _read(self, data: bytes, name: str) -> Imported:
        intake = Intake(name)
        if data.startswith(b"PK"):
            _package(open_package(data, name), intake)
        else:
            _file(data, intake, name, set())
        return intake.imported()

    def _write(self, questions: Sequence[Question]) -> Exported:
        raise NotImplementedError

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        return any(_ROOT in part or b"imsqti_xmlv1p2" in part for part in beginnings(data))


def _package(package: Package, intake: Intake) -> None:
    for refused, message in package.refused:
        intake.fault(1, message, refused)
    expected = _expected(package, intake)
    seen: set[str] = set()
    found = False
    files = [path for path in package.files if path.casefold().endswith((".xml", ".qti", ".dat"))]
    # Canvas writes a quiz twice: in full as `.qti`, and as a cartridge may have it. The first comes first.
    for path in sorted(files, key=lambda path: (not path.casefold().endswith(".qti"), path)):
        try:
            data = package.read(path)
        except FormatRefused as error:
            intake.fault(1, str(error), path)
            continue
        if _is_qti(data):
            found = True
            try:
                _file(data, intake, path, seen)
            except FormatRefused as error:
                intake.fault(1, str(error), path)
        elif path in expected:
            intake.fault(1, f"{path} is listed as questions, but its root is no `questestinterop`.", path)
    if not found:
        raise FormatRefused(f"{intake.name} has no file of QTI 1.2: import it as what it is.")


def _is_qti(data: bytes) -> bool:
    return _ROOT in data[:_PEEKED].replace(b"\0", b"")


def _expected(package: Package, intake: Intake) -> set[str]:
    """The files that the manifest calls QTI 1.2; those that aren't there are reported."""
    manifest = min(
        (path for path in package.files if posixpath.basename(path) == MANIFEST), key=len, default=""
    )
    if not manifest:
        return set()
    try:
        tree = read_tree(package.read(manifest), manifest)
    except FormatRefused as error:
        intake.fault(1, f"{error} Every XML file of the package was tried.", manifest)
        return set()
    found = set()
    for resource in qti_manifest.read(tree.root):
        if "imsqti_xmlv1p2" not in resource.type or not resource.href:
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(manifest), resource.href))
        found.add(path)
        if path not in package.files:
            intake.fault(resource.line, f"It lists `{path[:200]}`, which isn't in the package.", manifest)
    return found


def _file(data: bytes, intake: Intake, path: str, seen: set[str]) -> None:
    """Take in the items of a file that were not seen before. Raises `FormatRefused` when it can't be read at all."""
    tree = read_tree(data, path)
    if tree.root.tag != "questestinterop":
        raise FormatRefused(
            f"{path} is no QTI 1.2: its root is `{str(tree.root.tag)[:60]}`, not `questestinterop`."
        )
    if tree.fault:
        intake.fault(*tree.fault, path=path)
    if tree.doubt:
        intake.fault(1, tree.doubt, path)
    before = set(seen)
    for element in every(tree.root, "item"):
        ident = element.get("ident", "")
        if ident and ident in before:
            continue
        seen.add(ident)
        try:
            incoming = qti12_read.item(element, path)
        except CannotRead as error:
            named = " ".join((element.get("title") or ident or line_text(element)).split())[:60]
            intake.fault(getattr(element, "line", 1), f"“{named}” can't be taken in: {error}", path)
        else:
            intake.add(incoming)
