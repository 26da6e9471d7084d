"""The manifest of a package: which items it has, and what it says about each in the learning object metadata (LOM)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from question_bank.formats import qti_tree
from question_bank.formats.qti_tree import Element, every, first, legal, line_text
from question_bank.formats.qti_vocabulary import LOM, Version
from question_bank.schema import FrontMatter

MANIFEST = "imsmanifest.xml"
CATALOG = "question-bank"
"""The catalogue whose entries are ids of questions, and the beginning of the names of taxonomies."""

_DIFFICULTIES = ("very easy", "easy", "medium", "difficult", "very difficult")
_LISTS = ("topics", "skills", "replaces")
_DURATION = re.compile(r"P(?:(\d{1,3})D)?T?(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})(?:\.\d+)?S)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One item to be listed."""

    identifier: str
    href: str
    title: str
    meta: FrontMatter


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource of somebody's package."""

    href: str
    """The path inside the package."""
    type: str
    line: int
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FrontMatter`."""
    unplaced: tuple[str, ...] = ()
    """Names of other taxonomies that it is filed under."""


def write(entries: Sequence[Entry], version: Version) -> bytes:
    """The manifest of a package."""
    space = f"{{{version.package_namespace}}}"
    root = ElementTree.Element(f"{space}manifest", {"identifier": "manifest"})
    about = ElementTree.SubElement(root, f"{space}metadata")
    ElementTree.SubElement(about, f"{space}schema").text = version.schema
    ElementTree.SubElement(about, f"{space}schemaversion").text = version.schema_version
    ElementTree.SubElement(root, f"{space}organizations")
    resources = ElementTree.SubElement(root, f"{space}resources")
    for entry in entries:
        resource = ElementTree.SubElement(
            resources,
            f"{space}resource",
            {"identifier": f"resource-{entry.identifier}", "type": version.item_type, "href": entry.href},
        )
        ElementTree.SubElement(resource, f"{space}metadata").append(_lom(entry))
        ElementTree.SubElement(resource, f"{space}file", {"href": entry.href})
    return qti_tree.to_bytes(root, version.package_namespace, imsmd=LOM)


def _lom(entry: Entry) -> Element:
    meta = entry.meta
    general = _node("general", _node("identifier", _leaf("catalog", CATALOG), _leaf("entry", entry.identifier)))
    general.append(_node("title", _string(entry.title)))
    educational = _node(
        "educational",
        _node("difficulty", _leaf("source", "LOMv1.0"), _leaf("value", _DIFFICULTIES[meta.difficulty - 1])),
        _node("typicalLearningTime", _leaf("duration", f"PT{meta.seconds}S")),
    )
    purpose = _node("purpose", _leaf("source", "LOMv1.0"), _leaf("value", "discipline"))
    paths = [
        _node(
            "taxonPath",
            _node("source", _string(f"{CATALOG}/{name}")),
            _node("taxon", _node("entry", _string(value))),
        )
        for name, value in _filed(meta)
    ]
    return _node("lom", general, educational, _node("classification", purpose, *paths))


def _filed(meta: FrontMatter) -> Iterator[tuple[str, str]]:
    """The common fields that LOM has no place for, each with its values."""
    yield "module", meta.module
    for name in _LISTS:
        for value in getattr(meta, name):
            yield name, value
    if meta.level:
        yield "level", meta.level
    if meta.scenario:
        yield "scenario", "true"
    for name in ("lab", "lesson"):
        if value := getattr(meta.links, name):
            yield name, value
    for path in meta.links.code:
        yield "code", path


def read(root: Element) -> list[Listed]:
    """The resources of a manifest, in its order. Names are those of `qti_tree.read_tree`."""
    found = []
    for resource in every(root, "resource"):
        href = resource.get("href") or next((file.get("href", "") for file in every(resource, "file")), "")
        holders = [holder for holder in (root, first(root, "resources"), resource) if holder is not None]
        base = "".join(holder.get("base", "") for holder in holders)
        path = posixpath.normpath(unquote(base + href.partition("?")[0])) if href else ""
        meta, unplaced = _meta(resource)
        line = getattr(resource, "line", 1)
        found.append(Listed(path, resource.get("type", "").casefold(), line, meta, unplaced))
    return found


def _meta(resource: Element) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields that a resource's metadata give, and what else it is filed under."""
    meta: dict[str, Any] = {}
    for identifier in every(resource, "identifier"):
        if line_text(first(identifier, "catalog")) == CATALOG:
            meta["id"] = line_text(first(identifier, "entry"))
    difficulty = line_text(first(resource, "educational", "difficulty", "value"))
    if difficulty in _DIFFICULTIES:
        meta["difficulty"] = _DIFFICULTIES.index(difficulty) + 1
    if seconds := _seconds(line_text(first(resource, "educational", "typicalLearningTime"))):
        meta["seconds"] = seconds
    links: dict[str, Any] = {}
    unplaced = []
    for path in every(resource, "taxonPath"):
        source, entries = line_text(first(path, "source")), [line_text(entry) for entry in every(path, "entry")]
        named = " / ".join(entry for entry in entries if entry)
        kind, _, name = source.partition("/")
        if kind != CATALOG:
            if named:
                unplaced.append(f"{source}: {named}" if source else named)
        elif name in _LISTS:
            meta.setdefault(name, []).append(named)
        elif name == "code":
            links.setdefault(name, []).append(named)
        elif name in ("lab", "lesson"):
            links[name] = named
        elif name == "scenario":
            meta[name] = named == "true"
        elif name in ("module", "level"):
            meta[name] = named
    if links:
        meta["links"] = links
    return _acceptable(meta), tuple(dict.fromkeys(unplaced))


def _acceptable(meta: dict[str, Any]) -> dict[str, Any]:
    """The fields without those whose value can't be one: somebody may have edited the manifest."""
    kept = {}
    sample = {"id": "some-id", "kind": "single", "module": "some-module", "topics": ["some-topic"]}
    for name, value in meta.items():
        try:
            FrontMatter.model_validate({**sample, "difficulty": 1, "seconds": 60, name: value})
        except ValueError:
            continue
        kept[name] = value
    return kept


def _seconds(duration: str) -> int | None:
    match = _DURATION.fullmatch(duration)
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return total if 10 <= total <= 3600 else None


def _node(name: str, *children: Element) -> Element:
    made = ElementTree.Element(f"{{{LOM}}}{name}")
    made.extend(children)
    return made


def _leaf(name: str, text: str) -> Element:
    made = _node(name)
    made.text = legal(text)
    return made


def _string(text: str) -> Element:
    made = _leaf("string", text)
    made.set("language", "en")
    return made
