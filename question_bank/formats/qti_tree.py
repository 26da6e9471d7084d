"""Trees of QTI, with the names of version 2.1 whatever the file says: made, looked through, written in a version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from question_bank.formats import safe_xml
from question_bank.formats.qti_vocabulary import (
    Version,
    plain_attribute,
    plain_name,
    version_attribute,
    version_name,
)

Element = Any
"""An element of the standard library's tree."""
Part = Any
"""A text, or an element."""

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CONTAINERS = frozenset({"assessment", "section", "objectbank", "resources", "metadata"})
"""What holds items, or resources."""
_WRAPPED = frozenset({"modalFeedback", "rubricBlock"})


def read_tree(data: bytes, name: str) -> safe_xml.Tree:
    """An XML file as `safe_xml` reads it, then with the names of QTI 2.1 and without namespaces.

    Raises `FormatRefused` when not even a root element can be read.
    """
    tree = safe_xml.read_xml(data, name, _CONTAINERS)
    for element in tree.root.iter():
        if not isinstance(element.tag, str):
            continue
        kebab = element.tag.rpartition("}")[2].startswith("qti-")
        attributes = {plain_attribute(key, kebab=kebab): value for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update(attributes)
        element.tag = plain_name(element.tag)
    return tree


def make(tag: str, attributes: Mapping[str, str] | None = None, *content: Part) -> Element:
    """An element with attributes, and with texts and elements in it. What XML can't hold is left out."""
    element = ElementTree.Element(tag, {name: legal(value) for name, value in (attributes or {}).items()})
    for part in content:
        add(element, part)
    return element


def add(parent: Element, part: Part) -> None:
    """Put a text or an element behind what an element has already."""
    if not isinstance(part, str):
        parent.append(part)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + legal(part)
    else:
        parent.text = (parent.text or "") + legal(part)


def legal(text: str) -> str:
    """The text without characters that XML can't hold."""
    return _ILLEGAL.sub("", text)


def parts(element: Element) -> Iterator[Part]:
    """What an element contains, texts and elements, in its order."""
    if element.text:
        yield element.text
    for child in element:
        yield child
        if child.tail:
            yield child.tail


def line_text(element: Element | None) -> str:
    """All text in an element, in one line."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def first(element: Element | None, *path: str) -> Element | None:
    """The first element down a path of names, each anywhere below the one before."""
    for tag in path:
        if element is None:
            return None
        element = next((found for found in element.iter(tag) if found is not element), None)
    return element


def every(element: Element, *tags: str) -> list[Element]:
    """All elements of these names below one, in the order of the file."""
    return [found for found in element.iter() if found.tag in tags and found is not element]


def write_item(root: Element, version: Version) -> bytes:
    """An item as the XML file of a version."""
    written = _in_version(root, version)
    written.set(f"{{{_XSI}}}schemaLocation", f"{version.item_namespace} {version.item_schema}")
    return to_bytes(written, version.item_namespace)


def to_bytes(root: Element, namespace: str, **prefixes: str) -> bytes:
    """An XML file in which elements of a namespace have no prefix, and those of others the prefix given."""
    ElementTree.register_namespace("xsi", _XSI)
    for prefix, uri in prefixes.items():
        ElementTree.register_namespace(prefix, uri)
    ElementTree.register_namespace("", namespace)
    made: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return made + b"\n"


def _in_version(element: Element, version: Version) -> Element:
    tag = element.tag
    written = ElementTree.Element(version_name(tag, version))
    for name, value in element.attrib.items():
        if known := version_attribute(tag, name, version):
            written.set(known, value)
    inside = written
    if version.kebab and tag in _WRAPPED:
        inside = ElementTree.SubElement(written, version_name("contentBody", version))
    inside.text = element.text
    for child in element:
        made = _in_version(child, version)
        made.tail = child.tail
        inside.append(made)
    return written
