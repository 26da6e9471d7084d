"""Short ways to ask a runner for Python."""

from __future__ import annotations

from question_bank.runner import CodeRunner, Outcome, RunRequest, RunResult

LONG = 30.0
"""Seconds for what ends by itself: by the clock on the wall, and the machine may be busy."""
SHORT = 8.0
"""Seconds for what does not end, and for a case beside it that does."""


def run(runner: CodeRunner, source: str, *inputs: str, seconds: float = LONG) -> RunResult:
    """Run a program on these inputs."""
    return runner.run(RunRequest("python", {"solution.py": source}, inputs, seconds))


def one(runner: CodeRunner, source: str, seconds: float = LONG) -> Outcome:
    """Run a program once, on nothing."""
    (outcome,) = run(runner, source, "", seconds=seconds).outcomes
    return outcome
