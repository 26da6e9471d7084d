"""Checks of the five small tasks."""

from __future__ import annotations

import math
from decimal import Decimal

from labs.checks import LabUnderTest, check, require


@check("total")
def total(lab: LabUnderTest) -> None:
    """Adds exactly."""
    lines = [[f"{lab.random.randint(1, 99999) / 100:.2f}", lab.random.randint(1, 9)] for _ in range(20)]
    expected = sum((Decimal(price) * quantity for price, quantity in lines), Decimal(0))
    require(lab.call("total", lines) == f"{expected:.2f}", "The total of a basket is wrong.")
    require(lab.call("total", []) == "0.00", "An empty basket costs 0.00.")


@check("backoff")
def backoff(lab: LabUnderTest) -> None:
    """Doubles up to the cap."""
    base, cap = lab.random.randint(1, 5), lab.random.randint(20, 60)
    expected = [min(cap, base * 2**attempt) for attempt in range(8)]
    require(lab.call("backoff", base, cap, 8) == expected, "The waits are not right.")


@check("deduplicate")
def deduplicate(lab: LabUnderTest) -> None:
    """Keeps the first of each, in order."""
    events = [f"e{lab.random.randint(1, 30)}" for _ in range(60)]
    require(lab.call("deduplicate", events) == list(dict.fromkeys(events)), "Not each event once, in order.")


@check("percentile")
def percentile(lab: LabUnderTest) -> None:
    """Takes the nearest rank."""
    values = [lab.random.randint(1, 1000) for _ in range(101)]
    for share in (0.5, 0.95, 1.0):
        expected = sorted(values)[math.ceil(share * len(values)) - 1]
        require(lab.call("percentile", values, share) == expected, "A percentile is wrong.")


@check("window")
def window(lab: LabUnderTest) -> None:
    """Counts what is recent."""
    times, now = [], 0
    for _ in range(50):
        now += lab.random.randint(0, 3)
        times.append(now)
    expected = [sum(1 for one in times[: index + 1] if at - one < 5) <= 4 for index, at in enumerate(times)]
    require(lab.call("allowed", times, 4, 5) == expected, "Some requests were not treated as they should be.")
