"""Proves code questions by running them: the reference solution passes every case, the starter doesn't."""

from __future__ import annotations

from collections.abc import Iterator

from question_bank.kinds.code import Code
from question_bank.question import Question
from question_bank.runner import CodeRunner, Ended, RunResult
from question_bank.schema import Fault

SEEDS = ("verify-1", "verify-2", "verify-3")
"""The variants that are run of a question with parameters."""
_SHOWN = 300


def verify(question: Question, runner: CodeRunner) -> list[Fault]:
    """What is wrong with the solution and the starter of a code question; nothing for other kinds.

    Raises `RunnerUnavailable` when the runner can't run the question's language.
    """
    seeds = SEEDS if question.parameterised else SEEDS[:1]
    return [fault for seed in seeds for fault in _faults(question.at(seed), runner)]


def _faults(question: Question, runner: CodeRunner) -> Iterator[Fault]:
    body = question.body
    if not isinstance(body, Code):
        return
    solved = _run(body, body.solution, runner)
    if solved.build_error:
        yield _fault(question, "Solution", f"The solution doesn't build: {solved.build_error[:_SHOWN]}")
        return
    for number, (case, outcome) in enumerate(zip(body.task.cases, solved.outcomes, strict=True), 1):
        if body.passes(case, outcome):
            continue
        what = f"Case {number} ({case.about}): the solution"
        if outcome.ended is not Ended.WELL:
            message = f"{what} ended with “{outcome.ended}”: {outcome.error[-_SHOWN:].strip()}"
        else:
            message = f"{what} gave {outcome.output[:_SHOWN]!r}, asked for is {case.output[:_SHOWN]!r}."
        yield _fault(question, "Solution", message)
    begun = _run(body, body.starter, runner)
    if begun.outcomes and all(map(body.passes, body.task.cases, begun.outcomes)):
        yield _fault(question, "Starter", "The starter passes every case: there is nothing to write.")


def _run(body: Code, program: str, runner: CodeRunner) -> RunResult:
    request = body.request(program)
    return runner.run(request) if request else RunResult(())


def _fault(question: Question, part: str, message: str) -> Fault:
    return Fault(question.path, question.lines.get(part, 1), message, "verify")
