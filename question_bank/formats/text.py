"""Reading bytes as text, whatever a system wrote, and texts that a question's file can hold."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from question_bank.formats.interface import FormatRefused
from question_bank.items import FenceTracker

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, with `\\n` at the ends of lines."""

    text: str
    doubt: str = ""
    """A sentence when the encoding had to be guessed; empty when it is sure."""


def beginning(data: bytes, size: int = 8192) -> str:
    """The first `size` bytes as text, for a guess at the format; empty for a zip and for what else is no text."""
    if data.startswith(b"PK\x03\x04"):
        return ""
    try:
        return decode(data[:size], "file").text
    except FormatRefused:
        return ""


def decode(data: bytes, name: str) -> Decoded:
    """The text of a file: UTF-8, or what its byte order mark says, or Windows-1252 with a doubt.

    Raises `FormatRefused` for what is no text.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    doubt = ""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        if encoding != "utf-8":
            raise FormatRefused(
                f"{name} says it is {encoding.upper()}, but isn't: save it as UTF-8."
            ) from error
        text = data.decode("cp1252", "replace")
        doubt = f"This isn't UTF-8 from here on; the file was read as Windows-1252 (line {line}). Check the accents."
    if "\0" in text:
        raise FormatRefused(f"{name} is no text file: choose the format that it has, or save it as UTF-8.")
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), doubt)


def without_control(text: str) -> str:
    """A text without what XML can't hold."""
    return _CONTROL.sub("", text)


def tame_markdown(text: str) -> str:
    """A text that a section can hold: nothing invisible, no `## ` heading, no code block left open."""
    fence = FenceTracker()
    lines = []
    for number, line in enumerate(_CONTROL.sub("", "\n".join(text.splitlines())).split("\n"), start=1):
        in_code = fence.feed(number, line)
        lines.append(f"#{line}" if not in_code and line.startswith("## ") else line)
    if fence.inside:
        opening = re.match(r"\s*(`+|~+)", lines[fence.opened_at - 1])
        assert opening is not None
        lines.append(opening[1])
    return "\n".join(lines)
