"""Open answers: text first, then the rubric, then the marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds.open import MAX_ANSWER, Criterion, OpenAnswer

BODY = OpenAnswer(
    "why-not",
    (
        Criterion(points=3, criterion="Says that locks are held."),
        Criterion(points=1, criterion="Names an alternative."),
        Criterion(points=2, criterion="Says what it gives up."),
    ),
    "Between prepare and commit every participant holds its locks.",
)
RUBRIC = "rubric:\n  - {points: 2, criterion: Says one thing.}\n  - {points: 1, criterion: Says another.}\n"


def test_a_text_alone_waits_for_its_marks_and_brings_the_rubric():
    verdict = BODY.grade("Locks.")
    assert (verdict.fraction, verdict.answered, verdict.complete) == (0.0, True, False)
    assert [(entry.text, entry.points, entry.chosen) for entry in verdict.feedback] == [
        ("Says that locks are held.", 3, False),
        ("Names an alternative.", 1, False),
        ("Says what it gives up.", 2, False),
    ]
    assert verdict.right_answer.startswith("Between prepare")


def test_the_rubric_is_not_shown_before(question):
    asked = question(kind="open", extra=RUBRIC, prompt="Why?\n\n## Model answer\n\nBecause of the locks.")
    everything = asked.present(1).model_dump_json()
    assert "Says one" not in everything
    assert "locks" not in everything
    graded = asked.grade({"text": "Locks.", "met": list(asked.body.keys())})
    assert (graded.correct, graded.complete) == (True, True)
    assert not asked.grade("Locks.").correct


@given(st.sets(st.integers(0, 2)))
def test_the_score_is_the_share_of_points_met(met):
    keys = [BODY.keys()[n] for n in met]
    verdict = BODY.grade({"text": "Locks.", "met": keys})
    assert verdict.fraction == sum((3, 1, 2)[n] for n in met) / 6
    assert verdict.complete
    assert {entry.key for entry in verdict.feedback if entry.right} == set(keys)


@pytest.mark.parametrize("blank", [None, "", " \n", {}, {"text": " "}, {"text": None, "met": None}])
def test_blank_answers_are_complete_and_score_nothing(blank):
    verdict = BODY.grade(blank)
    assert (verdict.fraction, verdict.answered, verdict.complete) == (0.0, False, True)


def test_marks_without_a_text_earn_nothing():
    assert BODY.grade({"text": "", "met": list(BODY.keys())}).fraction == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        3,
        ["a"],
        {"text": 3},
        "x" * (MAX_ANSWER + 1),
        {"text": "a", "met": "all"},
        {"text": "a", "met": ["unknown"]},
        {"text": "a", "met": [["x"]]},
        {"text": "a", "met": [str(n) for n in range(99)]},
    ],
)
def test_what_is_no_marked_text_is_refused(answer):
    with pytest.raises(AnswerRefused):
        BODY.grade(answer)


@pytest.mark.parametrize(
    ("rubric", "section", "line", "says"),
    [
        (RUBRIC, "## Options\n\n- [x] Aa", None, "has no options"),
        (RUBRIC, "", 3, "needs a section `## Model answer`"),
        (RUBRIC, "## Model answer", 18, "needs a section `## Model answer`"),
        ("", "## Model answer\n\nYes.", 1, "`rubric` is missing: add it."),
        ("rubric: [{points: 1, criterion: One.}]\n", "## Model answer\n\nYes.", 8, "at least 2"),
        (RUBRIC.replace("points: 1", "points: 0"), "## Model answer\n\nYes.", 8, "rubric.1.points"),
        (RUBRIC.replace("another", "one  thing"), "## Model answer\n\nYes.", 8, "twice"),
    ],
)
def test_what_may_not_be_written(faults_of, text, rubric, section, line, says):
    found = faults_of(text(kind="open", extra=rubric, prompt=f"Why?\n\n{section}"))
    assert any(line in (None, fault.line) and says in fault.message for fault in found), found
