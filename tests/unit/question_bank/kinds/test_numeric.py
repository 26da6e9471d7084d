"""Numbers: reading them safely, tolerance, and feedback for foreseen mistakes."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds.numeric import MAX_ANSWER_LENGTH, Mistake, Numeric, NumericAnswer, read_number


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("1200", 1200),
        ("1,200", 1200),
        ("1 200", 1200),
        ("1\u00a0200", 1200),
        ("1_200", 1200),
        ("12,000,050", 12_000_050),
        ("1,200.5", 1200.5),
        (" 0.75 ", 0.75),
        (".75", 0.75),
        ("1.2e3", 1200),
        ("12E+2", 1200),
        ("-3", -3),
        ("\u22123", -3),
        ("+4", 4),
        ("18 ms", 18),
        ("18MS", 18),
        ("1e3 milliseconds", 1000),
    ],
)
def test_reads_numbers_as_people_write_them(typed, number):
    assert read_number(typed, "ms", ("milliseconds",)) == number


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("NaN", "no answers here"),
        ("inf", "no answers here"),
        ("-Infinity", "no answers here"),
        ("1e999", "no answers here"),
        ("1e16", "too large"),
        ("1,5", "more than one way"),
        ("1,2345", "more than one way"),
        ("1.2.3", "more than one way"),
        ("1,20,000", "more than one way"),
        ("18 s", "asked for in ms"),
        ("18e", "asked for in ms"),
        ("twelve", "doesn't start with a number"),
        ("--3", "doesn't start with a number"),
        ("__import__('os')", "doesn't start with a number"),
        ("\u0661\u0662", "doesn't start with a number"),
        ("9" * (MAX_ANSWER_LENGTH + 1), "longer than"),
    ],
)
def test_refuses_what_it_cannot_read_safely_and_says_why(typed, reason):
    with pytest.raises(AnswerRefused, match=reason):
        read_number(typed, "ms")


def test_a_unit_is_refused_where_none_is_asked_for():
    with pytest.raises(AnswerRefused, match="the number alone"):
        read_number("3 apples")


@pytest.mark.parametrize("answer", [True, [3], {"value": 3}, b"3", math.nan, math.inf, 10**400])
def test_refuses_answers_that_are_no_numbers(question, answer):
    with pytest.raises(AnswerRefused):
        question(kind="numeric").grade(answer)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(typed):
    number = None
    with contextlib.suppress(AnswerRefused):
        number = read_number(typed, "ms")
    assert number is None or (math.isfinite(number) and abs(number) <= 1e15)


@given(
    value=st.floats(-1e9, 1e9).map(lambda number: round(number, 4)),
    tolerance=st.floats(0, 100),
    percent=st.floats(0, 50),
    typed=st.floats(-1e10, 1e10),
)
def test_any_number_scores_0_or_1_and_the_right_one_1(value, tolerance, percent, typed):
    numeric = Numeric(NumericAnswer(value=value, tolerance=tolerance, tolerance_percent=percent))
    assert numeric.grade(value).fraction == 1.0
    assert numeric.grade(repr(value)).fraction == 1.0
    assert numeric.grade(typed).fraction in (0.0, 1.0)


@pytest.mark.parametrize(
    ("typed", "right"), [(18, True), ("18.5", True), (17.5, True), ("18.6", False), ("17.4", False)]
)
def test_the_tolerance_includes_its_edge(question, typed, right):
    assert question(kind="numeric").grade(typed).correct is right


def test_a_relative_tolerance_counts_when_it_is_wider():
    numeric = Numeric(NumericAnswer(value=200, tolerance=1, tolerance_percent=2))
    assert [numeric.grade(n).fraction for n in (196, 204, 195.9, 204.1)] == [1.0, 1.0, 0.0, 0.0]
    assert "within 2 %" in numeric.show(None).rule


def test_a_foreseen_mistake_gets_its_own_feedback_and_others_none(question):
    asked = question(kind="numeric")
    assert asked.grade("2.4 ms").feedback[0].comment == "The connection is held for longer."
    assert asked.grade("77").feedback[0].comment == ""
    assert asked.grade("77").feedback[0].text == "77 ms"
    assert asked.grade("77").right_answer == "18 ms (± 0.5)"


def test_the_nearest_mistake_is_named():
    mistakes = (Mistake(value=100, why="hundred"), Mistake(value=101, why="one more"))
    numeric = Numeric(NumericAnswer(value=5, tolerance=2, mistakes=mistakes))
    assert numeric.grade(100.9).feedback[0].comment == "one more"


@pytest.mark.parametrize(
    "answer",
    [
        "answer: 3",
        "answer: {value: yes}",
        "answer: {value: '3'}",
        "answer: {value: .nan}",
        "answer: {value: 3, tolerance: -1}",
        "answer: {value: 3, units: ms}",
        "answer: {value: 3, unit: 9s}",
        "answer: {value: 3, tolerance: 1, mistakes: [{value: 4, why: too near}]}",
        "answer: {value: 3, mistakes: [{value: 4}]}",
    ],
)
def test_a_broken_answer_block_is_a_fault_at_its_line(faults_of, text, answer):
    found = faults_of(text(kind="numeric", extra=answer))
    assert {fault.line for fault in found} == {8}


def test_a_numeric_question_has_no_options(faults_of, text):
    found = faults_of(text(kind="numeric", options="- [x] Aa\n- [ ] Bb\n"))
    assert any("has no options" in fault.message for fault in found)
