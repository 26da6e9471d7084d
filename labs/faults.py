"""A fault in content: where it is and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with a content file."""

    path: Path
    line: int
    """1-based; 1 when the whole file is meant."""
    message: str
    """One sentence for the author."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"
