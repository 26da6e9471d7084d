"""Builds question files and banks out of small pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from question_bank import Bank, Question, load
from question_bank.loader import parse
from question_bank.schema import Fault

SINGLE = """\
- [ ] Read the row again later
  > Later is as stale as now when nothing checks.
- [x] Check the version
  > The write is accepted on unchanged data only.
- [ ] Raise the timeout of the pool
  > Waiting longer doesn't make the reading current.
"""

MULTIPLE = """\
- [x] Alpha
  > Alpha is right because of the first reason.
- [x] Beta
  > Beta is right because of the second reason.
- [ ] Gamma
  > Gamma is wrong because of the third reason.
- [ ] Delta
  > Delta is wrong because of the fourth reason.
"""

ANSWER = """\
answer:
  value: 18
  tolerance: 0.5
  unit: ms
  mistakes:
    - value: 2.4
      why: The connection is held for longer.
"""

EXPLANATION = (
    "A version changes with every write, so a write that names an old one matches no row and can be noticed."
)

Write = Callable[..., str]


@pytest.fixture
def text() -> Write:
    """The text of a question file; each part can be replaced."""

    def build(
        *,
        id: str = "lost-update",
        kind: str = "single",
        topics: str = "[row-locks]",
        extra: str = "",
        prompt: str = "Two writers read the same row and both write. What keeps both changes?",
        options: str | None = None,
        explanation: str = EXPLANATION,
    ) -> str:
        if options is None:
            options = {"single": SINGLE, "multiple": MULTIPLE}.get(kind, "")
        front = f"id: {id}\nkind: {kind}\nmodule: transactions\ntopics: {topics}\ndifficulty: 2\nseconds: 60\n"
        front += ANSWER if kind == "numeric" and "answer:" not in extra else ""
        front += extra and extra.rstrip("\n") + "\n"
        front += "" if "level:" in extra else "level: senior\nskills: [consistency]\n"
        body = f"---\n{front}---\n\n{prompt}\n"
        body += f"\n## Options\n\n{options}" if options else ""
        return body + (f"\n## Explanation\n\n{explanation}\n" if explanation else "")

    return build


@pytest.fixture
def question(text: Write) -> Callable[..., Question]:
    """A question that loads without a fault."""

    def build(**parts: str) -> Question:
        faults: list[Fault] = []
        parsed = parse(text(**parts), "row-locks/lost-update.md", faults)
        assert parsed is not None, faults
        return parsed

    return build


@pytest.fixture
def faults_of() -> Callable[[str], list[Fault]]:
    """The faults that parsing a text reports."""

    def faults(text: str) -> list[Fault]:
        found: list[Fault] = []
        parse(text, "row-locks/lost-update.md", found)
        return found

    return faults


@pytest.fixture
def bank(tmp_path: Path) -> Callable[[dict[str, str]], Bank]:
    """A bank loaded from files given by path."""

    def build(files: dict[str, str]) -> Bank:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return load(tmp_path)

    return build
