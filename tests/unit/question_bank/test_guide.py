"""The author's guide: its examples are questions that load."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from question_bank.formats import FORMATS
from question_bank.kinds import KINDS
from question_bank.loader import parse
from question_bank.local_runner import LocalRunner
from question_bank.question import Question
from question_bank.schema import Fault
from question_bank.verify import verify

GUIDE = Path(__file__).parents[3] / "docs" / "question-format.md"

FRONT = "---\nid: an-example\nkind: {kind}\nmodule: a-module\ntopics: [a-topic]\ndifficulty: 2\nseconds: 60\n{extra}---\n"
REST = "\n## Explanation\n\nHow one gets to the answer.\n"


def section(kind: str) -> str:
    """The guide from the heading of a kind on."""
    return GUIDE.read_text(encoding="utf-8").split(f"### {kind}\n")[1]


def fenced(text: str, fence: str, number: int = 0) -> str:
    """The text of one of the blocks with this fence."""
    blocks = re.findall(rf"^( *){fence}\w+\n(.*?)^\1{fence}$", text, flags=re.M | re.S)
    return textwrap.dedent(blocks[number][1])


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


def code_example(language: str) -> Question:
    """The guide's example of a code question in a language."""
    if language == "python":
        text = examples()["code"]
    else:
        front, _, body = fenced(section("code"), "````", 1 if language == "sql" else 2).partition("---\n")
        text = FRONT.format(kind="code", extra=front) + body + REST
    faults: list[Fault] = []
    question = parse(text, "example.md", faults)
    assert question is not None, faults
    return question


@pytest.mark.parametrize("language", ["python", pytest.param("go", marks=pytest.mark.go)])
def test_the_guides_programs_pass_their_cases(language):
    with LocalRunner() as runner:
        assert [str(fault) for fault in verify(code_example(language), runner)] == []


@pytest.mark.postgres
def test_the_guides_query_passes_its_cases(postgres):
    with LocalRunner(f"host={postgres.socket_dir} user=postgres dbname=postgres") as runner:
        assert [str(fault) for fault in verify(code_example("sql"), runner)] == []


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


def test_the_guide_says_of_every_format_what_it_carries():
    chapter = GUIDE.read_text(encoding="utf-8").partition("## Other systems")[2]
    rows = [line.split("|") for line in chapter.splitlines() if line.startswith("| `")]
    found = {row[1].split("`")[1]: (row[2].strip(), row[3].strip(), row[4]) for row in rows}
    assert set(found) == set(FORMATS)
    for name, (into, out, kinds) in found.items():
        form = FORMATS[name]
        assert (into, out) == ("yes" if form.can_import else "no", "yes" if form.can_export else "no")
        if "all" in kinds:
            assert form.carries == set(KINDS) - set(re.findall(r"`(.+?)`", kinds))
        else:
            assert form.carries == set(re.findall(r"`(.+?)`", kinds))
