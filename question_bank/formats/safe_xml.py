"""Reads XML that strangers made: no entities, nothing from outside (a document type may be named, but is not read), bounded in
depth and in elements, with lines.

What stands before a fault is kept: `read_xml` gives the part of the tree that was complete.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from question_bank.formats.interface import FormatRefused
from question_bank.formats.text import decode

_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
MAX_DEPTH = 60
MAX_ELEMENTS = 300_000
Element = Any
"""An element of the standard library's tree; `line_of` gives its line."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A document, as far as it could be read."""

    root: Element
    fault: tuple[int, str] | None = None
    """Line and sentence of what ended the reading before the document's end."""
    doubt: str = ""
    """A sentence when the encoding had to be guessed; empty when it is sure."""


class _TooMuch(Exception):
    """A bound was reached."""


class _Parser(DefusedXMLParser):
    """Counts, and notes for each element where it starts."""

    def __init__(self) -> None:
        super().__init__(forbid_dtd=False, forbid_entities=True, forbid_external=True)
        self.open: list[Element] = []
        self.root: Element = None
        self.count = 0

    def _start(self, *args: Any, **kwargs: Any) -> Element:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise _TooMuch(f"It has more than {MAX_ELEMENTS:,} elements")
        if len(self.open) >= MAX_DEPTH:
            raise _TooMuch(f"Its elements are nested more than {MAX_DEPTH} deep")
        element = super()._start(*args, **kwargs)
        element.line = self.parser.CurrentLineNumber
        self.root = element if self.root is None else self.root
        self.open.append(element)
        return element

    def _end(self, tag: str) -> Element:
        element = super()._end(tag)
        self.open.pop()
        return element

    def cut(self, containers: Container[str]) -> None:
        """Take out of the tree what was not complete when reading ended, but for containers of what was."""
        for parent, child in zip(self.open, self.open[1:], strict=False):
            if child.tag.rpartition("}")[2] not in containers:
                parent.remove(child)
                return


def read_xml(data: bytes, name: str, containers: Container[str] = ()) -> Tree:
    """The document, with a fault when only its beginning could be read.

    `containers` are the names of elements that are kept when they were not complete, with what was complete in them.

    Raises `FormatRefused` when there is not even a root element, or when entities are declared.
    """
    parser = _Parser()
    source, doubt = _source(data, name)
    try:
        parser.feed(source)
        return Tree(parser.close(), doubt=doubt)
    except DefusedXmlException as error:
        raise FormatRefused(
            f"{name} declares entities, which questions don't need and attacks do: remove them."
        ) from error
    except (SyntaxError, ValueError, LookupError, AssertionError, _TooMuch) as error:
        # A broken document, an unknown encoding, or a bound. ParseError is a SyntaxError.
        line = getattr(error, "position", (parser.parser.CurrentLineNumber, 0))[0]
        reason = str(error).partition(":")[0] if isinstance(error, SyntaxError) else str(error)
        if parser.root is None:
            raise FormatRefused(f"{name} is no XML: {reason} in line {line}.") from error
    parser.cut(containers)
    return Tree(parser.root, (int(line), f"The file can't be read from here on: {reason}."), doubt)


def _source(data: bytes, name: str) -> tuple[bytes | str, str]:
    """The document, as text when it isn't in the encoding that it claims; and the doubt that this leaves."""
    declared = _DECLARED.match(data)
    encoding = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
    if encoding not in ("utf-8", "utf8", "us-ascii", "ascii") or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data, ""
    decoded = decode(data, name)
    return (_DECLARATION.sub("", decoded.text, count=1) if decoded.doubt else data), decoded.doubt


def line_of(element: Element) -> int:
    """The line in which an element starts."""
    return int(getattr(element, "line", 1))


def text_of(element: Element | None) -> str:
    """The text within an element, that of its children included; empty when there is no such element."""
    return "".join(element.itertext()).strip() if element is not None else ""
