"""The check of a task whose answer is a dictionary of choices."""

from __future__ import annotations

import time
from unittest.mock import create_autospec

import pytest

from labs.checks import CheckFailed
from labs.choices import require_choices
from labs.under_test import LabUnderTest
from sandboxes.interface import JSON, Sandbox

FACTS = {"first": "A lock", "second": "the version", "third": "60"}
PLACES = {"first": "section 1", "second": "section 2", "third": "section 3"}


def judged(choices: JSON, *, exact: bool = False, advice: dict[str, str] | str = "Look at both tables.") -> str:
    """What a learner with these choices is told; empty when they hold."""
    sandbox = create_autospec(Sandbox)
    sandbox.value.return_value = choices
    lab = LabUnderTest(sandbox, task="choices", seed=1, deadline=time.monotonic() + 30)
    try:
        require_choices(lab, FACTS, advice, exact=exact)
    except CheckFailed as failed:
        return str(failed)
    finally:
        assert sandbox.value.call_args.args == ("choices",)
    return ""


@pytest.mark.parametrize("exact", [True, False])
def test_true_answers_hold_whatever_else_stands_there(exact: bool) -> None:
    assert judged({**FACTS, "more": 7}, exact=exact) == ""


def test_capitals_and_spaces_around_an_answer_do_not_count() -> None:
    choices: JSON = {"first": " a LOCK\n", "second": "The Version", "third": "60 "}
    assert judged(choices) == ""
    assert judged(choices, exact=True) == "0 of 3 choices hold. Look at both tables."


def test_spaces_within_an_answer_count() -> None:
    assert judged({**FACTS, "first": "a  lock"}).startswith("2 of 3 choices hold.")


def test_the_first_that_does_not_hold_is_where_to_look() -> None:
    told = judged({**FACTS, "second": "the time", "third": "61"}, advice=PLACES)
    assert told == "1 of 3 choices hold. Look again at section 2."


@pytest.mark.parametrize("exact", [True, False])
def test_no_message_says_which_answer_is_true(exact: bool) -> None:
    told = judged(dict.fromkeys(FACTS, "none of them"), exact=exact, advice=PLACES)
    assert told
    assert not any(fact in told for fact in FACTS.values())


@pytest.mark.parametrize("nothing", [None, 60, ["60"]])
def test_what_is_no_text_is_no_answer(nothing: JSON) -> None:
    assert judged({"second": FACTS["second"], "third": nothing}) == "`choices` has no answer for first, third."


@pytest.mark.parametrize("choices", [None, "A lock", ["A lock", "the version", "60"], 3])
def test_what_is_no_dictionary_is_named(choices: JSON) -> None:
    assert judged(choices) == "`choices` must be a dictionary with an answer for each entry."
