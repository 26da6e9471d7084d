"""Starting files for authors: one a kind, complete but for the places marked `‹…›`."""

from __future__ import annotations

import re
from pathlib import Path

from question_bank.kinds import KINDS
from question_bank.schema import QuestionBankError

STARTERS = Path(__file__).parent / "starters"
PLACEHOLDER = re.compile(r"‹[^›]*›")
"""What an author still has to write."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class CannotStart(QuestionBankError):
    """There is no such starting file, or no place for it; the message says what to change."""


def starting_text(kind: str, question_id: str, module: str, topic: str) -> str:
    """The text of a starting file. Raises `CannotStart`."""
    if kind not in KINDS:
        raise CannotStart(f"There is no kind `{kind}`; the kinds are: {', '.join(KINDS)}.")
    for what, name in (("id", question_id), ("module", module), ("topic", topic)):
        if not _SLUG.fullmatch(name) or not 2 <= len(name) <= 80:
            raise CannotStart(
                f"The {what} `{name}` must be 2 to 80 characters: words in lower case with hyphens."
            )
    text = (STARTERS / f"{kind}.md").read_text(encoding="utf-8")
    return text.replace("‹id›", question_id).replace("‹module›", module).replace("‹topic›", topic)


def start(root: Path, kind: str, question_id: str, module: str, topic: str) -> Path:
    """Write a starting file into the bank and return where. Raises `CannotStart` when there is one of that name."""
    text = starting_text(kind, question_id, module, topic)
    if any(root.rglob(f"{question_id}.md")):
        raise CannotStart(f"There is a question `{question_id}` in this bank: choose another id.")
    path = root / topic / f"{question_id}.md"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CannotStart(f"{path} can't be written: {error.strerror}.") from error
    return path
