"""Code in lessons that is quoted by reference: the text comes from the repository, so that it can't drift from it.

A fence names what it quotes, and has nothing in it:

    ```python quote=reference_impl/shared/outbox.py#Relay.run
    ```
    ```yaml quote=reference_impl/compose.yaml from="redis:" to="volumes:"
    ```

The first form takes a function, a class or an assignment of a Python file by its name; the second takes the lines
from the first that holds `from` to the next that holds `to`, of any text file.
"""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from roadmap.markdown_lines import fenced_blocks
from roadmap.references import FaultLog
from roadmap.schema import LessonHead
from roadmap.sources import Source

MAX_LINES = 60
"""The longest quotation: more is no quotation, and nobody reads it."""
MAX_BYTES = 400_000
QUOTABLE = ("reference_impl/", "labs/", "sandboxes/", "portal/", "question_bank/", "roadmap/")
"""Where quotations may come from."""


class CannotQuote(Exception):
    """What is quoted isn't there, or is too long; the message is for the author."""


@dataclass(frozen=True, slots=True)
class Quotation:
    """Lines of a file."""

    path: str
    name: str
    """What is quoted; empty when it has no name."""
    text: str
    """Without the indentation that all lines share."""
    line: int
    """Of the first line in the file, from 1."""


def filled(lesson: Source[LessonHead], repository: Path, faults: FaultLog) -> str:
    """The body of a lesson with its quotations in place, each with a link to the page of the code below it."""
    lines = lesson.body.split("\n")
    for block in reversed(fenced_blocks(lesson.body)):
        if not block.closed or not any(flag.startswith("quote=") for flag in block.flags):
            continue
        opening = block.line - 2
        place = lesson.body_line + opening
        if block.code.strip():
            faults.add(
                lesson.path, place, "a quoting fence has nothing in it: the text comes from the file it names"
            )
        try:
            found = quotation(repository, block.info.removeprefix(block.language))
        except CannotQuote as error:
            faults.add(lesson.path, place, str(error))
            shown: list[str] = []
        else:
            shown = _shown(found, block.language)
        lines[opening : block.end] = shown
    return "\n".join(lines)


def quotation(repository: Path, flags: str) -> Quotation:
    """What the flags of a fence quote. Raises `CannotQuote`."""
    try:
        named = dict(flag.partition("=")[::2] for flag in shlex.split(flags))
    except ValueError as error:
        raise CannotQuote(f"the quotes in this fence don't match: {flags[:80]}") from error
    path, _, name = named.get("quote", "").partition("#")
    lines = _lines(repository, path)
    if name:
        first, last = _of_name(path, "\n".join(lines), name)
    elif "from" in named:
        first, last = _between(path, lines, named["from"], named.get("to", named["from"]))
    else:
        raise CannotQuote(f'say what of {path} is quoted: `#name`, or `from="…" to="…"`')
    if last - first >= MAX_LINES:
        raise CannotQuote(
            f"{path} lines {first} to {last} are more than {MAX_LINES}: quote a part, or link to it"
        )
    text = textwrap.dedent("\n".join(lines[first - 1 : last])).strip("\n")
    return Quotation(path, name, text, first)


def _shown(found: Quotation, language: str) -> list[str]:
    what = f"{found.path}, {found.name}" if found.name else found.path
    longest = max((len(run) for run in re.findall(r"`{3,}", found.text)), default=2)
    fence = "`" * (longest + 1)
    link = f"[`{what}`](/code/{found.path}#line-{found.line})"
    return [f"{fence}{language}", *found.text.split("\n"), fence, "", link]


def _lines(repository: Path, path: str) -> Sequence[str]:
    if not path.startswith(QUOTABLE) or ".." in path.split("/"):
        raise CannotQuote(f"'{path}' can't be quoted: only files in {', '.join(QUOTABLE)}")
    file = repository / path
    if not file.is_file():
        raise CannotQuote(f"there is no file {path}")
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _read(file: Path, _changed: int) -> Sequence[str]:
    if file.stat().st_size > MAX_BYTES:
        raise CannotQuote(f"{file.name} is larger than {MAX_BYTES:,} bytes")
    try:
        return file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotQuote(f"{file.name} can't be read as text") from error


def _of_name(path: str, text: str, name: str) -> tuple[int, int]:
    if not path.endswith(".py"):
        raise CannotQuote(f'{path} is no Python file: quote it by `from="…" to="…"`')
    found: ast.AST = _parsed(text)
    for part in name.split("."):
        found = _member(found, part) or _missing(path, name)
    assert isinstance(found, ast.stmt)
    first = min([found.lineno, *(each.lineno for each in getattr(found, "decorator_list", ()))])
    return first, found.end_lineno or found.lineno


@lru_cache(maxsize=256)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _member(node: ast.AST, name: str) -> ast.stmt | None:
    for child in getattr(node, "body", ()):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if child.name == name:
                return child
            case ast.Assign(targets=[ast.Name(id=assigned)]) | ast.AnnAssign(target=ast.Name(id=assigned)):
                if assigned == name:
                    return child
    return None


def _missing(path: str, name: str) -> ast.stmt:
    raise CannotQuote(f"{path} has no '{name}'")


def _between(path: str, lines: Sequence[str], first: str, last: str) -> tuple[int, int]:
    start = next((number for number, line in enumerate(lines, 1) if first in line), None)
    if start is None:
        raise CannotQuote(f"no line of {path} holds '{first}'")
    end = next((number for number, line in enumerate(lines[start - 1 :], start) if last in line), None)
    if end is None:
        raise CannotQuote(f"no line of {path} behind line {start} holds '{last}'")
    return start, end
