"""A small, sound content folder for tests to spoil."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from roadmap import Catalogue, load

TRACK = """\
id: databases
order: 1
title: Databases
summary: From a first schema to transactions that hold.
stages:
  - id: relational
    title: Relational data
    summary: Tables first, then what runs on them at once.
    modules:
      - schema
      - transactions
"""

SCHEMA = """\
id: schema
title: Schema design
summary: Tables that refuse what must not be.
objectives:
  - Write constraints that hold under load.
  - Choose keys that survive a merger.
prerequisites: []
hours: 6
depth: deep
topics:
  - id: constraints
    title: Constraints
    summary: The database checks every writer.
  - id: data-types
    title: Data types
    summary: A type is the first constraint of all.
lessons: [constraints-first]
labs: []
artifact: A database design document with tables, keys and reasons.
"""

TRANSACTIONS = """\
id: transactions
title: Transactions
summary: What others may see while you work.
objectives:
  - Say what each level lets through.
  - Lock rows in one order everywhere.
prerequisites:
  - schema
hours: 8
depth: expert
topics:
  - id: isolation-levels
    title: Isolation levels
    summary: Each level allows certain anomalies.
lessons:
  - levels
labs: [never-oversell]
artifact: A transaction that keeps its invariant under load, with proof.
"""

CONSTRAINTS_LESSON = """\
---
id: constraints-first
title: Constraints first
summary: Let the database refuse bad rows.
minutes: 12
topics: [constraints, data-types]
quick: [which-check, which-type, which-key]
---

## The failure

See [the next lesson](/lessons/levels).
"""

LEVELS_LESSON = """\
---
id: levels
title: Levels
summary: What each isolation level lets through.
minutes: 15
topics:
  - isolation-levels
labs:
  - never-oversell
quick: [which-level, which-lock, which-order]
---

Prove it in [the lab](/labs/never-oversell).
"""

REST = (
    "\n| level | lets through |\n|---|---|\n| read committed | nearly all |\n\n"
    + "Words of a lesson that says what it says. " * 80
    + "\n\n## Common mistakes\n\nOne.\n\n## What breaks first\n\nThis.\n\n## A trade-off to defend\n\nThat.\n"
)
"""What makes a lesson whole; behind whatever tests spoil."""


@dataclass(frozen=True)
class ContentFolder:
    """A content root on disk that tests write into and load."""

    root: Path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which has to be there exactly once."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def load(self) -> Catalogue:
        return load(self.root)

    def faults(self) -> list[str]:
        return [str(fault) for fault in self.load().faults]


@pytest.fixture
def content(tmp_path: Path) -> ContentFolder:
    folder = ContentFolder(tmp_path / "content")
    folder.write("tracks/databases.yaml", TRACK)
    folder.write("modules/schema.yaml", SCHEMA)
    folder.write("modules/transactions.yaml", TRANSACTIONS)
    folder.write("lessons/constraints-first.md", CONSTRAINTS_LESSON + REST)
    folder.write(
        "lessons/levels.md",
        f"{LEVELS_LESSON}\n## The failure\n\nAfter [the other](/lessons/constraints-first).\n{REST}",
    )
    return folder
