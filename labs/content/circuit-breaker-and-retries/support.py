"""Scripts for the notebook's players, and what comes back in a known shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labs.checks import LabUnderTest, require

ATTEMPTS, BASE, CAP, LEAST, LONGEST, MOST, PLACES = 5, 0.1, 0.5, 0.05, 30.0, 0.5, 6
HEADER, KEY = "X-Request-Timeout", "Idempotency-Key"
SHAPE = "The cells that play scripts against your code must stay as they were: take them from a fresh copy of the lab."
Step = list[Any]


def known(holds: object) -> None:
    """Fail when a player's answer has another shape than the lab's own cell gives."""
    require(holds, SHAPE)


def of(value: Any, kind: type[Any]) -> Any:
    """The value, which must be of this kind."""
    known(isinstance(value, kind))
    return value


@dataclass(frozen=True)
class Played:
    """What `with_retries` did."""

    trace: list[Step]
    ended: Any

    @property
    def kinds(self) -> list[str]:
        """The steps without their values."""
        return [str(step[0]) for step in self.trace]

    @property
    def tries(self) -> int:
        """How often it was tried."""
        return self.kinds.count("try")

    @property
    def pauses(self) -> list[float]:
        """How long each pause was."""
        return [float(step[1]) for step in self.trace if step[0] == "pause"]


def retries(
    lab: LabUnderTest,
    request: dict[str, Any],
    outcomes: list[Any],
    *,
    seconds: float = 100.0,
    cost: float = 0.01,
    rolls: list[float] | None = None,
    budget: int = 100,
) -> Played:
    """Play a script of outcomes through the notebook's `play_retries`."""
    found = of(lab.call("retried", request, outcomes, seconds, cost, rolls or [0.5], budget), dict)
    return Played([of(step, list) for step in of(found.get("trace"), list)], found.get("ended"))


@dataclass(frozen=True)
class Row:
    """What a step of `play_calls` came to."""

    came: Any
    state: str
    made: int


def rows_of(value: Any) -> list[Row]:
    """The rows of `play_calls`."""
    rows = [of(row, list) for row in of(value, list)]
    known(all(len(row) == 3 and isinstance(row[2], int) for row in rows))
    return [Row(row[0], str(row[1]), row[2]) for row in rows]


def never_stuck(rows: list[Row], message: str) -> None:
    """No step may have waited for another call."""
    require(all(row.came != "stuck" for row in rows), message)


@dataclass(frozen=True)
class Called:
    """How a call of the client ended."""

    ended: Any
    sends: int
    pauses: int
    seen: list[tuple[dict[str, Any], float, float]]


def client(lab: LabUnderTest, calls: list[Step], patience: float = 2.0, cost: float = 0.01) -> list[Called]:
    """Play calls through the notebook's `play_client`."""
    found = of(lab.call("played_client", calls, patience, cost), list)
    known(len(found) == len(calls) and all(isinstance(row, list) and len(row) == 4 for row in found))
    return [
        Called(
            row[0],
            int(row[1]),
            int(row[2]),
            [(of(one[0], dict), float(one[1]), float(one[2])) for one in row[3]],
        )
        for row in found
    ]
