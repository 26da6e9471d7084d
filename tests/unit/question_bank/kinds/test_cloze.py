"""Cloze: gaps that are typed, chosen or numbers, in text and in code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds.cloze import fill_gaps, gap_names

GAPS = """\
gaps:
  lock:
    accept: [FOR UPDATE SKIP LOCKED]
    mistakes: [{accept: [FOR UPDATE], why: Every other worker waits.}]
  order:
    choices:
      - {text: created_at, right: true, why: The oldest first.}
      - {text: random(), why: It reads the whole queue.}
  workers:
    value: 6
    unit: workers
    mistakes: [{value: 60, why: A worker does ten.}]
"""
TEXT = "```sql\nSELECT id FROM jobs ORDER BY [[?order]] LIMIT 1 [[?lock]];\n```\n\nWorkers: [[?workers]]"


@pytest.fixture
def asked(question):
    return question(kind="cloze", extra=GAPS, prompt=f"Fill the gaps.\n\n## Text\n\n{TEXT}")


def key(asked, text: str) -> str:
    (gap,) = (gap for gap in asked.present(1).gaps if gap.name == "order")
    return next(choice.key for choice in gap.choices if choice.text == text)


def test_gaps_are_shown_in_the_order_of_the_text_without_their_answers(asked):
    shown = asked.present(1)
    assert [(gap.name, bool(gap.choices), gap.unit) for gap in shown.gaps] == [
        ("order", True, None),
        ("lock", False, None),
        ("workers", False, "workers"),
    ]
    everything = shown.model_dump_json()
    assert "SKIP LOCKED" not in everything
    assert "oldest" not in everything
    assert "right" not in everything.replace('"right":[]', "").replace("Each right one", "")
    assert shown.text == TEXT
    assert len({tuple(c.key for c in asked.present(seed).gaps[0].choices) for seed in range(20)}) == 2


def test_each_gap_earns_its_share_and_says_what_was_wrong(asked):
    graded = asked.grade({"lock": "for update", "order": key(asked, "created_at"), "workers": "6 workers"})
    assert graded.fraction == pytest.approx(2 / 3)
    order, lock, workers = graded.feedback
    assert (order.key, order.right, order.given, order.comment) == (
        "order",
        True,
        "`created_at`",
        "The oldest first.",
    )
    assert (lock.right, lock.given, lock.expected) == (False, "`for update`", "`FOR UPDATE SKIP LOCKED`")
    assert lock.comment == "Every other worker waits."
    assert (workers.right, workers.given) == (True, "6 workers")


def test_all_gaps_right_is_fully_right(asked):
    right = {"lock": "FOR UPDATE SKIP LOCKED", "order": key(asked, "created_at"), "workers": 6}
    assert asked.grade(right).correct


def test_what_a_gap_refuses_names_the_gap(asked):
    with pytest.raises(AnswerRefused, match=r"Gap “workers”.*number"):
        asked.grade({"workers": "many"})
    with pytest.raises(AnswerRefused, match="Gap “order”"):
        asked.grade({"order": "created_at"})


@pytest.mark.parametrize("answer", ["x", 3, ["a"], {"else": "y"}, {f"g{n}": "a" for n in range(50)}, {3: "a"}])
def test_what_is_no_filling_is_refused(asked, answer):
    with pytest.raises(AnswerRefused):
        asked.grade(answer)


@pytest.mark.parametrize("blank", [None, "", {}, {"lock": ""}, {"lock": None, "order": "", "workers": " "}])
def test_blank_answers(asked, blank):
    graded = asked.grade(blank)
    assert (graded.fraction, graded.answered) == (0.0, False)
    assert [entry.key for entry in graded.feedback] == ["order", "lock", "workers"]


@pytest.mark.parametrize(
    ("gaps", "body", "line", "says"),
    [
        (GAPS, "No gaps.", 8, "`lock` has no place"),
        (GAPS, f"{TEXT}\n[[?other]]", None, "`other` isn't described"),
        (GAPS, f"{TEXT}\n[[?lock]]", None, "stands in the text twice"),
        (GAPS, f"{TEXT}\n[[?Lock it]]", None, "word in lower case"),
        ("gaps: {}\n", TEXT, 8, "1 to 12 gaps"),
        ("gaps: [a]\n", TEXT, 8, "1 to 12 gaps"),
        ("gaps: {a: }\n", "[[?a]]", 8, "`gaps.a.accept` is missing: add it."),
        ("gaps: {a: {value: yes}}\n", "[[?a]]", 8, "must be a number"),
        ("gaps: {a: {choices: [{text: b}, {text: c}]}}\n", "[[?a]]", 8, "exactly one choice"),
        ("gaps: {a: {choices: [{text: b, right: true}, {text: b}]}}\n", "[[?a]]", 8, "the same"),
        ("gaps: {a: {choices: [{text: b, right: true}]}}\n", "[[?a]]", 8, "at least 2 items"),
        ("gaps: {a: {accept: [b], choices: [{text: b, right: true}, {text: c}]}}\n", "[[?a]]", 8, "accept"),
    ],
)
def test_what_may_not_be_written(faults_of, text, gaps, body, line, says):
    found = faults_of(text(kind="cloze", extra=gaps, prompt=f"Fill.\n\n## Text\n\n{body}"))
    assert any(line in (None, fault.line) and says in fault.message for fault in found), found


def test_double_brackets_of_other_languages_are_no_gaps():
    assert gap_names('if [[ -f "$x" ]]; then a[[1]]; fi [[table]]') == []


@given(st.lists(st.sampled_from(["[[?a]]", "[[?b_1]]", "text", "`code`", "\n", "[[x]]"])))
def test_filling_puts_something_into_each_gap_and_leaves_the_rest(parts):
    text = "".join(parts)
    assert fill_gaps(text, lambda name: f"[[?{name}]]") == text
    assert gap_names(fill_gaps(text, lambda name: f"<{name}>")) == []
