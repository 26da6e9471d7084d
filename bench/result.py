"""What a benchmark prints."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def compare(
    bench: str, case: str, ours: Sequence[float], floor: Sequence[float], *, budget: float | None, **more: Any
) -> None:
    """Print the medians of two series of seconds, and their ratio; below the budget is well."""
    ours_p50, floor_p50 = percentile(ours, 0.5), percentile(floor, 0.5)
    emit(
        bench=bench,
        case=case,
        unit="s",
        ours=round(ours_p50, 4),
        floor=round(floor_p50, 4),
        ratio=round(ours_p50 / floor_p50, 3),
        budget=budget,
        ours_p95=round(percentile(ours, 0.95), 4),
        floor_p95=round(percentile(floor, 0.95), 4),
        rounds=len(ours),
        **more,
    )


def emit(**document: Any) -> None:
    """One line of JSON."""
    print(json.dumps(document), flush=True)


def note(text: str) -> None:
    """For who watches."""
    print(text, file=sys.stderr, flush=True)
