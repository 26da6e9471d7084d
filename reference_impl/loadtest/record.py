"""What became of each request, and the percentiles of it."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured; 0 when nothing was. `values` are sorted."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, tail and worst of some seconds, in milliseconds."""
    ordered = sorted(values)
    found = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(ordered, share) * 1000, 1) for name, share in found.items()}


class Record:
    """Collects what happens during one run."""

    def __init__(self) -> None:
        self.latencies: Mapping[str, array[float]] = defaultdict(lambda: array("d"))
        """Action → seconds of each request that was answered as it should be."""
        self.errors: Counter[tuple[str, str]] = Counter()
        """(action, kind) → how many."""
        self.lateness: array[float] = array("d")
        """Seconds by which this program sent each request too late."""
        self.placed: set[str] = set()
        """The ids of the orders that were taken."""
        self._recent: list[float] = []

    def answered(self, action: str, seconds: float) -> None:
        """A request came to a good end; `seconds` since it was due."""
        self.latencies[action].append(seconds)
        self._recent.append(seconds)

    def failed(self, action: str, kind: str) -> None:
        """A request did not; kinds are few: a status and a problem's name, or how no answer came."""
        self.errors[action, kind] += 1

    @property
    def count(self) -> int:
        """Requests that came to any end."""
        return sum(map(len, self.latencies.values())) + sum(self.errors.values())

    def recently(self) -> tuple[int, float]:
        """Since the last call: how many good answers there were, and the 95th percentile of their seconds."""
        recent, self._recent = sorted(self._recent), []
        return len(recent), percentile(recent, 0.95)

    def document(self, seconds: float) -> dict[str, Any]:
        """Everything as JSON; latencies in milliseconds, rates per second."""
        everything = [value for values in self.latencies.values() for value in values]
        failed = sum(self.errors.values())
        names = sorted({*self.latencies, *(action for action, _ in self.errors)})
        return {
            "requests": len(everything) + failed,
            "throughput": round(len(everything) / seconds, 1),
            "latency_ms": spread(everything),
            "errors": failed,
            "error_kinds": {f"{action}: {kind}": count for (action, kind), count in self.errors.most_common()},
            "actions": {
                name: {
                    "answered": len(self.latencies.get(name, ())),
                    "errors": sum(count for (action, _), count in self.errors.items() if action == name),
                    "latency_ms": spread(self.latencies.get(name, ())),
                }
                for name in names
            },
            "sent_late_ms": spread(self.lateness),
        }
