"""Reading one content file into checked data that still knows its lines.

Every function here returns what it could read together with the faults it met; none raises for what an
author wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from roadmap.values import Fault

MAX_FILE_BYTES = 256 * 1024
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FileT = TypeVar("FileT", bound=BaseModel)
Location = tuple[int | str, ...]
"""Where in a document something stands: keys and indexes from the top, as pydantic writes them."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of each key and item of a YAML document."""

    by_location: dict[Location, int]

    def of(self, *location: int | str) -> int:
        """The line of `location`, or of the nearest thing around it that stands in the file."""
        while location and location not in self.by_location:
            location = location[:-1]
        return self.by_location.get(location, 1)


@dataclass(frozen=True, slots=True)
class Source(Generic[FileT]):
    """A file that passed its schema."""

    path: str
    """Relative to the content's root."""
    data: FileT
    lines: Lines
    text: str = ""
    """All of the file, line ends normalised."""
    body: str = ""
    """What follows the front matter; empty for YAML files."""
    body_line: int = 1
    """The line on which the body starts."""


class _UnreadableError(Exception):
    """The file can't be read any further."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read_text(path: Path) -> str:
    """The file's text with normalised line ends. Raises `_UnreadableError` with the reason otherwise."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise _UnreadableError(
                1, f"{size:,} bytes are too many; split the file, the limit is {MAX_FILE_BYTES:,}"
            )
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _UnreadableError(1, f"the file is not UTF-8 text (byte {error.start:,})") from error
    except OSError as error:
        raise _UnreadableError(1, f"the file can't be read: {error.strerror}") from error


def read_yaml_file(path: Path, name: str, schema: type[FileT]) -> tuple[Source[FileT] | None, list[Fault]]:
    """Read a whole file as YAML of `schema`; `name` is what faults call it."""
    try:
        text = read_text(path)
        data, lines = _parse_yaml(text, first_line=1)
    except _UnreadableError as fault:
        return None, [Fault(name, fault.line, fault.message)]
    checked, faults = _check(name, data, lines, schema)
    return (None if checked is None else Source(name, checked, lines, text)), faults


def read_markdown_file(path: Path, name: str, schema: type[FileT]) -> tuple[Source[FileT] | None, list[Fault]]:
    """Read a Markdown file whose front matter, between two lines of three hyphens, is YAML of `schema`."""
    try:
        text = read_text(path)
    except _UnreadableError as fault:
        return None, [Fault(name, fault.line, fault.message)]
    return markdown_source(text, name, schema)


def markdown_source(text: str, name: str, schema: type[FileT]) -> tuple[Source[FileT] | None, list[Fault]]:
    """The same of a text that is at hand."""
    try:
        head, body, body_line = _split_front_matter(text)
        data, lines = _parse_yaml(head, first_line=2)
    except _UnreadableError as fault:
        return None, [Fault(name, fault.line, fault.message)]
    checked, faults = _check(name, data, lines, schema)
    return (None if checked is None else Source(name, checked, lines, text, body, body_line)), faults


def _split_front_matter(text: str) -> tuple[str, str, int]:
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise _UnreadableError(
            1, "a lesson starts with front matter: a line '---', the fields, and a line '---'"
        )
    for number, line in enumerate(lines[1:], start=2):
        if line.rstrip() == "---":
            return "\n".join(lines[1 : number - 1]), "\n".join(lines[number:]), number + 1
    raise _UnreadableError(1, "the front matter is not closed: write a line '---' after its fields")


def _parse_yaml(text: str, first_line: int) -> tuple[Any, Lines]:
    """The document's data and lines. The first line of `text` is line `first_line` of the file."""
    loader = _SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Location, int] = {(): first_line}
        if node is None:
            return None, Lines(lines)
        _number(node, (), lines, first_line, set())
        return loader.construct_document(node), Lines(lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + mark.line if mark else first_line
        raise _UnreadableError(line, f"not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _UnreadableError(first_line, f"not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise _UnreadableError(first_line, "the YAML is nested too deeply") from error
    finally:
        loader.dispose()


def _number(
    node: yaml.Node, location: Location, lines: dict[Location, int], first_line: int, seen: set[int]
) -> None:
    """Note the line of each key and item below `node`.

    Refuses aliases, which make a small file huge, and duplicate keys, of which the last would win in silence.
    """
    if not isinstance(node, yaml.CollectionNode):
        return
    if id(node) in seen:
        raise _UnreadableError(
            first_line + node.start_mark.line, "YAML aliases are not allowed here: write the text out"
        )
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*location, str(key.value))
            line = first_line + key.start_mark.line
            if here in lines:
                raise _UnreadableError(line, f"the key '{key.value}' stands here twice")
            lines[here] = line
            _number(value, here, lines, first_line, seen)
    else:
        for index, item in enumerate(node.value):
            here = (*location, index)
            lines[here] = first_line + item.start_mark.line
            _number(item, here, lines, first_line, seen)


def _check(name: str, data: Any, lines: Lines, schema: type[FileT]) -> tuple[FileT | None, list[Fault]]:
    if not isinstance(data, dict):
        return None, [Fault(name, lines.of(), "fields are expected here, such as 'id: …' and 'title: …'")]
    try:
        return schema.model_validate(data), []
    except ValidationError as error:
        return None, [
            Fault(name, lines.of(*item["loc"]), f"{_spoken(item['loc'])}: {_explain(item)}")
            for item in error.errors()
        ]


def _spoken(location: Location) -> str:
    """`('topics', 2, 'title')` as an author says it: `topics, item 3, title`."""
    return ", ".join(f"item {part + 1}" if isinstance(part, int) else part for part in location) or "file"


def _explain(item: Any) -> str:
    context = item.get("ctx", {})
    match item["type"]:
        case "missing":
            return "this field is missing"
        case "extra_forbidden":
            return "there is no such field; is it misspelt?"
        case "string_pattern_mismatch":
            return (
                f"'{str(item['input'])[:60]}' is no id: join lower-case words by hyphens, such as 'cache-aside'"
            )
        case "string_too_long":
            return f"too long: {len(item['input'])} characters, at most {context['max_length']}"
        case "string_too_short":
            return f"too short: at least {context['min_length']} characters"
        case _:
            return re.sub(r"^Input", "the value", str(item["msg"]))
