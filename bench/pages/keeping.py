"""Filled databases that are kept between runs, for who works on the pages: filling one takes minutes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.pages.people import Person

PEOPLE = "people.json"
"""Written when the database is full; a folder without it was left half full."""


def kept_folder(root: Path, name: str) -> Path:
    """The folder of that name, empty unless an earlier run finished there."""
    folder = root.resolve() / name
    if folder.exists() and not (folder / PEOPLE).exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep_people(folder: Path, persons: Sequence[Person]) -> None:
    """Note who looks at the pages: with this the folder counts as filled."""
    (folder / PEOPLE).write_text(json.dumps([asdict(person) for person in persons]))


def kept_people(folder: Path) -> list[Person]:
    """Who looks at the pages of the database in the folder; none when it is not filled."""
    path = folder / PEOPLE
    return [Person(**one) for one in json.loads(path.read_text())] if path.exists() else []
