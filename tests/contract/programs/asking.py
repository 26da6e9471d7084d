"""Short ways to ask a runner for Python."""

from __future__ import annotations

from question_bank.runner import CodeRunner, Outcome, RunRequest, RunResult


def run(runner: CodeRunner, source: str, *inputs: str, seconds: float = 5.0) -> RunResult:
    """Run a program on these inputs."""
    return runner.run(RunRequest("python", {"solution.py": source}, inputs, seconds))


def one(runner: CodeRunner, source: str, seconds: float = 5.0) -> Outcome:
    """Run a program once, on nothing."""
    (outcome,) = run(runner, source, "", seconds=seconds).outcomes
    return outcome
