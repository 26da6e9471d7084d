"""Reads the questions of a Moodle XML file."""

from __future__ import annotations

import re
from typing import Any

from question_bank.formats.common import split_explanation
from question_bank.formats.intake import Incoming, Intake, topic_of_category
from question_bank.formats.interface import FormatRefused, Imported
from question_bank.formats.moodle_xml.gaps import BrokenGap
from question_bank.formats.moodle_xml.texts import Reader, value_of
from question_bank.formats.moodle_xml.types import TYPES, Unreadable
from question_bank.formats.safe_xml import Element, line_of, read_xml
from question_bank.formats.tags import from_tags
from question_bank.formats.text import Decoded, decode

_OPENING = re.compile(r"<question[\s>]")
_CLOSING = re.compile(r"</question\s*>")
_NOT_COMPLETE = "The question that begins here is not complete: it was left out."
_SELDOM = {
    "calculated": "calculated from a formula",
    "calculatedsimple": "calculated from a formula",
    "calculatedmulti": "calculated from a formula",
    "randomsamatch": "drawn at random from others",
    "random": "drawn at random from others",
    "ddimageortext": "about an image",
    "ddmarker": "about an image",
    "coderunner": "of the CodeRunner plugin",
    "stack": "of the STACK plugin",
}


class _File:
    """What is known while one file is read: where the questions go."""

    def __init__(self, name: str) -> None:
        self.intake = Intake(name)
        self.category = ""

    def take(self, element: Element, offset: int = 0) -> None:
        line = line_of(element) + offset
        kind = str(element.get("type", "")).strip().lower()
        if kind == "category":
            self.category = value_of(element, "category")
            return
        reader = Reader(element)
        title = value_of(element, "name") or reader.text("questiontext")[:60]
        try:
            self.intake.add(_incoming(kind, element, reader, title, self.category, line))
        except (Unreadable, BrokenGap) as problem:
            self.intake.fault(line, f"“{' '.join(title.split())[:60]}” ({kind or 'no type'}): {problem}")


def read_questions(data: bytes, name: str) -> Imported:
    """The questions of a file; each that can't be read is a fault at its line."""
    try:
        tree = read_xml(data, name)
    except FormatRefused:
        if b"<!ENTITY" in data or b"<question" not in data:
            raise
        tree = None
    file = _File(name)
    if tree is None or tree.fault:
        _in_pieces(decode(data, name), name, file)
        return file.intake.imported()
    if tree.root.tag != "quiz":
        raise FormatRefused(f"{name} is no Moodle XML: its root is `{str(tree.root.tag)[:40]}` and not `quiz`.")
    if tree.doubt:
        file.intake.fault(1, tree.doubt)
    for element in tree.root.findall("question"):
        if file.intake.full:
            break
        file.take(element)
    return file.intake.imported()


def _in_pieces(decoded: Decoded, name: str, file: _File) -> None:
    """Reads each question of a broken file for itself, so that one fault costs one question."""
    if decoded.doubt:
        file.intake.fault(1, decoded.doubt)
    text, begin, line = decoded.text, 0, 1
    for closing in _CLOSING.finditer(text):
        starts = [match.start() for match in _OPENING.finditer(text, begin, closing.start())]
        for start in starts:
            line += text.count("\n", begin, start)
            begin = start
            if start != starts[-1]:
                file.intake.fault(line, _NOT_COMPLETE)
        if starts:
            _take_piece(text[begin : closing.end()], line, name, file)
        line += text.count("\n", begin, closing.end())
        begin = closing.end()
        if file.intake.full:
            return
    if begin == 0:
        raise FormatRefused(f"{name} is no Moodle XML: there is no complete question in it.")
    if match := _OPENING.search(text, begin):
        file.intake.fault(line + text.count("\n", begin, match.start()), _NOT_COMPLETE)


def _take_piece(piece: str, line: int, name: str, file: _File) -> None:
    try:
        tree = read_xml(piece.encode(), name)
    except FormatRefused as problem:
        file.intake.fault(line, f"This question can't be read: {problem}")
        return
    if tree.fault:
        at, reason = tree.fault
        message = f"The question that begins in line {line} can't be read: {reason.rpartition(': ')[2]}"
        file.intake.fault(line + at - 1, message)
    else:
        file.take(tree.root, line - 1)


def _incoming(kind: str, element: Element, reader: Reader, title: str, category: str, line: int) -> Incoming:
    if kind == "description":
        raise Unreadable("This is a text without a question: it was left out.")
    if kind not in TYPES:
        what = _SELDOM.get(kind, "of a type that has no counterpart here")
        raise Unreadable(
            f"A question {what} can't be taken in: write it anew, with `parameters` where it has a formula."
        )
    explanation, references = split_explanation(reader.text("generalfeedback"))
    meta = _meta(element, category, reader.lost)
    if element.find("hint") is not None:
        reader.lost.append(("hints", "Hints between attempts stay behind."))
    for name in ("correctfeedback", "partiallycorrectfeedback", "incorrectfeedback"):
        said = value_of(element, name)
        if said and "Your answer is" not in said:
            reader.lost.append((name, "What is said of the answer as a whole stays behind."))
    own_kind, prompt, written = TYPES[kind](element, reader)
    return Incoming(
        title=title,
        kind=own_kind,
        prompt=prompt,
        written=written,
        explanation=explanation,
        references=references,
        meta=meta,
        line=line,
        lost=tuple(dict.fromkeys(reader.lost)),
    )


def _meta(element: Element, category: str, lost: list[tuple[str, str]]) -> dict[str, Any]:
    tags = [value_of(tag, ".") for tag in element.findall("tags/tag")]
    meta, rest = from_tags(tags)
    if rest:
        lost.append(("tags", f"These tags stay behind: {', '.join(rest)[:300]}."))
    topic = topic_of_category(category)
    if topic and "topics" not in meta:
        meta["topics"] = [topic]
    if (number := value_of(element, "idnumber")) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", number):
        meta["id"] = number
    return meta
