"""Markdown that would not show what its author meant: open code and bold, vanishing tags, lists glued to text, ragged
tables, links that lead nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from question_bank.items import MARKERS, FenceTracker
from question_bank.question import Question
from question_bank.schema import Fault
from question_bank.tangle import tangled

RULE = "markdown"

_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_QUOTE = re.compile(r"^\s*>\s?")
_LIST = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_GLUED_LIST = re.compile(r"^(?:[-*+]|1[.)])\s+\S")
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_RULE_ROW = re.compile(r"^\s*\|(\s*:?-+:?\s*\|)+\s*$")
_TAG = re.compile(r"</?([a-zA-Z][\w.-]*)(?:\s[^<>]*)?/?>")
_HARMLESS_TAGS = frozenset({"br", "sub", "sup", "kbd", "details", "summary"})
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?[^()]*\)")
_ADDRESS = re.compile(r"https?://[\w-]+(\.[\w-]+)+(:\d+)?([/?#]\S*)?", re.ASCII)
_REFERENCE = re.compile(r"(?<!\w)\[[^\[\]]+\]\[([^\[\]]+)\]")
_DEFINITION = re.compile(r"^\[([^\]]+)\]:\s*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines that belong together: markup may span them."""

    line: int
    text: str


def markdown(question: Question) -> Iterator[Fault]:
    """Every such place in the prompt and in the sections."""
    document = question.document
    if document is None:
        return
    for name, section in (("", document.prompt), *document.sections.items()):
        if tangled(section.text):
            message = "It has more brackets, tags, headings or lists in lists than can be laid out: write it more simply."
            yield Fault(question.path, section.line, message, RULE)
            continue
        lines = list(_outside_code(section.text, section.line))
        defined = {found.casefold() for found in _DEFINITION.findall(section.text)}
        complaints = [
            *(complaint for paragraph in _paragraphs(lines) for complaint in _inline(paragraph, defined)),
            *_tables(lines),
            *(_glued(lines) if name not in MARKERS else ()),
        ]
        for line, message in complaints:
            yield Fault(question.path, line, message, RULE)


def _outside_code(text: str, first_line: int) -> Iterator[tuple[int, str]]:
    """The numbered lines, those of code blocks and what they interrupt left empty."""
    fence = FenceTracker()
    for number, line in enumerate(text.split("\n"), start=first_line):
        # A quoted block, as feedback may hold one, has its fences behind the `>`.
        yield number, "" if fence.feed(number, _QUOTE.sub("", line)) else line


def _paragraphs(lines: list[tuple[int, str]]) -> Iterator[_Paragraph]:
    first, gathered, quoted = 0, list[str](), False
    for number, line in lines:
        in_quote = _QUOTE.match(line) is not None
        bare = _QUOTE.sub("", line)
        if gathered and (not bare.strip() or in_quote != quoted or _LIST.match(line) or _ROW.match(line)):
            yield _Paragraph(first, "\n".join(gathered))
            gathered = []
        if bare.strip():
            first, quoted = (number, in_quote) if not gathered else (first, quoted)
            gathered.append(bare)
    if gathered:
        yield _Paragraph(first, "\n".join(gathered))


def _inline(paragraph: _Paragraph, defined: set[str]) -> Iterator[tuple[int, str]]:
    # What is code keeps its place and its line breaks, and loses its meaning.
    text = _CODE.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), paragraph.text)
    text = re.sub(r"\\[\\`*_<>\[\]()]", "xx", text)

    def at(position: int) -> int:
        return paragraph.line + text.count("\n", 0, position)

    if (tick := text.find("`")) >= 0:
        yield at(tick), "This backtick is never closed: the code would run on."
    if text.count("**") % 2:
        yield at(text.rfind("**")), "This `**` is never closed: the stars would be shown."
    for match in _TAG.finditer(text):
        if match[1].lower() not in _HARMLESS_TAGS:
            yield at(match.start()), f"`{match[0]}` is read as HTML and vanishes: put it in backticks."
    for match in _LINK.finditer(text):
        if not match[2].strip() and not match[1]:
            yield at(match.start()), "This link has no text."
        if not _ADDRESS.fullmatch(match[3]):
            message = (
                f"The link to `{match[3]}` leads nowhere: give a whole address (https://…), or use `links` in the front "
                "matter for labs, lessons and files."
            )
            yield at(match.start()), message
    for match in _REFERENCE.finditer(text):
        if match[1].casefold() not in defined:
            yield at(match.start()), f"The link `{match[0]}` has no definition `[{match[1]}]: https://…`."


def _glued(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """A list or table right below a paragraph is shown as part of it; so is a heading of the first two levels."""
    before, in_list = "", False
    for number, line in lines:
        starts_list = _GLUED_LIST.match(line) is not None
        if before.strip() and not in_list and starts_list:
            yield number, "A list right below text is shown as text: leave a line empty before it."
        if before.strip() and _ROW.match(line) and not _ROW.match(before):
            yield number, "A table right below text is shown as text: leave a line empty before it."
        if line.startswith("# "):
            yield number, "Use `###` for a heading of your own: the larger ones belong to the page."
        in_list = starts_list or (
            in_list and (line.startswith("  ") or not line.strip() or bool(before.strip()))
        )
        before = line


def _tables(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    columns = 0
    before = ""
    for number, line in lines:
        if _RULE_ROW.match(line) and _ROW.match(before):
            columns = _cells(line)
            if _cells(before) != columns:
                yield number, f"The table's head has {_cells(before)} columns, the line below it {columns}."
        elif columns and _ROW.match(line):
            if _cells(line) != columns:
                yield number, f"This row has {_cells(line)} columns, the table {columns}."
        else:
            columns = 0
        before = line


def _cells(row: str) -> int:
    return _CODE.sub("x", row).replace(r"\|", "x").strip().strip("|").count("|") + 1
