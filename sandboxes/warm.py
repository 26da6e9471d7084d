"""What a pool keeps book of: flavours of sandboxes, which of each wait, and how well that went.

Nothing here starts, ends or waits for anything; every method of `Shelves` is one step under one lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandboxes.interface import Limits, Sandbox, SandboxSpec

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
TAKEN_SECONDS = 120.0
"""For so long a sandbox that was taken counts as the pool's: its new owner may not have written it down yet."""


@dataclass(frozen=True)
class Flavour:
    """All of a spec that is settled when the sandbox starts. What is not in it is given by adoption."""

    image: str
    services: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """In the order in which they start."""
    limits: Limits
    environment: tuple[tuple[str, str], ...]
    jupyter: bool
    preload: tuple[str, ...]

    @classmethod
    def of(cls, spec: SandboxSpec) -> Flavour:
        """The flavour of a spec."""
        return cls(
            image=spec.image,
            services=tuple((name, tuple(sorted(options.items()))) for name, options in spec.services.items()),
            limits=spec.limits,
            environment=tuple(sorted(spec.environment.items())),
            jupyter=spec.jupyter,
            preload=spec.preload,
        )


@dataclass(frozen=True)
class Warm:
    """A sandbox that waits."""

    sandbox: Sandbox
    since: float
    """When it got ready, on the pool's clock."""
    revision: str
    """What it was made from (`Driver.revision`)."""


@dataclass
class Shelf:
    """Those of one flavour."""

    template: SandboxSpec
    wanted: int = 0
    wanted_at: float = 0.0
    warm: deque[Warm] = field(default_factory=deque)
    """Oldest first."""
    starting: int = 0
    hits: int = 0
    misses: int = 0
    failure: str = ""
    """Why the last start failed; empty after one that did not."""
    failures: int = 0
    """Starts that failed in a row."""
    not_before: float = 0.0
    """When the next start may be tried, on the pool's clock."""

    @property
    def lacking(self) -> int:
        """How many are still to be started."""
        return max(0, self.wanted - len(self.warm) - self.starting)

    def failed(self, why: str, now: float) -> None:
        """A start failed: the next one waits, twice as long each time."""
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self.failures, 10))
        self.failure, self.failures, self.not_before = why, self.failures + 1, now + pause

    def succeeded(self) -> None:
        """A start went well."""
        self.failure, self.failures, self.not_before = "", 0, 0.0

    def document(self, now: float) -> dict[str, Any]:
        """For people; holds no secret."""
        return {
            "lab": self.template.environment.get("LAB_SLUG", ""),
            "purpose": "session" if self.template.jupyter else "grading",
            "image": self.template.image,
            "services": list(self.template.services),
            "wanted": self.wanted,
            "warm": len(self.warm),
            "starting": self.starting,
            "hits": self.hits,
            "misses": self.misses,
            "oldest_seconds": round(now - self.warm[0].since, 1) if self.warm else None,
            "failure": self.failure,
            "retry_seconds": round(max(0.0, self.not_before - now), 1) if self.failure else None,
        }


class Shelves:
    """All shelves of a pool. Threads may call everything at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shelves: dict[Flavour, Shelf] = {}
        self._starting: set[str] = set()
        self._taken: dict[str, float] = {}
        self._hits = self._misses = 0

    def want(self, template: SandboxSpec, count: int) -> None:
        """So many of this flavour are to wait."""
        with self._lock:
            shelf = self._shelves.setdefault(Flavour.of(template), Shelf(template))
            shelf.wanted, shelf.wanted_at = max(0, count), self._clock()

    def knows(self, flavour: Flavour) -> bool:
        """Whether there is a shelf of it."""
        with self._lock:
            return flavour in self._shelves

    def holds(self, image: str) -> bool:
        """Whether one waits that was made from an image."""
        with self._lock:
            return any(shelf.warm and shelf.template.image == image for shelf in self._shelves.values())

    def take(self, flavour: Flavour) -> Sandbox | None:
        """The oldest one of a flavour, off its shelf for good; None (and a miss) when none waits."""
        with self._lock:
            shelf = self._shelves.get(flavour)
            if shelf is not None and shelf.warm:
                sandbox = shelf.warm.popleft().sandbox
                now = self._clock()
                self._taken = {key: at for key, at in self._taken.items() if now - at < TAKEN_SECONDS}
                self._taken[sandbox.id] = now
                return sandbox
            self._misses += 1
            if shelf is not None:
                shelf.misses += 1
            return None

    def count_hit(self, flavour: Flavour) -> None:
        """One that was taken has its owner."""
        with self._lock:
            self._hits += 1
            if flavour in self._shelves:
                self._shelves[flavour].hits += 1

    def next_to_fill(self, room: int) -> tuple[Shelf | None, float | None]:
        """The shelf to start one for. Without one: None and after how many seconds to look again; None when nothing is lacking.

        The emptiest comes first, and of those the one that was wanted last.
        """
        now = self._clock()
        with self._lock:
            lacking = [shelf for shelf in self._shelves.values() if shelf.lacking]
            if not lacking or sum(len(one.warm) + one.starting for one in self._shelves.values()) >= room:
                return None, None
            ready = [shelf for shelf in lacking if shelf.not_before <= now]
            if not ready:
                return None, min(shelf.not_before for shelf in lacking) - now
            return min(ready, key=lambda one: (len(one.warm) + one.starting, -one.wanted_at)), 0.0

    def begin(self, shelf: Shelf, sandbox_id: str) -> None:
        """One is being started for a shelf."""
        with self._lock:
            shelf.starting += 1
            self._starting.add(sandbox_id)

    def fail(self, shelf: Shelf, sandbox_id: str, why: str) -> None:
        """It did not start."""
        with self._lock:
            shelf.starting -= 1
            self._starting.discard(sandbox_id)
            shelf.failed(why, self._clock())

    def put(self, shelf: Shelf, sandbox: Sandbox, revision: str) -> bool:
        """It is there: onto its shelf, unless it is not wanted any more; whether it was."""
        with self._lock:
            shelf.starting -= 1
            self._starting.discard(sandbox.id)
            shelf.succeeded()
            wanted = len(shelf.warm) < shelf.wanted
            if wanted:
                shelf.warm.append(Warm(sandbox, self._clock(), revision))
            return wanted

    def waiting(self) -> list[tuple[Shelf, Warm]]:
        """All that wait."""
        with self._lock:
            return [(shelf, warm) for shelf in self._shelves.values() for warm in shelf.warm]

    def remove(self, shelf: Shelf, warm: Warm) -> bool:
        """Take one off its shelf; False when it was handed out meanwhile."""
        with self._lock:
            if warm not in shelf.warm:
                return False
            shelf.warm.remove(warm)
            return True

    def take_surplus(self, most: int) -> list[Sandbox]:
        """Off the shelves: those beyond what is wanted, and beyond `most` of all, first of what was wanted longest ago."""
        with self._lock:
            surplus = []
            for shelf in self._shelves.values():
                while len(shelf.warm) > shelf.wanted:
                    surplus.append(shelf.warm.popleft().sandbox)
            count = sum(len(shelf.warm) for shelf in self._shelves.values())
            for shelf in sorted(self._shelves.values(), key=lambda one: one.wanted_at):
                while shelf.warm and count > most:
                    surplus.append(shelf.warm.popleft().sandbox)
                    count -= 1
            empty = [key for key, one in self._shelves.items() if not (one.wanted or one.warm or one.starting)]
            for flavour in empty:
                del self._shelves[flavour]
            return surplus

    def ids(self) -> set[str]:
        """Those that wait, those that are being started to wait, and those that were taken a moment ago."""
        with self._lock:
            waiting = {warm.sandbox.id for shelf in self._shelves.values() for warm in shelf.warm}
            now = self._clock()
            taken = {key for key, at in self._taken.items() if now - at < TAKEN_SECONDS}
            return waiting | taken | self._starting

    def document(self) -> dict[str, Any]:
        """For people; holds no secret."""
        now = self._clock()
        with self._lock:
            shelves = sorted(self._shelves.values(), key=lambda shelf: -shelf.wanted_at)
            return {
                "warm": sum(len(shelf.warm) for shelf in shelves),
                "starting": sum(shelf.starting for shelf in shelves),
                "hits": self._hits,
                "misses": self._misses,
                "flavours": [shelf.document(now) for shelf in shelves],
            }
