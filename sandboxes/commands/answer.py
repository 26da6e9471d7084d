"""What a command answers with, and how values are written for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.table import Table

MB = 1_000_000


@dataclass(frozen=True)
class Answer:
    """The result of a command."""

    document: dict[str, Any]
    """What `--json` prints."""
    shown: Sequence[RenderableType] = field(default_factory=tuple)
    """What is printed otherwise."""
    code: int = 0
    """The exit code."""


def table(*columns: str) -> Table:
    """A table in the one style that all commands use."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def size(count: int | None) -> str:
    """`184 MB`; a dash when it is not known."""
    if count is None:
        return "–"
    return f"{count / MB:.0f} MB" if count < 10_000 * MB else f"{count / 1000 / MB:.1f} GB"


def age(seconds: float | None) -> str:
    """`45 s`, `3 min`, `2 h 10 min`; a dash when it is not known."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
