"""Where the repository is that this notebook came with, and which Python runs its tools."""

from __future__ import annotations

import sys
from pathlib import Path


def checkout() -> Path | None:
    """The folder of the repository, or None when `labkit` was copied somewhere else."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "labs" / "cli.py").is_file() else None


def python(root: Path) -> str:
    """The Python that has the repository's packages: of its virtual environment if there is one, else ours."""
    for candidate in (root / ".venv" / "bin" / "python", root / ".venv" / "Scripts" / "python.exe"):
        if candidate.is_file():
            return str(candidate)
    return sys.executable
