"""Reads the text of one question file into its parts, each with its line; knows nothing of kinds.

A file is YAML front matter between two `---` lines, the prompt, and the sections `## Options`, `## Explanation`
and `## References` (see docs/question-format.md). Every fault is reported and reading goes on as far as it
makes sense.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Report = Callable[[int, str], None]
"""Called with a line and a sentence for every fault found."""

SECTIONS = ("Options", "Explanation", "References")

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
_OPTION = re.compile(r"^- \[([ xX])\](?: (.*))?$")
_ALMOST_OPTION = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s*(\[.{0,3}\])?")
_TOP_LEVEL_KEY = re.compile(r"^([A-Za-z_][A-Za-z0-9_-]*)\s*:")


@dataclass(frozen=True, slots=True)
class WrittenOption:
    """One option of the `## Options` section, as written."""

    line: int
    right: bool
    text: str
    feedback: str


@dataclass(frozen=True, slots=True)
class Section:
    """The text between two headings and the line it starts at."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """The parts of a question file."""

    front: Mapping[str, Any]
    key_lines: Mapping[str, int]
    """The line of each top-level key of the front matter."""
    prompt: Section
    sections: Mapping[str, Section]
    options: tuple[WrittenOption, ...] = field(default=())

    def line_of(self, key: str) -> int:
        """The line of a front matter key; that of the opening `---` when the key isn't there."""
        return self.key_lines.get(key, 1)


class FenceTracker:
    """Tells, line by line, whether one stands inside a fenced code block."""

    def __init__(self) -> None:
        self._mark: str | None = None
        self.opened_at = 0

    @property
    def inside(self) -> bool:
        """True between an opening fence and its closing one."""
        return self._mark is not None

    def feed(self, number: int, line: str) -> bool:
        """Take one line; True when it belongs to a code block, its fences included."""
        match = _FENCE.match(line)
        if self._mark is None:
            if match is None:
                return False
            self._mark, self.opened_at = match[1], number
            return True
        if match and match[1][0] == self._mark[0] and len(match[1]) >= len(self._mark) and not match[2].strip():
            self._mark = None
        return True


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
    options = _options(sections["Options"], report) if "Options" in sections else ()
    return Document(front, key_lines, prompt, sections, options)


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
        loaded = yaml.safe_load(text)
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
    while lines and not lines[0].strip():
        lines, first_line = lines[1:], first_line + 1
    return Section(first_line, "\n".join(lines).rstrip())


class _OptionInProgress:
    def __init__(self, line: int, right: bool, text: str) -> None:
        self.line, self.right = line, right
        self.text, self.feedback = [text], []  # type: list[str], list[str]

    def finished(self) -> WrittenOption:
        return WrittenOption(
            self.line, self.right, "\n".join(self.text).strip(), "\n".join(self.feedback).strip()
        )


def _options(section: Section, report: Report) -> tuple[WrittenOption, ...]:
    options: list[_OptionInProgress] = []
    fence = FenceTracker()
    for number, line in enumerate(section.text.splitlines(), start=section.line):
        in_code = fence.feed(number, line)
        if not in_code and (match := _OPTION.match(line)):
            options.append(_OptionInProgress(number, match[1] in "xX", match[2] or ""))
        elif not line.strip() and not options:
            continue
        elif not options or (line.strip() and not line.startswith("  ")):
            if _ALMOST_OPTION.match(line):
                report(number, "An option starts with `- [x] ` when it is right or `- [ ] ` when it is wrong.")
            else:
                report(number, "Text between options belongs to none of them: indent it by two spaces.")
        elif not in_code and line.lstrip().startswith(">"):
            options[-1].feedback.append(line.lstrip()[1:].removeprefix(" "))
        elif options[-1].feedback and line.strip():
            report(
                number, "An option's text comes before its feedback: move this line up, or start it with `>`."
            )
        elif options[-1].feedback:
            options[-1].feedback.append("")
        else:
            options[-1].text.append(line[2:])
    return tuple(option.finished() for option in options)
