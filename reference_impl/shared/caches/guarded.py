"""A circuit breaker before a cache: a dead cache is a slow platform, not a dead one.

While the cache does not answer, a read is a miss and a write is dropped: both only cost time. An invalidation is dropped,
too, so what is older than it may be read, once the cache is back, for the rest of its time to live. What has no harmless
answer raises CacheUnavailable at once, and the caller decides: a rate limit lets pass, a loader works without its lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from reference_impl.shared import logs, metrics
from reference_impl.shared.breaker import CircuitBreaker, CircuitOpen, CircuitState
from reference_impl.shared.cache import Cache, CacheUnavailable

Result = TypeVar("Result")
_log = logs.logger("meridian.cache")


class GuardedCache(Cache):
    """Another cache, asked only while it answers."""

    def __init__(self, inner: Cache, breaker: CircuitBreaker | None = None) -> None:
        self._inner = inner
        self.breaker = breaker or CircuitBreaker(
            "the cache", failures=(CacheUnavailable,), on_change=_tell_of_change
        )

    def get(self, key: str) -> bytes | None:
        found = self._or(None, lambda: self._inner.get(key))
        metrics.cache_read(found is not None)
        return found

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        self._or(None, lambda: self._inner.set(key, value, ttl_seconds))

    def delete(self, *keys: str) -> None:
        self._or(None, lambda: self._inner.delete(*keys))

    def swap(self, key: str, expected: bytes | None, value: bytes, ttl_seconds: float) -> bool:
        return self._ask(lambda: self._inner.swap(key, expected, value, ttl_seconds))

    def increment(self, key: str, by: int = 1, *, ttl_seconds: float) -> int:
        return self._ask(lambda: self._inner.increment(key, by, ttl_seconds=ttl_seconds))

    def lock(self, name: str, owner: str, ttl_seconds: float) -> int | None:
        return self._ask(lambda: self._inner.lock(name, owner, ttl_seconds))

    def unlock(self, name: str, owner: str) -> bool:
        return self._or(False, lambda: self._inner.unlock(name, owner))

    def fill(self, key: str, value: bytes, ttl_seconds: float, *, lock: str, owner: str) -> bool:
        return self._or(False, lambda: self._inner.fill(key, value, ttl_seconds, lock=lock, owner=owner))

    def invalidate(self, *keys: str) -> None:
        self._or(None, lambda: self._inner.invalidate(*keys))

    def ping(self) -> None:
        self._ask(self._inner.ping)

    def close(self) -> None:
        self._inner.close()

    def _ask(self, call: Callable[[], Result]) -> Result:
        try:
            with self.breaker.guard():
                return call()
        except CircuitOpen as error:
            metrics.CACHE_UNAVAILABLE.inc()
            raise CacheUnavailable(str(error)) from error
        except CacheUnavailable:
            metrics.CACHE_UNAVAILABLE.inc()
            raise

    def _or(self, instead: Result, call: Callable[[], Result]) -> Result:
        try:
            return self._ask(call)
        except CacheUnavailable:
            return instead


def _tell_of_change(state: CircuitState) -> None:
    level = logging.INFO if state is CircuitState.CLOSED else logging.WARNING
    _log.log(level, "circuit breaker of the cache", state=state)
