"""Between the YAML of a front matter field and a frozen value: reading with the faults reported, and writing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from question_bank.document import Document
from question_bank.items import Report

Value = TypeVar("Value", bound=BaseModel)


def read_value(
    model: type[Value], document: Document, path: Sequence[str | int], report: Report, value: Any = None
) -> Value | None:
    """The value of a front matter field; None when it has faults, each of which is reported at the field's line.

    `path` names the field, and what lies inside it when `value` is given. An empty path says that `value` is a mapping
    of several fields.
    """
    try:
        return model.model_validate(document.front.get(str(path[0])) if value is None else value)
    except ValidationError as error:
        for problem in error.errors():
            where = [*path, *problem["loc"]] or [*model.model_fields]
            named = ".".join(str(part) for part in where)
            report(document.line_of(str(where[0])), complaint(named, problem))
        return None


def complaint(named: str, problem: ErrorDetails) -> str:
    """What is wrong with the field of this name, as a sentence."""
    if problem["type"] == "missing":
        return f"`{named}` is missing: add it."
    return f"`{named}`: {problem['msg'].removeprefix('Value error, ')}."


def sparse(value: BaseModel) -> dict[str, Any]:
    """A value as the fewest fields that give it back."""
    written: dict[str, Any] = _whole(value.model_dump(mode="json", exclude_defaults=True))
    return written


def _whole(value: Any) -> Any:
    """The value with 6 in place of 6.0, as people write it."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
