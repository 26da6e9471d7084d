"""Reads QTI 2 and 3: a package with a manifest, a zip of items without one, or one item as an XML file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from question_bank.formats import qti_manifest, qti_read
from question_bank.formats.intake import Intake
from question_bank.formats.interface import FormatRefused, Imported
from question_bank.formats.qti_manifest import MANIFEST, Listed
from question_bank.formats.qti_reading import CannotRead
from question_bank.formats.qti_tree import every, read_tree
from question_bank.formats.safe_zip import Package, open_package

ZIP = b"PK\x03\x04"
_QUIET = ("imsqti_test", "imsqti_assessment", "associatedcontent", "webcontent", "css", "imsqti_stylesheet")
"""Types of resources that hold no question."""


def read(data: bytes, name: str) -> Imported:
    """The questions of a file. Raises `FormatRefused` when nothing in it can be read."""
    intake = Intake(name)
    if data.startswith(ZIP):
        _package(open_package(data, name), intake)
    else:
        _file(data, Listed("", "", 1), intake, name)
    return intake.imported()


def _package(package: Package, intake: Intake) -> None:
    for refused, message in package.refused:
        intake.fault(1, message, refused)
    manifest = min(
        (path for path in package.files if posixpath.basename(path) == MANIFEST), key=len, default=""
    )
    listed: list[Listed] = []
    if manifest:
        listed = _listed(package, manifest, intake)
    else:
        intake.fault(1, f"The package has no `{MANIFEST}`: every XML file in it was tried.", intake.name)
    if not listed:
        tried = [
            path for path in sorted(package.files) if path.casefold().endswith(".xml") and path != manifest
        ]
        listed = [Listed(path, "", 1) for path in tried]
    if not listed:
        raise FormatRefused(f"{intake.name} has no file of QTI 2 or 3: import it as what it is.")
    seen: set[str] = set()
    for resource in listed:
        if resource.href in seen:
            continue
        seen.add(resource.href)
        if resource.href not in package.files:
            message = f"It lists `{resource.href[:200]}`, which isn't in the package."
            intake.fault(resource.line, message, manifest)
            continue
        try:
            _file(package.read(resource.href), resource, intake, resource.href)
        except FormatRefused as error:
            intake.fault(1, str(error), resource.href)


def _listed(package: Package, manifest: str, intake: Intake) -> list[Listed]:
    """The items that the manifest names, with their paths inside the package."""
    try:
        tree = read_tree(package.read(manifest), manifest)
    except FormatRefused as error:
        intake.fault(1, f"{error} Every XML file of the package was tried.", manifest)
        return []
    if tree.fault:
        intake.fault(*tree.fault, path=manifest)
    folder = posixpath.dirname(manifest)
    found = []
    for resource in qti_manifest.read(tree.root):
        if not resource.href or _is_no_item(resource):
            continue
        path = posixpath.normpath(posixpath.join(folder, resource.href))
        if path.startswith(("../", "/")):
            intake.fault(
                resource.line, f"`{resource.href[:200]}` leads out of the package: left out.", manifest
            )
            continue
        found.append(Listed(path, resource.type, resource.line, resource.meta, resource.unplaced))
    return found


def _is_no_item(resource: Listed) -> bool:
    return any(word in resource.type for word in _QUIET) or (
        "imsqti" not in resource.type and not resource.href.casefold().endswith(".xml")
    )


def _file(data: bytes, listed: Listed, intake: Intake, path: str) -> None:
    """Take in the items of one XML file. Raises `FormatRefused` when it can't be read at all."""
    tree = read_tree(data, path)
    if tree.fault:
        intake.fault(*tree.fault, path=path)
    if tree.doubt:
        intake.fault(1, tree.doubt, path)
    items = [tree.root] if tree.root.tag == "assessmentItem" else every(tree.root, "assessmentItem")
    if not items:
        if tree.root.tag == "questestinterop":
            raise FormatRefused(f"{path} is QTI 1.2: import it as such.")
        if "imsqti_item" in listed.type or not listed.type:
            raise FormatRefused(f"{path} has no item of QTI 2 or 3: its root is `{str(tree.root.tag)[:60]}`.")
        return
    for item in items:
        _item(item, listed if len(items) == 1 else Listed(path, "", 1), intake, path)


def _item(item: object, listed: Listed, intake: Intake, path: str) -> None:
    line = getattr(item, "line", 1)
    try:
        incoming = qti_read.item(item, listed.meta, path)
    except CannotRead as error:
        intake.fault(line, f"“{_name(item)}” can't be taken in: {error}", path)
        return
    question = intake.add(incoming)
    if question is not None and listed.unplaced:
        intake.lose(question.id, "topics", f"It is filed there under {_joined(listed.unplaced)}.")


def _name(item: object) -> str:
    attributes = getattr(item, "attrib", {})
    return " ".join(str(attributes.get("title") or attributes.get("identifier") or "an item").split())[:60]


def _joined(names: Iterable[str]) -> str:
    return "; ".join(names)[:300]
