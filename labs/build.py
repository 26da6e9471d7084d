"""The learners' notebooks: made from the labs, committed in `notebooks/`, and compared with what a fresh build gives.

People with local notebooks work in these very files, so a build never overwrites one in which somebody has worked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labs.catalogue import Lab
from labs.notebook import dumps, is_as_built

NOTEBOOKS_ROOT = Path(__file__).resolve().parent.parent / "notebooks"


@dataclass(frozen=True)
class Built:
    """What a build did."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    """Notebooks that are not as the labs would make them, left alone because somebody has worked in them."""


def notebook_path(lab: Lab, root: Path | None = None) -> Path:
    """Where a lab's notebook lies."""
    return (root or NOTEBOOKS_ROOT) / f"{lab.id}.ipynb"


def stale(labs: Iterable[Lab], root: Path | None = None) -> list[Path]:
    """The notebooks that are missing or differ from what their labs make."""
    return [
        path
        for path, text in _wanted(labs, root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def build(labs: Iterable[Lab], root: Path | None = None, *, force: bool = False) -> Built:
    """Write the notebooks that are stale; with `force` also those in which somebody has worked."""
    (root or NOTEBOOKS_ROOT).mkdir(parents=True, exist_ok=True)
    wanted = _wanted(labs, root)
    written, kept = [], []
    for path, text in wanted.items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if path.is_file() and not force and not _untouched(path):
            kept.append(path)
            continue
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return Built(tuple(written), tuple(kept))


def _wanted(labs: Iterable[Lab], root: Path | None) -> dict[Path, str]:
    return {notebook_path(lab, root): dumps(lab.source.learner()) for lab in labs}


def _untouched(path: Path) -> bool:
    try:
        return is_as_built(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, AttributeError, TypeError):
        return False
