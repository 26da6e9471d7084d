"""A lock across processes, for work that two of them must not do at the same time.

It lives in the cache and ends by itself, so that an owner who dies blocks nobody for ever. The price: an owner that
sleeps longer than the lock lives (a long pause, a stopped process) believes that it still holds it. Two things answer that.
The owner's token lets nobody give back what is another's by now. The fencing token, which grows with each lock taken,
travels with what the owner writes; the one who stores it refuses any token below the greatest it has seen::

    UPDATE … SET …, fence = :token WHERE id = :id AND fence <= :token

Without that check at the place of the effect a lock saves work, but proves nothing. Where one database decides, as for the
stock, Meridian therefore uses conditional updates and no lock at all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reference_impl.shared.cache import Cache
from reference_impl.shared.events import new_id

FIRST_PAUSE_SECONDS = 0.005
LONGEST_PAUSE_SECONDS = 0.1


class NotAcquired(Exception):
    """Somebody else held the lock for as long as we were willing to wait."""


@dataclass(frozen=True)
class Held:
    """A lock that we took."""

    name: str
    owner: str
    """Ours alone: who gives the lock back has to know it."""
    token: int
    """The fencing token: greater than that of everybody who held a lock before."""


class DistributedLock:
    """One named lock. Not reentrant: taking it twice waits for oneself."""

    def __init__(self, cache: Cache, name: str, *, ttl_seconds: float = 10.0) -> None:
        self._cache = cache
        self.name = name
        self.ttl_seconds = ttl_seconds

    def acquire(self, wait_seconds: float = 0.0) -> Held | None:
        """Take the lock, waiting up to that long; None when it was never free. Raises CacheUnavailable."""
        owner = new_id()
        deadline = time.monotonic() + wait_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            token = self._cache.lock(self.name, owner, self.ttl_seconds)
            if token is not None:
                return Held(self.name, owner, token)
            rest = deadline - time.monotonic()
            if rest <= 0:
                return None
            # Jittered, so that those who wait don't all ask in the same moment again.
            time.sleep(min(rest, pause * random.uniform(0.5, 1.5)))
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)

    def release(self, held: Held) -> bool:
        """Give the lock back; False when its time had run out, and somebody else may have worked meanwhile."""
        return self._cache.unlock(held.name, held.owner)

    @contextmanager
    def held(self, wait_seconds: float = 0.0) -> Iterator[Held]:
        """Work inside the lock. Raises NotAcquired and CacheUnavailable without entering."""
        held = self.acquire(wait_seconds)
        if held is None:
            raise NotAcquired(f"{self.name} is locked by somebody else; waited {wait_seconds:g} s")
        try:
            yield held
        finally:
            self.release(held)
