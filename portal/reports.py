"""What the worker writes for the operator's page, and the page reads: plain values, bounded, without a secret.

The web process has no way to the engine. So the worker looks, and writes what it saw into the columns of `WorkerStatus`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

SANDBOXES_MOST = 200
CHECKS_MOST = 80
FLAVOURS_MOST = 50
TEXT_MOST = 400


@dataclass(frozen=True)
class SandboxLine:
    """One sandbox that runs."""

    id: str
    purpose: str
    """`session`, `grading`, `waiting` or another word of its labels; empty when unknown."""
    state: str
    session: int | None
    """The row of `lab_sessions` that it is for."""
    lab: str
    started_at: float | None
    """In seconds since 1970."""
    memory_bytes: int | None


@dataclass(frozen=True)
class SandboxesReport:
    """What runs."""

    at: datetime
    lines: tuple[SandboxLine, ...] = ()
    omitted: int = 0
    """How many more run than are listed."""
    memory_bytes: int = 0
    """Of all of them."""
    remains: int = 0
    """Of how many ended ones something is left."""
    reaped_at: datetime | None = None
    """When remains were removed last on demand."""
    reaped: int = 0
    """How many that were."""

    @classmethod
    def of(cls, at: datetime, lines: Iterable[SandboxLine], **facts: Any) -> Self:
        """A report of at most SANDBOXES_MOST lines; those of learners come first."""
        ordered = sorted(lines, key=lambda line: (line.session is None, line.started_at or 0.0))
        return cls(
            at=at,
            lines=tuple(ordered[:SANDBOXES_MOST]),
            omitted=max(0, len(ordered) - SANDBOXES_MOST),
            memory_bytes=sum(line.memory_bytes or 0 for line in ordered),
            **facts,
        )

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        kept = asdict(self)
        kept["at"], kept["reaped_at"] = _text(self.at), _text(self.reaped_at)
        for line in kept["lines"]:
            for name in ("id", "purpose", "state", "lab"):
                line[name] = str(line[name])[:80]
        return kept

    @classmethod
    def parse(cls, document: Mapping[str, Any] | None) -> Self | None:
        """From what is kept; None for nothing, and for what another version wrote."""
        try:
            if document is None:
                return None
            values = {**document, "lines": tuple(SandboxLine(**line) for line in document["lines"])}
            values["at"], values["reaped_at"] = _required(document["at"]), _time(document["reaped_at"])
            return cls(**values)
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class CheckLine:
    """What one check found."""

    name: str
    state: str
    """`ok`, `warning` or `problem`."""
    found: str
    todo: str


@dataclass(frozen=True)
class ChecksReport:
    """What works on the worker's machine."""

    at: datetime
    lines: tuple[CheckLine, ...] = ()

    def document(self) -> dict[str, Any]:
        """As it is kept: what needs somebody first, texts cut to size."""
        order = {"problem": 0, "warning": 1}
        lines = sorted(self.lines, key=lambda line: order.get(line.state, 2))[:CHECKS_MOST]
        return {
            "at": _text(self.at),
            "lines": [{key: str(value)[:TEXT_MOST] for key, value in asdict(line).items()} for line in lines],
        }

    @classmethod
    def parse(cls, document: Mapping[str, Any] | None) -> Self | None:
        """From what is kept; None for nothing, and for what another version wrote."""
        try:
            if document is None:
                return None
            return cls(_required(document["at"]), tuple(CheckLine(**line) for line in document["lines"]))
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class FlavourLine:
    """The sandboxes of one kind that wait."""

    lab: str
    purpose: str
    """`session` or `grading`."""
    wanted: int
    warm: int
    starting: int
    hits: int
    misses: int
    failure: str
    """Why the last start failed; empty after one that did not."""


@dataclass(frozen=True)
class PoolReport:
    """What the pool keeps warm."""

    at: datetime
    total: int
    """How many may wait."""
    warm: int
    hits: int
    misses: int
    lines: tuple[FlavourLine, ...] = ()

    @classmethod
    def of_note(cls, note: Mapping[str, Any]) -> Self:
        """From what the pool says (`sandboxes.drivers.pool_note`). Raises ValueError, TypeError for what makes no sense."""
        return cls(
            at=datetime.fromtimestamp(note["at"], UTC),
            **{key: int(note.get(key) or 0) for key in ("total", "warm", "hits", "misses")},
            lines=tuple(
                FlavourLine(
                    lab=str(one.get("lab") or one.get("image") or "")[:80],
                    purpose=str(one.get("purpose") or "")[:20],
                    **{key: int(one.get(key) or 0) for key in ("wanted", "warm", "starting", "hits", "misses")},
                    failure=str(one.get("failure") or "")[:TEXT_MOST],
                )
                for one in note["flavours"][:FLAVOURS_MOST]
            ),
        )

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {**asdict(self), "at": _text(self.at)}

    @classmethod
    def parse(cls, document: Mapping[str, Any] | None) -> Self | None:
        """From what is kept; None for nothing, and for what another version wrote."""
        try:
            if document is None:
                return None
            lines = tuple(FlavourLine(**line) for line in document["lines"])
            return cls(**{**document, "at": _required(document["at"]), "lines": lines})
        except (KeyError, TypeError, ValueError):
            return None


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _time(text: Any) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _required(text: Any) -> datetime:
    found = _time(text)
    if found is None:
        raise ValueError("a report without its time")
    return found
