"""When a failed request may be sent again, and when.

A retry is a second request at the moment when an upstream can bear it least. So it is sent only when the request may take effect
twice, when its deadline leaves time for it, after a pause that is different for everybody, and within a budget: retries are a
share of the requests, however many fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
RESERVE = 5.0
"""Retries that are possible before any request has earned one; also the most that can be saved up."""
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class RetryBudget:
    """Each request to an upstream earns a share of a retry; each retry costs one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._balance = RESERVE if share > 0 else 0.0

    def earn(self) -> None:
        """A first try is made."""
        self._balance = min(RESERVE, self._balance + self._share)

    def spend(self) -> bool:
        """Whether a retry may be made; counts it if so."""
        if self._balance < 1:
            return False
        self._balance -= 1
        return True


def pause(retry: int, dice: Callable[[], float] = random.random) -> float:
    """Seconds to wait before the first, second … retry: anything up to a bound that doubles ("full jitter")."""
    return dice() * min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (retry - 1))
