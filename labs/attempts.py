"""Checks of functions that answer True or False, or try several times with pauses between and then raise GaveUp.

The notebook has `on_own_connection(name, *arguments)`, which calls a function with a connection of its own, and, for those that
try again, `take_pauses()`: the seconds of all pauses since it was last called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labs.checks import LabUnderTest, require
from sandboxes.interface import JSON, CallOutcome, LearnerCodeError

GAVE_UP = "gave up"
MIN_ATTEMPTS, MAX_ATTEMPTS = 3, 50
MAX_PAUSE = 2
"""Seconds."""
BY_CONNECTION = "on_own_connection"


def attempt(lab: LabUnderTest, function: str, *arguments: Any, timeout: float = 30.0) -> bool | str:
    """One call: True, False, or GAVE_UP."""
    try:
        result = lab.call(BY_CONNECTION, function, *arguments, timeout=timeout)
    except LearnerCodeError as error:
        if error.name == "GaveUp":
            return GAVE_UP
        raise
    return _answer(function, result)


def rush(
    lab: LabUnderTest, function: str, calls: Sequence[Sequence[Any]], workers: int, timeout: float = 90.0
) -> list[bool | str]:
    """All calls, from this many connections at once: what each came to, in their order. Fails the task when one raises."""
    outcomes = lab.call_many(
        BY_CONNECTION, [[function, *call] for call in calls], workers=workers, timeout=timeout
    )
    return [_told(function, outcome, workers) for outcome in outcomes]


def attempt_with_pauses(
    lab: LabUnderTest, function: str, *arguments: Any, timeout: float
) -> tuple[bool | str, JSON]:
    """One call: what it came to, and what `take_pauses` says of it."""
    lab.call("take_pauses")
    result = attempt(lab, function, *arguments, timeout=timeout)
    return result, lab.call("take_pauses")


def require_end(tries: int) -> None:
    """Require that a function all of whose attempts are in vain has given up some time, by the number of its tries."""
    require(tries <= MAX_ATTEMPTS, f"You never gave up: after {MAX_ATTEMPTS} attempts in vain you still tried.")


def require_schedule(tries: int, pauses: JSON) -> list[float]:
    """Require that a function which gave up had tried often enough, with a bounded pause between any two tries. The pauses."""
    require(tries >= MIN_ATTEMPTS, f"You gave up too early: make at least {MIN_ATTEMPTS} attempts.")
    require(
        isinstance(pauses, list) and len(pauses) >= tries - 1,
        "Between two attempts there must be a pause: call pause(seconds) before each but the first.",
    )
    assert isinstance(pauses, list)
    require(
        all(isinstance(one, int | float) and 0 <= one <= MAX_PAUSE for one in pauses),
        f"Keep each pause between 0 and {MAX_PAUSE} seconds.",
    )
    return pauses


def require_random(one: Sequence[float], other: Sequence[float]) -> None:
    """Require that two schedules of pauses differ."""
    require(
        one != other,
        "Your pauses are the same each time. Clients that met once then meet again at the same instant: make the pauses random.",
    )


def _told(function: str, outcome: CallOutcome, workers: int) -> bool | str:
    if outcome.error is None:
        return _answer(function, outcome.value)
    name, at_once = outcome.error.split(":")[0], f"With {workers} connections at once"
    require(
        name != "DeadlockDetected",
        f"{at_once}, some transactions deadlocked. Do all of them lock their rows in the same sequence?",
    )
    require(
        name != "SerializationFailure",
        f"{at_once}, a serialization failure reached the caller. Is every statement and the commit inside what you retry?",
    )
    require(name == "GaveUp", f"{at_once}, {function} raised {name}.")
    return GAVE_UP


def _answer(function: str, result: JSON) -> bool:
    require(isinstance(result, bool), f"{function} must return True or False.")
    return bool(result)
