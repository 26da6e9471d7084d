"""The code questions of the built-in bank: each solution passes its cases, and no starter does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from question_bank import load
from question_bank.kinds.code import Code
from question_bank.local_runner import LocalRunner
from question_bank.runner import RunRequest, RunResult
from question_bank.verify import verify

pytestmark = pytest.mark.timeout(1800)


class Patient:
    """A runner that gives this solution ten times as long: how slow the machine is says nothing about it."""

    def __init__(self, runner: LocalRunner, solution: str) -> None:
        self._runner = runner
        self._solution = solution

    def run(self, request: RunRequest) -> RunResult:
        times = 10 if self._solution in request.files.values() else 1  # starters may loop
        return self._runner.run(replace(request, seconds=times * request.seconds))


def faults(language: str, runner: LocalRunner) -> list[str]:
    questions = [
        question
        for question in load().questions.values()
        if isinstance(question.body, Code) and question.body.task.language == language
    ]
    return [
        str(fault)
        for question in questions
        for fault in verify(question, Patient(runner, question.body.solution))
    ]


@pytest.mark.parametrize("language", ["python", pytest.param("go", marks=pytest.mark.go)])
def test_solutions_pass(language):
    with LocalRunner() as runner:
        assert faults(language, runner) == []


@pytest.mark.postgres
def test_queries_pass(postgres):
    with LocalRunner(f"host={postgres.socket_dir} user=postgres dbname=postgres") as runner:
        assert faults("sql", runner) == []
