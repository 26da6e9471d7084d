"""Reads the text of one question file into its parts, each with its line; knows nothing of kinds.

A file is YAML front matter between two `---` lines, the prompt, and sections such as `## Options` and
`## Explanation` (see docs/question-format.md). Every fault is reported and reading goes on as far as it
makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from question_bank.items import MARKERS, FenceTracker, Report, WrittenItem, read_items

MAX_NESTING = 12
"""How deep lists and mappings of the front matter may be nested."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
COMMON_SECTIONS = ("Explanation", "References")
"""The sections that a question of any kind has."""
SECTIONS = (
    *MARKERS,
    "Text",
    "Starter",
    "Solution",
    "Harness",
    "Model answer",
    *COMMON_SECTIONS,
)
"""All sections that questions of any kind may have."""

_TOP_LEVEL_KEY = re.compile(r"^([A-Za-z_][A-Za-z0-9_-]*)\s*:")


@dataclass(frozen=True, slots=True)
class Section:
    """The text between two headings and the line it starts at."""

    line: int = field(compare=False)
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """The parts of a question file."""

    front: Mapping[str, Any]
    key_lines: Mapping[str, int] = field(compare=False)
    """The line of each top-level key of the front matter."""
    prompt: Section
    sections: Mapping[str, Section]
    lists: Mapping[str, tuple[WrittenItem, ...]] = field(default_factory=dict)
    """The entries of the sections that hold a list, by section."""

    @property
    def options(self) -> tuple[WrittenItem, ...]:
        """The entries of `## Options`."""
        return self.lists.get("Options", ())

    def line_of(self, key: str) -> int:
        """The line of a front matter key; that of the opening `---` when the key isn't there."""
        return self.key_lines.get(key, 1)


def read(text: str, report: Report) -> Document | None:
    """Take a file's text apart; None when there is no front matter to go on with."""
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        report(1, "Start the file with front matter: a line `---`, the fields, and another line `---`.")
        return None
    end = next((index for index in range(1, len(lines)) if lines[index].rstrip() == "---"), None)
    if end is None:
        report(1, "Close the front matter with a line `---`.")
        return None
    key_lines = _key_lines(lines[1:end], report)
    front = _front_matter("\n".join(lines[1:end]), report)
    if front is None:
        return None
    prompt, sections = _sections(lines, end + 1, report)
    lists = {
        name: read_items(sections[name].text, sections[name].line, marker, report)
        for name, marker in MARKERS.items()
        if name in sections
    }
    return Document(front, key_lines, prompt, sections, lists)


def _key_lines(front_lines: list[str], report: Report) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, line in enumerate(front_lines, start=2):
        if match := _TOP_LEVEL_KEY.match(line):
            key = match[1]
            if key in found:
                report(
                    number, f"`{key}` stands in the front matter twice (first in line {found[key]}): keep one."
                )
            found.setdefault(key, number)
    return found


def _front_matter(text: str, report: Report) -> dict[str, Any] | None:
    try:
        if complaint := _too_much(text):
            report(*complaint)
            return None
        loaded = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader, the fast one where it is built
    except yaml.MarkedYAMLError as error:
        # Marks count from 0 and the front matter starts in the file's second line.
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        hint = (
            " Put quotes around text that contains a colon and a space."
            if "mapping" in str(error.problem)
            else ""
        )
        report(line, f"The front matter is not valid YAML: {error.problem or error.context}.{hint}")
        return None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        report(1, f"The front matter is not valid YAML: {type(error).__name__}.")
        return None
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        report(1, "The front matter must be a list of `field: value` lines.")
        return None
    return loaded


def _too_much(text: str) -> tuple[int, str] | None:
    """What could exhaust a reader, before anything is built: deep nesting, and aliases, which can stand for a
    thousand times their length.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        line = event.start_mark.line + 2 if event.start_mark else 1
        if depth > MAX_NESTING:
            return line, f"The front matter is nested deeper than {MAX_NESTING} levels: make it flatter."
        if isinstance(event, yaml.AliasEvent):
            return (
                line,
                f"Front matter has no aliases: write the value of `*{event.anchor}` out, or put quotes around it.",
            )
    return None


def _sections(lines: list[str], start: int, report: Report) -> tuple[Section, dict[str, Section]]:
    """Split the body at its `## ` headings; headings inside code blocks don't count."""
    fence = FenceTracker()
    heads: list[tuple[str, int, int]] = [
        ("", start, start)
    ]  # name, index of the heading, index of the first line
    for index in range(start, len(lines)):
        line = lines[index]
        if fence.feed(index + 1, line) or not line.startswith("## "):
            continue
        heads.append((line[3:].strip(), index, index + 1))
    if fence.inside:
        report(
            fence.opened_at, "This code block is never closed: end it with the same fence on a line of its own."
        )
    sections: dict[str, Section] = {}
    prompt = Section(start + 1, "")
    for position, (name, head, first) in enumerate(heads):
        last = heads[position + 1][1] if position + 1 < len(heads) else len(lines)
        section = _stripped(lines[first:last], first + 1)
        if position == 0:
            prompt = section
        elif name not in SECTIONS:
            known = ", ".join(f"`## {known}`" for known in SECTIONS)
            report(
                head + 1,
                f"`## {name}` is no section of a question: use {known}, or `###` for a heading of your own.",
            )
        elif name in sections:
            report(head + 1, f"`## {name}` stands in the file twice: join the two.")
        else:
            sections[name] = section
    return prompt, sections


def _stripped(lines: list[str], first_line: int) -> Section:
    """The lines without blank ones at either end, and the number of the first that is left."""
    if not any(line.strip() for line in lines):
        return Section(first_line, "")
    while lines and not lines[0].strip():
        lines, first_line = lines[1:], first_line + 1
    return Section(first_line, "\n".join(lines).rstrip())
