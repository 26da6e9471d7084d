"""The author's guide: its examples are questions that load."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from question_bank.kinds import KINDS
from question_bank.loader import parse
from question_bank.schema import Fault

GUIDE = Path(__file__).parents[3] / "docs" / "question-format.md"

FRONT = "---\nid: an-example\nkind: {kind}\nmodule: a-module\ntopics: [a-topic]\ndifficulty: 2\nseconds: 60\n{extra}---\n"
REST = "\n## Explanation\n\nHow one gets to the answer.\n"


def section(kind: str) -> str:
    """The guide from the heading of a kind on."""
    return GUIDE.read_text(encoding="utf-8").split(f"### {kind}\n")[1]


def fenced(text: str, fence: str) -> str:
    return textwrap.dedent(re.search(rf"^( *){fence}\w+\n(.*?)^\1{fence}$", text, flags=re.M | re.S)[2])


def examples() -> dict[str, str]:
    """One whole file for each kind; where the guide shows a part only, the rest is put around it."""
    text = GUIDE.read_text(encoding="utf-8")
    found = {"single": fenced(text, "````")}
    for kind in ("true-false", "ordering", "matching"):
        found[kind] = (
            FRONT.format(kind=kind, extra="") + "\nThe prompt.\n\n" + fenced(section(kind), "````") + REST
        )
    for kind in ("numeric", "short"):
        found[kind] = FRONT.format(kind=kind, extra=fenced(section(kind), "```")) + "\nThe prompt.\n" + REST
    for kind in ("cloze", "code", "open"):
        found[kind] = fenced(section(kind), "````")
    variants = fenced(text.split("## Variants\n")[1], "```")
    found["variants"] = FRONT.format(kind="numeric", extra=variants) + "\nAt {{rate:,}} a second?\n" + REST
    return found


@pytest.mark.parametrize("name", [*(kind for kind in KINDS if kind != "multiple"), "variants"])
def test_the_guides_examples_load(name):
    faults: list[Fault] = []
    question = parse(examples()[name], "example.md", faults)
    assert faults == []
    assert question is not None
    assert question.kind == name or name == "variants"


def test_the_guide_describes_every_kind():
    text = GUIDE.read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"### {kind}" in text or f", {kind}\n" in text, kind
