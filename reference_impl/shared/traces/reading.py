"""Reading back what `files.py` wrote: every span of one checkout, whichever process recorded it, as a tree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_SPANS = 2_000


@dataclass(frozen=True)
class SpanLine:
    """One span as it is kept."""

    span_id: str
    parent_id: str | None
    service: str
    name: str
    started_at: float
    """Seconds since 1970, by the clock of the process that recorded it."""
    milliseconds: float
    error: str | None = None


@dataclass
class Branch:
    """A span and what is below it, in the order of time."""

    span: SpanLine
    below: list[Branch] = field(default_factory=list)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, SpanLine]]:
        """This span and all below it, each with how deep it lies."""
        yield depth, self.span
        for branch in self.below:
            yield from branch.walk(depth + 1)


def find(directory: Path, identifier: str) -> list[SpanLine]:
    """The spans with this correlation id or in this trace, oldest first, at most MOST_SPANS.

    A line that can't be read, such as the last one of a process that was killed, is left out.
    """
    found = []
    for file in sorted(directory.glob("*.jsonl*")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                document = _parsed(line) if identifier in line else None
                if document and identifier in (document["correlation_id"], document["trace_id"]):
                    found.append(SpanLine(**{name: document[name] for name in SpanLine.__dataclass_fields__}))
    return sorted(found, key=lambda span: span.started_at)[:MOST_SPANS]


def trees(spans: Sequence[SpanLine]) -> list[Branch]:
    """The spans put below one another. One whose parent was not recorded begins a tree of its own."""
    branches = {span.span_id: Branch(span) for span in spans}
    roots: list[Branch] = []
    for span in spans:
        above = branches.get(span.parent_id or "")
        (roots if above is None else above.below).append(branches[span.span_id])
    return roots


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
