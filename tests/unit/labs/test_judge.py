"""What each outcome of a check means for the learner."""

from __future__ import annotations

import time
from pathlib import Path
from unittest.mock import create_autospec

import httpx
import psycopg
import pytest
from psycopg import errors as pg

from labs.checks import Check, require
from labs.judge import judge
from labs.report import TaskStatus
from labs.under_test import LabUnderTest
from sandboxes.interface import (
    AgentTimeout,
    CallOutcome,
    Endpoint,
    KernelDied,
    LearnerCodeError,
    Sandbox,
    SandboxError,
    SandboxGone,
    TooLarge,
)


def handle(sandbox: Sandbox | None = None, seconds: float = 60.0) -> LabUnderTest:
    return LabUnderTest(
        sandbox or create_autospec(Sandbox),
        task="add",
        seed=3,
        deadline=time.monotonic() + seconds,
        words={"inventory", "reserve"},
    )


def raising(error: BaseException) -> Check:
    def function(lab: LabUnderTest) -> None:
        raise error

    return Check("add", function, "It adds.")


def test_a_check_that_returns_passes_with_its_property() -> None:
    verdict = judge(Check("add", lambda lab: None, "It adds."), handle())
    assert (verdict.status, verdict.message) == (TaskStatus.PASSED, "It adds.")


@pytest.mark.parametrize(
    ("error", "words", "spent"),
    [
        (LearnerCodeError("KeyError", "'x'"), "Your code raised KeyError: 'x'", False),
        (AgentTimeout("late"), "did not answer in time", True),
        (KernelDied("dead"), "ended the Python kernel", True),
        (TooLarge("big"), "more than can be checked", False),
        (pg.LockNotAvailable("lock"), "left a transaction open", True),
        (
            pg.UndefinedTable('relation "inventory" does not exist\nLINE 1'),
            'relation "inventory" does not exist',
            False,
        ),
        (pg.UndefinedTable('relation "secret-7" does not exist'), "PostgreSQL says: UndefinedTable", False),
        (pg.RaiseException("secret-7"), "refused what the check does (RaiseException)", False),
        (
            httpx.HTTPStatusError(
                "secret-7", request=create_autospec(httpx.Request), response=create_autospec(httpx.Response)
            ),
            "refused what the check asked",
            False,
        ),
        (SandboxError("secret-7", detail="not JSON"), "answers that make no sense", True),
        (psycopg.OperationalError("gone"), "PostgreSQL in your sandbox does not answer", False),
        (httpx.ConnectError("gone"), "A service in your sandbox does not answer", False),
    ],
)
def test_what_the_learners_work_does_fails_the_task(error: Exception, words: str, spent: bool) -> None:
    verdict = judge(raising(error), handle())
    assert verdict.status is TaskStatus.FAILED
    assert words in verdict.message
    assert "secret-7" not in verdict.message
    assert verdict.kernel_spent is spent


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (
            LearnerCodeError("TypeError", "'reserve' is not a function"),
            "Your code raised TypeError: 'reserve' is not a function",
        ),
        (LearnerCodeError("KeyError", "'secret-7'"), "Your code raised KeyError. What it says is not shown"),
        (LearnerCodeError("secret-7", "x"), "Your code raised Exception. "),
        (
            LearnerCodeError(
                "CheckViolation",
                'new row for relation "inventory" violates check constraint "reserve"\nDETAIL: secret-7',
            ),
            'Your code raised CheckViolation: new row for relation "inventory" violates check constraint "reserve"',
        ),
    ],
)
def test_of_what_the_learners_code_raised_no_hidden_input_comes_through(
    raised: LearnerCodeError, told: str
) -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.call.side_effect = sandbox.value.side_effect = raised
    for ask in (lambda lab: lab.call("add", "secret-7"), lambda lab: lab.value("add")):
        message = judge(Check("add", ask, "It adds."), handle(sandbox)).message
        assert message.startswith(told)
        assert "secret-7" not in message


def test_nor_of_one_of_many_calls() -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.call_many.return_value = [
        CallOutcome(error="ValueError: secret-7"),
        CallOutcome(error="secret-7"),
        CallOutcome(error="NameError: name 'reserve' is not defined"),
        CallOutcome(value=1),
    ]
    errors = [outcome.error for outcome in handle(sandbox).call_many("add", [[]] * 4)]
    assert errors == ["ValueError", "Exception", "NameError: name 'reserve' is not defined", None]


def test_anything_else_is_our_error() -> None:
    verdict = judge(raising(KeyError("secret-7")), handle())
    assert verdict.status is TaskStatus.ERROR
    assert "not your fault (KeyError)" in verdict.message
    assert "secret-7" not in verdict.message


def test_a_sandbox_that_is_gone_is_for_the_grader() -> None:
    with pytest.raises(SandboxGone):
        judge(raising(SandboxGone("gone")), handle())


@pytest.mark.parametrize("many", [False, True])
def test_code_that_is_not_written_yet_is_not_started(many: bool) -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.call.side_effect = LearnerCodeError("NotImplementedError", "task add")
    sandbox.call_many.return_value = [CallOutcome(value=1), CallOutcome(error="NotImplementedError: task add")]

    def function(lab: LabUnderTest) -> None:
        lab.call_many("add", [[1], [2]]) if many else lab.call("add", 1)

    verdict = judge(Check("add", function, "It adds."), handle(sandbox))
    assert verdict.status is TaskStatus.FAILED
    assert verdict.message.startswith("Not started yet")


def test_no_call_waits_beyond_the_deadline() -> None:
    sandbox = create_autospec(Sandbox)
    handle(sandbox, seconds=60.0).call("add", 1, timeout=90.0)
    assert sandbox.call.call_args.kwargs["timeout"] <= 60.0


def test_after_the_deadline_nothing_is_asked_any_more() -> None:
    sandbox = create_autospec(Sandbox)
    verdict = judge(
        Check("add", lambda lab: require(lab.call("add", 1), "no"), "It adds."), handle(sandbox, seconds=-1.0)
    )
    assert "time for all checks was used up" in verdict.message
    assert not sandbox.call.called


def test_too_few_answers_are_no_answers() -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.call_many.return_value = [CallOutcome(value=1)]

    def function(lab: LabUnderTest) -> None:
        lab.call_many("add", [[1], [2]])

    assert judge(Check("add", function, "It adds."), handle(sandbox)).status is TaskStatus.FAILED


def test_a_database_that_is_not_there_fails_the_task(tmp_path: Path) -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.endpoint.return_value = Endpoint("postgres", tmp_path, {"user": "learner", "dbname": "shop"})

    def function(lab: LabUnderTest) -> None:
        with lab.sql() as connection:
            connection.execute("SELECT 1")

    verdict = judge(Check("add", function, "It adds."), handle(sandbox))
    assert verdict.status is TaskStatus.FAILED
    assert "does not answer" in verdict.message


def test_inputs_differ_between_tasks_of_one_attempt() -> None:
    def draw(task: str) -> float:
        return LabUnderTest(create_autospec(Sandbox), task=task, seed=3, deadline=0).random.random()

    assert draw("add") == draw("add") != draw("double")
