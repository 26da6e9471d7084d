"""Checks of functions that answer True or False, or give up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock, call, create_autospec

import pytest

from labs.attempts import (
    GAVE_UP,
    MAX_ATTEMPTS,
    attempt,
    attempt_with_pauses,
    require_end,
    require_random,
    require_schedule,
    rush,
)
from labs.checks import CheckFailed
from labs.under_test import LabUnderTest, NotStarted
from sandboxes.interface import JSON, CallOutcome, LearnerCodeError, Sandbox


@pytest.fixture
def sandbox() -> Mock:
    made: Mock = create_autospec(Sandbox)
    return made


@pytest.fixture
def lab(sandbox: Mock) -> LabUnderTest:
    return LabUnderTest(sandbox, task="reserve", seed=1, deadline=time.monotonic() + 60)


@pytest.mark.parametrize("answer", [True, False])
def test_a_call_on_a_connection_of_its_own(lab: LabUnderTest, sandbox: Mock, answer: bool) -> None:
    sandbox.call.return_value = answer
    assert attempt(lab, "reserve", "order", 2, timeout=7.0) is answer
    assert sandbox.call.call_args == call("on_own_connection", "reserve", "order", 2, timeout=7.0)


def test_giving_up_is_an_answer_and_other_errors_are_not(lab: LabUnderTest, sandbox: Mock) -> None:
    sandbox.call.side_effect = LearnerCodeError("GaveUp", "")
    lab.telling.words = {"GaveUp"}
    assert attempt(lab, "reserve") == GAVE_UP
    sandbox.call.side_effect = LearnerCodeError("ValueError", "")
    with pytest.raises(LearnerCodeError):
        attempt(lab, "reserve")
    sandbox.call.side_effect = LearnerCodeError("NotImplementedError", "")
    with pytest.raises(NotStarted):
        attempt(lab, "reserve")


@pytest.mark.parametrize("answer", [None, 1, 0, "True", []])
def test_what_is_neither_true_nor_false_fails(lab: LabUnderTest, sandbox: Mock, answer: JSON) -> None:
    sandbox.call.return_value = answer
    with pytest.raises(CheckFailed, match="reserve must return True or False"):
        attempt(lab, "reserve")
    sandbox.call_many.return_value = [CallOutcome(answer)]
    with pytest.raises(CheckFailed, match="reserve must return True or False"):
        rush(lab, "reserve", [()], 1)


def rushed(lab: LabUnderTest, sandbox: Mock, *outcomes: CallOutcome) -> list[bool | str]:
    lab.telling.words = {"GaveUp", "DeadlockDetected", "SerializationFailure"}
    sandbox.call_many.return_value = list(outcomes)
    return rush(lab, "reserve", [("order", number) for number in range(len(outcomes))], 8, timeout=9.0)


def test_a_rush_tells_what_each_call_came_to_in_their_order(lab: LabUnderTest, sandbox: Mock) -> None:
    told = rushed(lab, sandbox, CallOutcome(True), CallOutcome(error="GaveUp: no"), CallOutcome(False))
    assert told == [True, GAVE_UP, False]
    assert sandbox.call_many.call_args == call(
        "on_own_connection",
        [["reserve", "order", 0], ["reserve", "order", 1], ["reserve", "order", 2]],
        workers=8,
        timeout=9.0,
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("DeadlockDetected: deadlock detected", "With 8 connections at once, some transactions deadlocked. "),
        ("SerializationFailure: could not", "With 8 connections at once, a serialization failure reached "),
        ("ValueError: hidden", "With 8 connections at once, reserve raised ValueError.$"),
    ],
)
def test_what_a_call_of_a_rush_raises_fails(lab: LabUnderTest, sandbox: Mock, error: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=f"^{message}"):
        rushed(lab, sandbox, CallOutcome(True), CallOutcome(error=error))


def test_pauses_are_those_of_this_call_alone(lab: LabUnderTest, sandbox: Mock) -> None:
    pauses = [0.5]

    def notebook(name: str, *arguments: JSON, timeout: float) -> Any:
        if name == "take_pauses":
            taken = pauses[:]
            pauses.clear()
            return taken
        pauses.extend([0.1, 0.2])
        return True

    sandbox.call.side_effect = notebook
    assert attempt_with_pauses(lab, "reserve", timeout=5.0) == (True, [0.1, 0.2])


def test_an_end_is_required() -> None:
    require_end(MAX_ATTEMPTS)
    with pytest.raises(CheckFailed, match="never gave up"):
        require_end(MAX_ATTEMPTS + 1)


def test_a_schedule_has_enough_attempts_and_bounded_pauses_between() -> None:
    assert require_schedule(3, [0, 2]) == [0, 2]
    assert require_schedule(3, [0.1, 0.2, 0.4]) == [0.1, 0.2, 0.4]


@pytest.mark.parametrize(
    ("tries", "pauses", "message"),
    [
        (2, [0.1], "too early"),
        (3, [0.1], "Between two attempts there must be a pause"),
        (3, None, "Between two attempts there must be a pause"),
        (3, {"a": 1, "b": 2}, "Between two attempts there must be a pause"),
        (3, [0.1, 2.1], "between 0 and 2 seconds"),
        (3, [0.1, -0.1], "between 0 and 2 seconds"),
        (3, [0.1, "0.1"], "between 0 and 2 seconds"),
    ],
)
def test_a_schedule_that_is_none_fails(tries: int, pauses: JSON, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        require_schedule(tries, pauses)


@pytest.mark.parametrize(("one", "other", "differ"), [([0.1, 0.2], [0.1, 0.3], True), ([0.1], [0.1], False)])
def test_two_schedules_differ(one: Sequence[float], other: Sequence[float], differ: bool) -> None:
    if differ:
        require_random(one, other)
        return
    with pytest.raises(CheckFailed, match="the same each time"):
        require_random(one, other)
