"""Single and multiple choice: what may be written, and how it scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds import KINDS, Body
from question_bank.kinds.multiple import MultipleChoice
from question_bank.schema import Option


def body(right: list[bool]) -> MultipleChoice:
    return MultipleChoice(
        tuple(Option(f"k{n}", f"option {n}", flag, "", n + 1) for n, flag in enumerate(right))
    )


@pytest.mark.parametrize(
    ("chosen", "fraction"),
    [
        ([], 0.0),
        ([0], 0.5),
        ([0, 1], 1.0),
        ([0, 2], 0.0),
        ([0, 1, 2], 0.5),
        ([0, 1, 2, 3], 0.0),
        ([2, 3], 0.0),
        ([0, 0, 1], 1.0),
    ],
)
def test_partial_credit_is_right_minus_wrong_over_right(chosen, fraction):
    assert body([True, True, False, False]).grade([f"k{n}" for n in chosen]).fraction == fraction


def test_learners_are_told_how_partial_credit_works(question):
    rule = question(kind="multiple").present(1).rule
    assert "takes one share away" in rule
    assert "never falls below zero" in rule


flags = st.lists(st.booleans(), min_size=2, max_size=8).filter(lambda right: any(right) and not all(right))


@given(right=flags, data=st.data())
def test_any_choice_scores_between_0_and_1_and_only_the_right_one_scores_1(right, data):
    choice = body(right)
    chosen = data.draw(st.sets(st.sampled_from([option.key for option in choice.options])))
    fraction = choice.grade(sorted(chosen)).fraction
    assert 0.0 <= fraction <= 1.0
    assert (fraction == 1.0) == (chosen == {option.key for option in choice.options if option.right})


@given(right=flags, data=st.data())
def test_one_more_wrong_choice_never_raises_the_score(right, data):
    choice = body(right)
    chosen = data.draw(st.sets(st.sampled_from([option.key for option in choice.options])))
    wrong = data.draw(st.sampled_from([option.key for option in choice.options if not option.right]))
    assert choice.score(chosen | {wrong}) <= choice.score(chosen)


@pytest.mark.parametrize("answer", [["a", "b"], 3, 2.5, True, {"a": 1}])
def test_single_choice_refuses_what_is_not_one_option(question, answer):
    with pytest.raises(AnswerRefused, match="exactly one"):
        question().grade(answer)


@pytest.mark.parametrize("answer", ["abc", 3, {"a": 1}, [1, 2], [["a"]], [f"k{n}" for n in range(100)]])
def test_multiple_choice_refuses_what_is_no_list_of_options(question, answer):
    with pytest.raises(AnswerRefused):
        question(kind="multiple").grade(answer)


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("single", "- [x] Aa\n- [x] Bb\n", "exactly one"),
        ("single", "- [ ] Aa\n- [ ] Bb\n", "exactly one"),
        ("single", "- [x] Aa\n", "2 to 8"),
        ("single", "- [x] Aa\n- [ ] aa\n- [ ] Aa\n", "word for word"),
        ("single", "- [x]\n- [ ] Bb\n", "no text"),
        ("multiple", "- [ ] Aa\n- [ ] Bb\n", "at least one option"),
        ("multiple", "- [x] Aa\n- [x] Bb\n", "at least one wrong"),
        ("multiple", "- [x] Aa\n" + "".join(f"- [ ] B{n}\n" for n in range(9)), "2 to 8"),
    ],
)
def test_what_options_have_to_be(faults_of, text, kind, options, complaint):
    assert any(complaint in fault.message for fault in faults_of(text(kind=kind, options=options)))


def test_a_choice_needs_options(faults_of, text):
    assert any("needs a section" in fault.message for fault in faults_of(text(options="")))


def test_each_kind_is_registered_under_its_own_name():
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}


def test_an_incomplete_kind_fails_when_it_is_defined():
    with pytest.raises(TypeError, match="lacks grade, parse, show"):
        type("Riddle", (Body,), {"name": "riddle"})
