"""A cache in the memory of this process: bounded, the least recently used entry goes first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from reference_impl.shared import metrics
from reference_impl.shared.cache import Cache, CacheUnavailable, check

MOST_ENTRIES = 20_000
MOST_BYTES = 64 * 1_048_576
MOST_LOCKS = 10_000


class MemoryCache(Cache):
    """For the services of one process; every thread may use it."""

    def __init__(
        self,
        *,
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._clock = clock
        self._mutex = threading.Lock()
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0
        # Apart from the entries: a lock must never be pushed out by a value.
        self._locks: dict[str, tuple[str, float]] = {}
        self._last_token = 0

    def get(self, key: str) -> bytes | None:
        check(key)
        with self._mutex:
            found = self._live(key)
            if found is not None:
                self._entries.move_to_end(key)
        metrics.cache_read(found is not None)
        return found[0] if found is not None else None

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        check(key, value, ttl_seconds)
        with self._mutex:
            self._store(key, value, self._clock() + ttl_seconds)

    def delete(self, *keys: str) -> None:
        with self._mutex:
            for key in keys:
                self._drop(key)

    def swap(self, key: str, expected: bytes | None, value: bytes, ttl_seconds: float) -> bool:
        check(key, value, ttl_seconds)
        with self._mutex:
            found = self._live(key)
            if (found[0] if found else None) != expected:
                return False
            self._store(key, value, self._clock() + ttl_seconds)
            return True

    def increment(self, key: str, by: int = 1, *, ttl_seconds: float) -> int:
        check(key, ttl_seconds=ttl_seconds)
        with self._mutex:
            found = self._live(key)
            number = int(found[0]) + by if found else by
            self._store(key, str(number).encode(), found[1] if found else self._clock() + ttl_seconds)
            return number

    def lock(self, name: str, owner: str, ttl_seconds: float) -> int | None:
        check(name, ttl_seconds=ttl_seconds)
        with self._mutex:
            if self._holder(name) is not None:
                return None
            if len(self._locks) >= MOST_LOCKS:
                moment = self._clock()
                self._locks = {key: held for key, held in self._locks.items() if held[1] > moment}
                if len(self._locks) >= MOST_LOCKS:
                    raise CacheUnavailable(f"{MOST_LOCKS} locks are held in this process; no more are given")
            self._locks[name] = (owner, self._clock() + ttl_seconds)
            self._last_token += 1
            return self._last_token

    def unlock(self, name: str, owner: str) -> bool:
        with self._mutex:
            if self._holder(name) != owner:
                return False
            del self._locks[name]
            return True

    def fill(self, key: str, value: bytes, ttl_seconds: float, *, lock: str, owner: str) -> bool:
        check(key, value, ttl_seconds)
        with self._mutex:
            if self._holder(lock) != owner:
                return False
            self._store(key, value, self._clock() + ttl_seconds)
            return True

    def invalidate(self, *keys: str) -> None:
        with self._mutex:
            for key in keys:
                self._locks.pop(key, None)
                self._drop(key)

    def ping(self) -> None:
        """Always there."""

    def close(self) -> None:
        with self._mutex:
            self._entries.clear()
            self._locks.clear()
            self._bytes = 0

    def _live(self, key: str) -> tuple[bytes, float] | None:
        found = self._entries.get(key)
        if found is not None and found[1] <= self._clock():
            self._drop(key)
            return None
        return found

    def _holder(self, name: str) -> str | None:
        held = self._locks.get(name)
        return held[0] if held is not None and held[1] > self._clock() else None

    def _store(self, key: str, value: bytes, expires_at: float) -> None:
        self._drop(key)
        self._entries[key] = (value, expires_at)
        self._bytes += len(key) + len(value)
        while len(self._entries) > self._most_entries or self._bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        dropped = self._entries.pop(key, None)
        if dropped is not None:
            self._bytes -= len(key) + len(dropped[0])
