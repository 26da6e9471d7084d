"""Moodle's texts: each says in what format it is written."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from question_bank.formats.markup import from_html, from_plain
from question_bank.formats.safe_xml import Element

_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>")
_DEFAULT = "html"


class Reader:
    """Reads the texts of one question, and gathers what they lose."""

    def __init__(self, element: Element) -> None:
        self.lost: list[tuple[str, str]] = []
        self._element = element
        asked = element.find("questiontext")
        self._format = str(asked.get("format") or _DEFAULT) if asked is not None else _DEFAULT

    def text(self, name: str, parent: Element | None = None) -> str:
        """The text of a child, as Markdown; empty when there is none."""
        found = (self._element if parent is None else parent).find(name)
        return self.own_text(found) if found is not None else ""

    def own_text(self, element: Element) -> str:
        """The text of an element that holds one, as Markdown."""
        return self._taken(value_of(element, "."), str(element.get("format") or self._format), element)

    def plain(self, text: str) -> str:
        """A text without a format, such as the right side of a pair; other systems write entities into it."""
        if self._format == "markdown":
            return text
        return from_plain(html.unescape(_TAGS.sub("", text)))

    def with_gaps(
        self, read: Callable[[str, Callable[[str], str]], tuple[str, dict[str, Any]]]
    ) -> tuple[str, dict[str, Any]]:
        """The question's text after its gaps were taken out of it."""
        element = self._element.find("questiontext")
        if element is None:
            return "", {}
        source = value_of(element, ".")
        if self._format == "markdown":
            return read(source, lambda text: text)
        text, gaps = read(source, lambda text: html.unescape(_TAGS.sub("", text)))
        return self._taken(text, self._format, element), gaps

    def _taken(self, text: str, style: str, element: Element) -> str:
        if style not in ("html", "moodle_auto_format"):
            if element.findall("file"):
                self.lost.append(("files", "Its files can't be stored."))
            return text.strip() if style == "markdown" else from_plain(text)
        if style == "moodle_auto_format" and not _TAGS.search(text):
            return from_plain(html.unescape(text))
        taken = from_html(text.replace("\n", "<br>") if style == "moodle_auto_format" else text)
        self.lost.extend(("text", sentence) for sentence in taken.lost)
        return taken.text


def value_of(element: Element | None, path: str) -> str:
    """The text of a child, which stands in a `<text>` or directly in it; empty when there is none."""
    found = element if path == "." or element is None else element.find(path)
    if found is None:
        return ""
    inner = found.find("text")
    return str((inner if inner is not None else found).text or "").strip()
