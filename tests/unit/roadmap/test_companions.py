"""Ready-made plans, the glossary and the scorecard: what becomes of them, and the faults with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder

PLAN = """\
id: four-weeks
title: Four weeks
summary: Relational data in the evenings of one month.
track: databases
hours_per_week: 6
weeks:
  - title: Tables
    aims:
      - {id: draw-tables, title: Draw the tables, refs: [module/schema, topic/constraints]}
  - title: Everything at once
    weeks: 3
    aims:
      - {id: break-levels, title: Break each level, refs: [lesson/levels, lab/never-oversell, commitment/comment]}
"""
GLOSSARY = """\
terms:
  - id: write-skew
    term: Write skew
    also: [skewed write]
    text: Two transactions read the same rows and write different ones, so that a rule over both breaks.
    lesson: levels
  - id: constraint
    term: Constraint
    text: A rule that the database checks on every write, whoever writes.
"""
LEVELS = "".join(f"      - What somebody at level {level} does.\n" for level in range(1, 6))
SCORECARD = (
    "months: 6\ndimensions:\n"
    + "".join(
        f"  - id: {name}\n    title: The {name} side\n    question: How far are you on this side of it?\n    levels:\n{LEVELS}"
        f"    evidence:\n      modules: [schema]\n      activities: [transactions-artifact]\n      commitments: [comment]\n"
        for name in ("depth", "width", "voice")
    )
    + """\
commitments:
  - {id: comment, title: Comment on what others wrote, per_week: 3, advice: Say what you would have measured and why.}
metrics:
  - {id: posts, title: Posts published}
"""
)


@pytest.fixture
def full(content: ContentFolder) -> ContentFolder:
    (content.root / "plans").mkdir()
    content.write("plans/four-weeks.yaml", PLAN)
    content.write("glossary.yaml", GLOSSARY)
    content.write("scorecard.yaml", SCORECARD)
    return content


def test_all_of_it_loads(full: ContentFolder) -> None:
    catalogue = full.load()

    assert catalogue.faults == ()
    plan = catalogue.plans["four-weeks"]
    assert [(week.title, week.weeks, [aim.id for aim in week.aims]) for week in plan.weeks] == [
        ("Tables", 1, ["draw-tables"]),
        ("Everything at once", 3, ["break-levels"]),
    ]
    assert list(catalogue.terms) == ["constraint", "write-skew"]
    assert catalogue.terms["write-skew"].also == ("skewed write",)
    card = catalogue.scorecard
    assert (card.months, [each.id for each in card.dimensions]) == (6, ["depth", "width", "voice"])
    assert card.dimensions[0].activities == ("transactions-artifact",)
    for reference in ("plan/four-weeks", "aim/draw-tables", "term/constraint", "dimension/depth"):
        assert catalogue.find(reference) is not None
    assert catalogue.find("commitment/comment").per_week == 3
    assert catalogue.find("metric/posts").title == "Posts published"


def test_none_of_it_has_to_be_there(content: ContentFolder) -> None:
    catalogue = content.load()

    assert catalogue.faults == ()
    assert (catalogue.plans, catalogue.terms, catalogue.scorecard.dimensions) == ({}, {}, ())


@pytest.mark.parametrize(
    ("path", "old", "new", "fault"),
    [
        (
            "plans/four-weeks.yaml",
            "track: databases",
            "track: data",
            "plans/four-weeks.yaml:4: there is no track 'data'",
        ),
        (
            "plans/four-weeks.yaml",
            "topic/constraints",
            "topic/constraint",
            "plans/four-weeks.yaml:9: there is no topic 'constraint'",
        ),
        (
            "plans/four-weeks.yaml",
            "topic/constraints",
            "star/sirius",
            "plans/four-weeks.yaml:9: 'star/sirius' names no kind",
        ),
        (
            "plans/four-weeks.yaml",
            "id: break-levels",
            "id: draw-tables",
            "plans/four-weeks.yaml:13: the aim id 'draw-tables' is already",
        ),
        (
            "glossary.yaml",
            "lesson: levels",
            "lesson: level",
            "glossary.yaml:6: there is no lesson 'level'; did you mean 'levels'?",
        ),
        (
            "glossary.yaml",
            "id: constraint",
            "id: write-skew",
            "glossary.yaml:7: the term id 'write-skew' stands here twice",
        ),
        (
            "glossary.yaml",
            "term: Constraint",
            "term: SKEWED write",
            "glossary.yaml:7: the word 'SKEWED write' already leads to",
        ),
        ("scorecard.yaml", "id: width", "id: depth", "the id 'depth' stands in 'dimensions' twice"),
        ("scorecard.yaml", "id: comment", "id: remark", "there is no commitment 'comment'"),
    ],
)
def test_a_fault_is_told_with_file_and_line(
    full: ContentFolder, path: str, old: str, new: str, fault: str
) -> None:
    text = (full.root / path).read_text(encoding="utf-8")
    full.write(path, text.replace(old, new, 1))

    faults = [str(each) for each in full.load().faults]

    assert [each for each in faults if fault in each], faults
