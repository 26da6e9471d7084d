"""Short answers: which wordings count, and that no pattern can hang."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.typed import MAX_TYPED, TypedAnswer, tidy

ANSWER = TypedAnswer.model_validate(
    {
        "accept": ["idempotency key", "Idempotency-Key"],
        "patterns": ["idempoten(t|cy) (key|token)s?"],
        "feedback": "Right.",
        "mistakes": [
            {"accept": ["request id"], "patterns": ["cor+elation.*"], "why": "It is new for each attempt."}
        ],
    }
)


@pytest.mark.parametrize(
    "typed",
    [
        "idempotency key",
        " Idempotency  KEY. ",
        "`idempotency-key`",
        '"idempotency key"',
        "idempotent tokens",
        "IDEMPOTENCY TOKEN",
        "idempotency\tkey\n",
        "ｉｄｅｍｐｏｔｅｎｃｙ key",
    ],
)
def test_wordings_that_count(typed):
    verdict = ShortAnswer(ANSWER).grade(typed)
    assert verdict.fraction == 1.0
    assert verdict.feedback[0].comment == "Right."


@pytest.mark.parametrize(
    "typed", ["idempotency", "an idempotency key", "idempotency key?!", "idempotent tokensx", "."]
)
def test_wordings_that_do_not(typed):
    verdict = ShortAnswer(ANSWER).grade(typed)
    assert (verdict.fraction, verdict.answered) == (0.0, True)
    assert verdict.right_answer == "`idempotency key`"


@pytest.mark.parametrize("typed", ["Request ID", "correlation header"])
def test_foreseen_mistakes_are_answered(typed):
    (entry,) = ShortAnswer(ANSWER).grade(typed).feedback
    assert (entry.right, entry.comment) == (False, "It is new for each attempt.")


def test_case_can_count():
    body = ShortAnswer(
        TypedAnswer.model_validate({"accept": ["LSN"], "patterns": ["[A-Z]{4}"], "case_sensitive": True})
    )
    assert body.grade("LSN").fraction == 1.0
    assert body.grade("WXYZ").fraction == 1.0
    assert body.grade("lsn").fraction == body.grade("wxyz").fraction == 0.0


@pytest.mark.parametrize("answer", [3, 2.5, True, ["a"], {"a": 1}, b"x", "x" * (MAX_TYPED + 1)])
def test_what_is_no_short_text_is_refused(answer):
    with pytest.raises(AnswerRefused):
        ShortAnswer(ANSWER).grade(answer)


@pytest.mark.parametrize("blank", [None, "", "  \n "])
def test_blank_answers(blank):
    assert not ShortAnswer(ANSWER).grade(blank).answered


def test_patterns_that_would_hang_a_backtracking_engine_do_not():
    body = ShortAnswer(
        TypedAnswer.model_validate({"accept": ["x"], "patterns": ["(a+)+b", "(a|aa)*c", "(.*a){12}d"]})
    )
    # A backtracking engine would not come to an end before this test is stopped.
    assert body.grade("a" * MAX_TYPED).fraction == 0.0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("answer: {accept: []}", "at least 1 item"),
        ("answer: {patterns: [a]}", "is missing: add it."),
        ("answer: {accept: [a], patterns: ['(']}", "no RE2 pattern"),
        ("answer: {accept: [a], patterns: ['(?=a)b']}", "no RE2 pattern"),
        ("answer: {accept: [a], patterns: ['.*']}", "matches anything"),
        ("answer: {accept: [a], patterns: ['b?']}", "matches anything"),
        ("answer: {accept: [a], mistakes: [{accept: [A.], why: No.}]}", "would count as right"),
        ("answer: {accept: [a], mistakes: [{why: No.}]}", "at least one form"),
        ("answer: {accept: ['`  `']}", "no text"),
        ("answer: {accept: [a], wrong: b}", "Extra inputs"),
        ("answer: hello", "describe the answer as fields"),
        ("answer: {accept: [a], case_sensitive: 'yes'}", "case_sensitive"),
    ],
)
def test_what_may_not_be_written(faults_of, text, fields, says):
    found = faults_of(text(kind="short", extra=fields))
    assert any(says in fault.message for fault in found), found
    assert {fault.line for fault in found} == {8}


@given(st.text(max_size=80))
def test_tidying_twice_changes_nothing_that_matters(typed):
    once = tidy(typed)
    assert ANSWER.accepts(once) == ANSWER.accepts(tidy(f"  {once} "))


@given(st.text(max_size=MAX_TYPED))
def test_any_text_is_graded(typed):
    verdict = ShortAnswer(ANSWER).grade(typed)
    assert verdict.fraction in (0.0, 1.0)
    assert verdict.answered or verdict.fraction == 0.0
