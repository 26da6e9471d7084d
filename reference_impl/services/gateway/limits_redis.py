"""Rate limits that all gateways share: counted in Redis, by scripts that nothing comes between, by Redis's own clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_impl.services.gateway import metrics
from reference_impl.services.gateway.limits import (
    Decision,
    Limiter,
    MemoryLimiter,
    Plan,
    Window,
    of_plan,
    of_window,
)
from reference_impl.shared import logs
from reference_impl.shared.breaker import CircuitBreaker, CircuitOpen

ANSWER_SECONDS = 0.5
MOST_CONNECTIONS = 10
"""A script takes Redis some 20 µs: few connections carry a lot, and many would have to be opened all at once."""
_log = logs.logger("meridian.gateway")

# Gateways have clocks of their own, and a limit that moves with them is none. ARGV[1] is for tests: a time, or nothing.
_NOW = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
"""
# The times of the last `most` requests, newest first: allowed when there are fewer, or the oldest has left the window.
_WINDOW = (
    _NOW
    + """
local most, seconds = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('LTRIM', KEYS[1], 0, most - 1)
local oldest = tonumber(redis.call('LINDEX', KEYS[1], -1))
while oldest and oldest <= now - seconds do
  redis.call('RPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], -1))
end
local count = redis.call('LLEN', KEYS[1])
local allowed = 0
if count < most then
  allowed, count = 1, count + 1
  redis.call('LPUSH', KEYS[1], string.format('%.6f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(seconds * 1000) + 1000)
  oldest = oldest or now
end
return {allowed, most - count, string.format('%.6f', oldest + seconds - now)}
"""
)
_PLAN = (
    _NOW
    + """
local rate, burst, daily = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'filled', 'day', 'used')
local tokens, filled = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
local day, used = math.floor(now / 86400), tonumber(kept[4]) or 0
if tonumber(kept[3]) ~= day then used = 0 end
tokens = math.min(burst, tokens + math.max(0, now - filled) * rate)
local wait = 0
if used >= daily then
  used = used + 1
elseif tokens < 1 then
  wait = (1 - tokens) / rate
else
  tokens, used = tokens - 1, used + 1
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'filled', string.format('%.6f', math.max(now, filled)),
    'day', day, 'used', used)
  redis.call('PEXPIRE', KEYS[1], (86400 - math.floor(now % 86400) + math.ceil(burst / rate)) * 1000)
end
return {string.format('%.6f', wait), string.format('%.6f', tokens), used, string.format('%.6f', now)}
"""
)


class RedisLimiter(Limiter):
    """Counts in Redis. While Redis is away each gateway counts for itself: the limits are looser then, and nobody waits."""

    def __init__(
        self, url: str, clock: Callable[[], float] | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.exceptions import RedisError

        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MOST_CONNECTIONS,
            timeout=answer_seconds,
            socket_timeout=answer_seconds,
            socket_connect_timeout=answer_seconds,
        )
        self._redis = Redis(connection_pool=pool)
        self._window = self._redis.register_script(_WINDOW)
        self._plan = self._redis.register_script(_PLAN)
        self._clock = clock
        self._failures = (RedisError, OSError, TimeoutError)
        self._breaker = CircuitBreaker("redis", failures=self._failures)
        self._alone = MemoryLimiter()

    async def window(self, key: str, window: Window) -> Decision:
        found = await self._run(self._window, f"limit:window:{key}", window.most, window.seconds)
        if found is None:
            return await self._alone.window(key, window)
        allowed, remaining, reset = found
        return of_window(window, allowed=allowed == 1, remaining=remaining, reset=float(reset))

    async def plan(self, key: str, plan: Plan) -> Decision:
        found = await self._run(self._plan, f"limit:plan:{key}", plan.rate, plan.burst, plan.daily)
        if found is None:
            return await self._alone.plan(key, plan)
        wait, tokens, used, now = found
        return of_plan(plan, bucket_wait=float(wait), tokens=float(tokens), used=used, now=float(now))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _run(self, script: Any, key: str, *arguments: float) -> list[Any] | None:
        now = "" if self._clock is None else f"{self._clock():.6f}"
        try:
            with self._breaker.guard():
                found: list[Any] = await script(keys=[key], args=[now, *arguments])
                return found
        except (*self._failures, CircuitOpen) as error:
            metrics.LIMITER_FALLBACKS.inc()
            _log.debug("counted alone", reason=type(error).__name__)
            return None


def open_limiter(redis_url: str) -> Limiter:
    """The limiter of a process."""
    return RedisLimiter(redis_url) if redis_url else MemoryLimiter()
