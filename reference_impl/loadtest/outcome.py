"""What became of the orders of a run: asked of the order service itself, when the load is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from reference_impl.client import pages

UNDER_WAY = ("pending", "payment_pending")
CONFIRMED = ("confirmed", "shipped", "delivered")
POLL_SECONDS = 0.5


@dataclass
class Outcome:
    """Orders by the state that they came to."""

    states: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    """Orders that were taken, and are not there."""
    seconds: list[float] = field(default_factory=list)
    """From an order's first fact to its confirmation; only where it has been told nothing since."""

    @property
    def confirmed(self) -> int:
        """Orders that were paid and got their goods."""
        return sum(self.states[state] for state in CONFIRMED)

    @property
    def unfinished(self) -> int:
        """Orders that still waited for somebody."""
        return sum(self.states[state] for state in UNDER_WAY)


def newest(client: httpx.Client) -> int:
    """A cursor behind every order there is, found by halving: pages go from the oldest on, and there may be many."""

    def any_behind(after: int) -> bool:
        answer = client.get("/orders", params={"after": after, "limit": 1}).raise_for_status()
        return bool(answer.json()["orders"])

    below, above = 0, 1
    if not any_behind(0):
        return 0
    while any_behind(above):
        below, above = above, above * 4
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if any_behind(middle) else (below, middle)
    return above


def follow(
    client: httpx.Client,
    placed: Collection[str],
    after: int,
    patience: float,
    progress: Callable[[str], None] = lambda _line: None,
) -> Outcome:
    """What became of these orders, all of them behind the cursor; waits up to `patience` seconds for those under way."""
    deadline = time.monotonic() + patience
    while True:
        outcome = Outcome()
        found = 0
        for order in pages(client, "/orders", "orders", after=after):
            if order["id"] not in placed:
                continue
            found += 1
            outcome.states[order["status"]] += 1
            if order["status"] == "confirmed":
                begun, ended = (datetime.fromisoformat(order[name]) for name in ("created_at", "updated_at"))
                outcome.seconds.append((ended - begun).total_seconds())
        outcome.missing = len(placed) - found
        if not outcome.unfinished or time.monotonic() >= deadline:
            return outcome
        progress(f"{outcome.unfinished} orders are under way")
        time.sleep(POLL_SECONDS)
