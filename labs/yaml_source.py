"""YAML whose values know their lines, so that a fault can point at the one it means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from labs.faults import Fault

MAX_YAML_BYTES = 65_536
MAX_DEPTH = 20
"""Nothing of ours nests deeper; more would only exhaust the parser's stack."""

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The fast one where it is built: ten times as fast."""

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]


class _TooDeep(yaml.YAMLError):
    """The document nests deeper than MAX_DEPTH."""


@dataclass(frozen=True)
class YamlSource:
    """A parsed YAML mapping and the line of each of its values."""

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int]

    def line(self, location: Sequence[str | int]) -> int:
        """The line of the value at this place, or of the nearest one around it."""
        place = tuple(location)
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def parse_mapping(text: str, path: Path, first_line: int = 1) -> tuple[YamlSource | None, list[Fault]]:
    """Read a YAML mapping; `first_line` is the line of the file on which the text starts.

    Duplicate keys are faults, and so are anchors: a reader should see every value where it counts.
    """
    if len(text.encode()) > MAX_YAML_BYTES:
        return None, [Fault(path, first_line, f"is larger than {MAX_YAML_BYTES // 1024} KB")]
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):
                line = _line(event) + first_line
                return None, [Fault(path, line, "uses an alias (*name): write the value out")]
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _TooDeep(f"it nests deeper than {MAX_DEPTH} levels")
        root, data = _read(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        return None, [Fault(path, (mark.line if mark else 0) + first_line, f"is not valid YAML: {reason}")]
    if not isinstance(root, yaml.MappingNode) or not isinstance(data, dict):
        return None, [Fault(path, first_line, "must be a mapping of names to values")]
    lines: dict[Location, int] = {}
    faults: list[Fault] = []
    _walk(root, (), first_line, path, lines, faults)
    return YamlSource(path, data, lines), faults


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """The tree of a document and its value. Raises YAMLError, ValueError."""
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _line(marked: yaml.Node | yaml.Event) -> int:
    return marked.start_mark.line if marked.start_mark else 0


def _walk(
    node: yaml.Node,
    place: Location,
    first_line: int,
    path: Path,
    lines: dict[Location, int],
    faults: list[Fault],
) -> None:
    lines.setdefault(place, _line(node) + first_line)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*place, index), first_line, path, lines, faults)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name, line = str(key.value), _line(key) + first_line
            if name in seen:
                faults.append(Fault(path, line, f"says `{name}` twice"))
            seen.add(name)
            lines[(*place, name)] = line
            _walk(value, (*place, name), first_line, path, lines, faults)


def validate(model: type[Model], source: YamlSource) -> tuple[Model | None, list[Fault]]:
    """The model that the YAML describes, or every fault in it with its line."""
    try:
        # Strict validation of JSON accepts what YAML can say (lists for tuples, strings for enums) and coerces nothing else.
        return model.model_validate_json(json.dumps(source.data, default=str), strict=True), []
    except ValidationError as error:
        return None, [
            Fault(source.path, source.line(item["loc"]), _sentence(item["loc"], item["msg"], item["type"]))
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]


def _sentence(location: Location, message: str, kind: str) -> str:
    name = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"`{name}` is not a name that is known here"
    if kind == "missing":
        return f"`{name}` is missing"
    text = message.removeprefix("Value error, ")
    return f"`{name}`: {text[:1].lower()}{text[1:]}" if name else text
