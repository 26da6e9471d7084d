"""Rate limits: what a limiter promises, and the one that counts in the memory of this process.

- A sliding window: never more than `most` in any `seconds`, exactly. Each key remembers the times of its last `most` requests.
- A plan: a token bucket (`rate` a second on average, `burst` at once) and a quota for the day, taken together or not at all.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

DAY_SECONDS = 86_400
MOST_KEYS = 100_000


@dataclass(frozen=True)
class Window:
    """At most so many in any stretch of so many seconds."""

    name: str
    most: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What an API key may do."""

    name: str
    rate: float
    """Requests a second, on average."""
    burst: int
    """Requests at once."""
    daily: int
    """Requests a day, which begins at midnight UTC."""


PLANS = {
    plan.name: plan
    for plan in (
        Plan("free", rate=2, burst=10, daily=5_000),
        Plan("standard", rate=20, burst=60, daily=200_000),
        Plan("partner", rate=200, burst=400, daily=5_000_000),
    )
}


@dataclass(frozen=True)
class Decision:
    """Whether a request may go on, and what to tell the caller."""

    allowed: bool
    limit: str
    """Which limit is meant."""
    most: int
    remaining: int
    reset_seconds: float
    """When there is more again; of a refusal, when to try again."""
    policy: str
    """The limit in words of RateLimit-Policy."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """RateLimit-* as in draft-ietf-httpapi-ratelimit-headers-06, and Retry-After with a refusal."""
        reset = b"%d" % max(1, math.ceil(self.reset_seconds))
        said = [
            (b"ratelimit-limit", b"%d" % self.most),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", reset),
            (b"ratelimit-policy", self.policy.encode()),
        ]
        return said if self.allowed else [*said, (b"retry-after", reset)]


def of_window(window: Window, *, allowed: bool, remaining: int, reset: float) -> Decision:
    """A decision in the words of its window."""
    policy = f"{window.most};w={math.ceil(window.seconds)}"
    return Decision(allowed, window.name, window.most, remaining, reset, policy)


def of_plan(plan: Plan, *, bucket_wait: float, tokens: float, used: int, now: float) -> Decision:
    """A decision in the words of a plan. `bucket_wait` is 0 and `used` within the quota when it is allowed."""
    policy = f"{plan.burst};w={math.ceil(plan.burst / plan.rate)}, {plan.daily};w={DAY_SECONDS}"
    if used > plan.daily:
        return Decision(False, "quota", plan.daily, 0, DAY_SECONDS - now % DAY_SECONDS, policy)
    if bucket_wait > 0:
        return Decision(False, "plan", plan.burst, 0, bucket_wait, policy)
    if plan.daily - used <= tokens:
        return Decision(True, "quota", plan.daily, plan.daily - used, DAY_SECONDS - now % DAY_SECONDS, policy)
    full = (plan.burst - tokens) / plan.rate
    return Decision(True, "plan", plan.burst, int(tokens), full, policy)


class Limiter(ABC):
    """Counts requests. Both methods count the request if, and only if, they allow it."""

    @abstractmethod
    async def window(self, key: str, window: Window) -> Decision:
        """Count one request of this key against a sliding window."""

    @abstractmethod
    async def plan(self, key: str, plan: Plan) -> Decision:
        """Count one request of this key against a plan."""

    async def close(self) -> None:
        """Let go of every connection."""
        return


@dataclass
class _Bucket:
    tokens: float
    filled_at: float
    day: int
    used: int


class MemoryLimiter(Limiter):
    """Counts in this process alone. Belongs to one event loop; of the keys, those used least recently are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.time, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._windows: OrderedDict[str, deque[float]] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def window(self, key: str, window: Window) -> Decision:
        now = self._clock()
        times = self._windows.get(key)
        if times is None or times.maxlen != window.most:
            times = self._windows[key] = deque(times or (), maxlen=window.most)
        self._windows.move_to_end(key)
        while len(self._windows) > self._most_keys:
            self._windows.popitem(last=False)
        while times and times[0] <= now - window.seconds:
            times.popleft()
        allowed = len(times) < window.most
        if allowed:
            times.append(now)
        reset = times[0] + window.seconds - now
        return of_window(window, allowed=allowed, remaining=window.most - len(times), reset=reset)

    async def plan(self, key: str, plan: Plan) -> Decision:
        now = self._clock()
        day = int(now // DAY_SECONDS)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(plan.burst, now, day, 0)
        self._buckets.move_to_end(key)
        while len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)
        elapsed = max(0.0, now - bucket.filled_at)
        bucket.tokens = min(float(plan.burst), bucket.tokens + elapsed * plan.rate)
        bucket.filled_at = max(now, bucket.filled_at)
        if bucket.day != day:
            bucket.day, bucket.used = day, 0
        if bucket.used >= plan.daily:
            return of_plan(plan, bucket_wait=0, tokens=bucket.tokens, used=bucket.used + 1, now=now)
        if bucket.tokens < 1:
            wait = (1 - bucket.tokens) / plan.rate
            return of_plan(plan, bucket_wait=wait, tokens=bucket.tokens, used=bucket.used, now=now)
        bucket.tokens -= 1
        bucket.used += 1
        return of_plan(plan, bucket_wait=0, tokens=bucket.tokens, used=bucket.used, now=now)
