"""The port through which code questions run a learner's program. The question bank starts no process for learners:
whoever grades hands in a runner that has a sandbox.

The contract (`tests/unit/question_bank/runner_contract.py` proves it on an implementation):

- `files` are put into an empty folder; for each input the program is run there once, alone, with the input on its
  standard input. It gets no network, no other files and no trace of other runs.
- python: `harness.py` is run when it is there, else `solution.py`; the harness imports `solution`.
- go: all `.go` files are built as one program (`package main`), once, and run for each input.
- sql: PostgreSQL. For each input a fresh database gets `harness.sql`, then the input, then `solution.sql`. The
  output is the rows that its statements return: one line a row, columns separated by ` | `, `NULL` for null.
- What a learner's program does to itself is an outcome, never an exception: `run` raises `RunnerUnavailable` only
  when the runner is broken or overloaded, and then nothing is scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

Language = Literal["python", "go", "sql"]

GO_MOD = "module solution\n\ngo 1.25\n"
"""The module file beside Go programs."""
MAX_OUTPUT = 16_384
"""Characters of output that an outcome holds at most; a program that writes more is stopped."""
MAX_ERROR = 2_000
"""Characters of an error message that an outcome holds at most."""


class Ended(StrEnum):
    """How a program ended on one input."""

    WELL = "well"
    WITH_ERROR = "error"
    OUT_OF_TIME = "timeout"
    TOO_MUCH_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One program and the inputs to run it on."""

    language: Language
    files: Mapping[str, str]
    """File name → text; plain names without folders."""
    inputs: tuple[str, ...]
    seconds: float
    """Wall-clock seconds for one input; building gets a bound of the runner's own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one input."""

    ended: Ended
    output: str = ""
    """Standard output, at most `MAX_OUTPUT` characters."""
    error: str = ""
    """The end of standard error, at most `MAX_ERROR` characters. It may quote the input."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came out of a request."""

    outcomes: tuple[Outcome, ...]
    """One for each input, in order; none when the program didn't build."""
    build_error: str = ""
    """Why it didn't build, at most `MAX_ERROR` characters; empty when it did."""


class CodeRunner(Protocol):
    """Runs untrusted programs."""

    def run(self, request: RunRequest) -> RunResult:
        """Run a program on each input. Raises `RunnerUnavailable` when that isn't possible now."""
        ...
