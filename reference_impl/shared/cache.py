"""The cache: a port, and what its users may rely on.

A cache forgets. Every value has a time to live and may vanish before it; whoever needs it to be there uses a database.
The same port carries the locks that a cache needs to be filled by one loader at a time, because they have to live where
the values live: `fill` stores a value only while the loader's lock still stands, which keeps a loader that read the
database before a change from storing what it read after the change was announced.

Adapters (`shared/caches`): `MemoryCache` for one process, `RedisCache` for many, and `GuardedCache`, which puts a circuit
breaker before another one. All calls block, for the time limit of the adapter at most: coroutines go through
`run_in_threadpool`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

LONGEST_KEY = 250
LARGEST_VALUE_BYTES = 1_048_576


class CacheUnavailable(Exception):
    """The cache does not answer, and there is no harmless answer in its place. The message names the cache."""


class Cache(ABC):
    """Bytes under keys, for a while. Times to live are in seconds and greater than 0.

    Every method raises CacheUnavailable when the cache can't be asked, and ValueError for a key over LONGEST_KEY
    characters or a value over LARGEST_VALUE_BYTES.
    """

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none."""

    @abstractmethod
    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Store a value, whatever was there."""

    @abstractmethod
    def delete(self, *keys: str) -> None:
        """Forget these keys."""

    @abstractmethod
    def swap(self, key: str, expected: bytes | None, value: bytes, ttl_seconds: float) -> bool:
        """Store a value if what is there is `expected` (None: nothing); whether it was. Nobody comes in between."""

    @abstractmethod
    def increment(self, key: str, by: int = 1, *, ttl_seconds: float) -> int:
        """Add to a number, which begins at 0, and return it. Its time to live runs from when it began, not from now."""

    @abstractmethod
    def lock(self, name: str, owner: str, ttl_seconds: float) -> int | None:
        """Take a lock that nobody holds, for a while; None when somebody does. Never waits.

        Returns the fencing token: each lock taken has a greater one than all before it.
        """

    @abstractmethod
    def unlock(self, name: str, owner: str) -> bool:
        """Give a lock back; False, and nothing happens, when this owner does not hold it any more."""

    @abstractmethod
    def fill(self, key: str, value: bytes, ttl_seconds: float, *, lock: str, owner: str) -> bool:
        """Store a value if this owner holds that lock; whether it was stored."""

    @abstractmethod
    def invalidate(self, *keys: str) -> None:
        """Forget these keys, and break the locks of the same names, so that nobody who loads now can `fill` them."""

    @abstractmethod
    def ping(self) -> None:
        """Raise CacheUnavailable when the cache does not answer."""

    @abstractmethod
    def close(self) -> None:
        """Let go of every connection."""

    def add(self, key: str, value: bytes, ttl_seconds: float) -> bool:
        """Store a value if there is none; whether it was stored."""
        return self.swap(key, None, value, ttl_seconds)


def check(key: str, value: bytes = b"", ttl_seconds: float = 1.0) -> None:
    """Raise ValueError for what no adapter takes."""
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(f"a cache key has 1 to {LONGEST_KEY} characters, not {len(key)}: hash long ones")
    if len(value) > LARGEST_VALUE_BYTES:
        raise ValueError(f"{key} has {len(value)} bytes; a cache keeps values up to {LARGEST_VALUE_BYTES}")
    if ttl_seconds <= 0:
        raise ValueError(f"{key} would live {ttl_seconds} s; a time to live is greater than 0")


def open_cache(redis_url: str = "") -> Cache:
    """The cache of a process: Redis behind a circuit breaker at this URL, or the memory of the process without one.

    The memory of a process is enough while one process serves; replicas would not see each other's invalidations.
    """
    from reference_impl.shared.caches.memory import MemoryCache

    if not redis_url:
        return MemoryCache()
    from reference_impl.shared.caches.guarded import GuardedCache
    from reference_impl.shared.caches.redis import RedisCache

    return GuardedCache(RedisCache(redis_url))
