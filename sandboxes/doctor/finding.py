"""What a check found, and how checks are run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

CHECK_SECONDS = 8.0


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """It works, but less well than it could, or not for every lab."""
    PROBLEM = "problem"
    """Something does not work."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    state: State
    found: str
    """What is so, in a sentence."""
    todo: str = ""
    """What to do about it; empty when nothing is to be done."""
    blocks: tuple[str, ...] = ()
    """The drivers that can't work because of it."""


@dataclass(frozen=True)
class Check:
    """A check that was not run yet."""

    name: str
    run: Callable[[], Finding | Sequence[Finding]]
    seconds: float = CHECK_SECONDS


def run_all(checks: Sequence[Check]) -> list[Finding]:
    """Run checks side by side, in the order's results. One that hangs or breaks is itself a finding."""
    results: dict[int, list[Finding]] = {}
    threads = []
    for number, check in enumerate(checks):
        # Daemons: a check that hangs in a system call must not keep the command from ending.
        thread = threading.Thread(
            target=_run, args=(check, number, results), name=f"check {check.name}", daemon=True
        )
        thread.start()
        threads.append((thread, time.monotonic() + check.seconds))
    found: list[Finding] = []
    for number, (check, (thread, deadline)) in enumerate(zip(checks, threads, strict=True)):
        thread.join(max(0.0, deadline - time.monotonic()))
        found += results.get(number) or [_silent(check)]
    return found


def _run(check: Check, number: int, results: dict[int, list[Finding]]) -> None:
    try:
        found = check.run()
    except Exception as error:  # whatever it is, the other checks are still worth having
        found = Finding(
            check.name,
            State.WARNING,
            f"The check itself failed: {type(error).__name__}: {error}"[:300],
            "Report this with the output of `python -m sandboxes doctor --json`.",
        )
    results[number] = [found] if isinstance(found, Finding) else list(found)


def _silent(check: Check) -> Finding:
    return Finding(
        check.name,
        State.WARNING,
        f"No answer within {check.seconds:g} s.",
        "The machine or its engine may be overloaded: run the check again when it is calmer.",
    )
