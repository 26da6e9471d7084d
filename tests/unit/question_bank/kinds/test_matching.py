"""Matching: pairs, partners that fit nothing, partners that fit twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds.matching import Distractor, Matching, Pair, Side, split_pair

PAIRS = """\
- A retry books twice
  = An idempotency key
  > The second finds the first one's result.
- Two writers overwrite each other
  = A version column
  > The second write matches no row.
- A worker books twice
  = An idempotency key
  > It's a retry as well.
"""
DISTRACTORS = "- A longer timeout\n  > It prevents neither.\n"


@pytest.fixture
def asked(question):
    return question(
        kind="matching", prompt=f"What helps?\n\n## Pairs\n\n{PAIRS}\n## Distractors\n\n{DISTRACTORS}"
    )


def sides(asked):
    shown = asked.present(1)
    return {side.text: side.key for side in shown.left}, {side.text: side.key for side in shown.right}


def test_both_sides_are_shown_once_each_and_shuffled(asked):
    left, right = sides(asked)
    assert set(left) == {"A retry books twice", "Two writers overwrite each other", "A worker books twice"}
    assert set(right) == {"An idempotency key", "A version column", "A longer timeout"}
    assert len({tuple(side.key for side in asked.present(seed).right) for seed in range(30)}) == 6
    assert "more than once" in asked.present(1).rule
    assert "fit nothing" in asked.present(1).rule
    assert "finds the first" not in asked.present(1).model_dump_json()


def test_each_right_pair_earns_its_share(asked):
    left, right = sides(asked)
    answer = {
        left["A retry books twice"]: right["An idempotency key"],
        left["Two writers overwrite each other"]: right["A longer timeout"],
        left["A worker books twice"]: "",
    }
    graded = asked.grade(answer)
    assert graded.fraction == pytest.approx(1 / 3)
    retry, writers, worker = graded.feedback
    assert (retry.right, retry.given, retry.expected) == (True, "An idempotency key", "An idempotency key")
    assert (writers.right, writers.given) == (False, "A longer timeout")
    assert writers.comment == "It prevents neither.\n\nThe second write matches no row."
    assert (worker.chosen, worker.given, worker.expected) == (False, "", "An idempotency key")


@given(st.data())
def test_the_score_is_the_share_of_right_pairs(data):
    count = data.draw(st.integers(2, 8))
    pairs = tuple(Pair(Side(f"l{n}", f"L{n}"), Side(f"r{n}", f"R{n}"), "") for n in range(count))
    body = Matching(pairs, (Distractor(Side("r99", "none"), ""),))
    choice = st.sampled_from([*(f"r{n}" for n in range(count)), "r99", "", None])
    answer = {f"l{n}": data.draw(choice) for n in data.draw(st.sets(st.integers(0, count - 1)))}
    verdict = body.grade(answer)
    assert verdict.fraction == sum(answer.get(f"l{n}") == f"r{n}" for n in range(count)) / count
    assert verdict.answered == any(answer.values())
    shown = body.show(random.Random(1))
    assert len(shown.left) == count
    assert len(shown.right) == count + 1


@pytest.mark.parametrize("answer", ["x", 3, ["a"], {"x": "y"}, {n: n for n in range(20)}, {("a",): "b"}])
def test_what_names_no_pairs_is_refused(asked, answer):
    with pytest.raises(AnswerRefused):
        asked.grade(answer)


def test_a_right_side_that_is_not_shown_is_refused(asked):
    left, _ = sides(asked)
    for wrong in ("nothing", 3, ["x"], next(iter(left.values()))):
        with pytest.raises(AnswerRefused, match="isn't shown"):
            asked.grade({next(iter(left.values())): wrong})


@pytest.mark.parametrize("blank", [None, "", {}])
def test_blank_answers(asked, blank):
    graded = asked.grade(blank)
    assert (graded.fraction, graded.answered) == (0.0, False)


@pytest.mark.parametrize(
    ("pairs", "distractors", "line", "says"),
    [
        ("- Aa\n  = Bb\n", "", 16, "2 to 10 pairs"),
        ("- Aa\n- Cc\n  = Dd\n", "", 16, "the right side in the next line"),
        ("- Aa\n  = Bb\n- Aa\n  = Dd\n", "", 18, "repeats the one in line 16"),
        ("- Aa\n  = Bb\n- Cc\n  = Bb\n", "", 16, "2 to 12 different"),
        ("- Aa\n  = Bb\n- Cc\n  = Dd\n", "- Bb\n", 23, "repeats a right side"),
        ("- Aa\n  = Bb\n-\n  = Dd\n", "", 18, "left side has no text"),
        ("* Aa\n", "", 16, "A pair starts with"),
    ],
)
def test_what_may_not_be_written(faults_of, text, pairs, distractors, line, says):
    spare = f"\n## Distractors\n\n{distractors}" if distractors else ""
    found = faults_of(text(kind="matching", prompt=f"What helps?\n\n## Pairs\n\n{pairs}{spare}"))
    assert any(fault.line == line and says in fault.message for fault in found), found


def test_an_equals_sign_in_code_begins_no_right_side():
    assert split_pair("```text\n= no\n```\n= yes\nmore") == ("```text\n= no\n```", "yes\nmore")
    assert split_pair("a = b") == ("a = b", None)
