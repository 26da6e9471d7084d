"""Reading bytes as text, whatever a system wrote."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from question_bank.formats.interface import FormatRefused

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
