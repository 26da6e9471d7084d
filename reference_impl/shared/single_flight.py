"""Reading through a cache without a stampede: when a popular key runs out, one loader asks the database, not everybody.

Three things together:

- one flight a key and process: threads that miss the same key wait for the one that loads it;
- one loader over all processes, by a lock in the cache, which is also the lease on the right to fill the key (`Cache.fill`);
- times to live with jitter, and early refresh: a reader now and then loads before the end, the more likely the nearer the
  end is and the longer loading takes (XFetch: Vattani, Chierichetti and Lowenstein, 2015). So popular keys never run out.

Why early refresh, and not stale-while-revalidate: nobody ever sees a value older than its time to live, which for a price
is a promise; and no thread works behind a request's back. The price is that one unlucky reader waits for the load.
"""

from __future__ import annotations

import math
import random
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from reference_impl.shared import deadline, logs
from reference_impl.shared.cache import LARGEST_VALUE_BYTES, Cache, CacheUnavailable
from reference_impl.shared.events import new_id
from reference_impl.shared.problems import Problem

Loader = Callable[[], bytes]
_HEADER = struct.Struct("!dd")
_POLL_SECONDS = 0.01
_log = logs.logger("meridian.cache")


class Read(StrEnum):
    """How a read ended, for metrics."""

    HIT = "hit"
    MISS = "miss"
    """Loaded, because there was nothing."""
    EARLY = "early"
    """Loaded before the end of the time to live."""
    SHARED = "shared"
    """Waited for somebody else's load."""
    UNPROTECTED = "unprotected"
    """Loaded without single flight, because a fault flag says so."""


@dataclass(frozen=True)
class _Entry:
    """What is stored: the value, when it ends (seconds since 1970, by the loader's clock), and how long loading took."""

    value: bytes
    ends_at: float
    load_seconds: float

    def pack(self) -> bytes:
        return _HEADER.pack(self.ends_at, self.load_seconds) + self.value

    @classmethod
    def unpack(cls, stored: bytes) -> _Entry:
        ends_at, load_seconds = _HEADER.unpack_from(stored)
        return cls(stored[_HEADER.size :], ends_at, load_seconds)


class SingleFlight:
    """Cache-aside reads of one kind of thing. Works in threads; coroutines go through `run_in_threadpool`."""

    def __init__(
        self,
        cache: Cache,
        *,
        ttl_seconds: float,
        jitter: float = 0.2,
        early: float = 1.0,
        wait_seconds: float = 2.0,
        load_limit_seconds: float = 5.0,
        protected: Callable[[], bool] = lambda: True,
        observe: Callable[[Read], None] = lambda read: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`jitter` is the share of the time to live that chance may take away; `early` above 1 refreshes sooner, 0 never.

        `wait_seconds` bounds the wait for another's load, `load_limit_seconds` the time a loader may keep the lock.
        """
        self._cache = cache
        self._ttl_seconds = ttl_seconds
        self._jitter = jitter
        self._early = early
        self._wait_seconds = wait_seconds
        self._load_limit_seconds = load_limit_seconds
        self._protected = protected
        self._observe = observe
        self._clock = clock
        self._mutex = threading.Lock()
        self._flights: dict[str, Future[bytes]] = {}

    def get(self, key: str, load: Loader) -> bytes:
        """The value of this key, loaded if need be. Raises what `load` raises, to everybody who waited for it; that is not kept.

        Raises Problem 503 when somebody else's load takes longer than `wait_seconds`: one more query would not make it faster.
        """
        entry = self._look(key)
        if not self._protected():
            return entry.value if entry else self._unprotected(key, load)
        if entry is None:
            return self._fly(key, load)
        if self._is_due(entry):
            return self._refresh(key, load, entry)
        self._observe(Read.HIT)
        return entry.value

    def invalidate(self, *keys: str) -> None:
        """What these keys stand for has changed: forget them, and let no load that began before now fill them."""
        with self._mutex:
            for key in keys:
                self._flights.pop(key, None)  # who asks from now on must not join a load that began before
        self._cache.invalidate(*keys)

    def _look(self, key: str) -> _Entry | None:
        try:
            stored = self._cache.get(key)
        except CacheUnavailable:
            return None
        return _Entry.unpack(stored) if stored is not None else None

    def _is_due(self, entry: _Entry) -> bool:
        """XFetch: whether this reader is the one who refreshes early."""
        head_start = entry.load_seconds * self._early * -math.log(1.0 - random.random())
        return self._clock() + head_start >= entry.ends_at

    def _board(self, key: str) -> tuple[Future[bytes], bool]:
        """The flight of this key, and whether we are the one who flies it."""
        with self._mutex:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = Future()
            return flight, True

    def _land(self, key: str, flight: Future[bytes]) -> None:
        with self._mutex:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _fly(self, key: str, load: Loader) -> bytes:
        flight, ours = self._board(key)
        if not ours:
            self._observe(Read.SHARED)
            try:
                return flight.result(self._wait_seconds)
            except TimeoutError:
                if flight.done():
                    raise  # the load itself failed so
                raise self._too_slow() from None
        try:
            with deadline.within(None):  # for everybody on board
                value = self._load_alone(key, load)
        except BaseException as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(value)
            return value
        finally:
            self._land(key, flight)

    def _load_alone(self, key: str, load: Loader) -> bytes:
        """Load under the lock over all processes, or take what its holder has stored meanwhile."""
        deadline = time.monotonic() + self._wait_seconds
        owner = new_id()
        while True:
            try:
                locked = self._cache.lock(key, owner, self._load_limit_seconds) is not None
            except CacheUnavailable:
                self._observe(Read.MISS)
                return load()  # without the cache, one load a process is the best there is
            if locked:
                # Somebody may have filled the key between our look at it and our lock.
                found = self._look(key)
                if found is not None:
                    self._cache.unlock(key, owner)
                    self._observe(Read.SHARED)
                    return found.value
                self._observe(Read.MISS)
                return self._fill(key, load, owner)
            time.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))
            found = self._look(key)
            if found is not None:
                self._observe(Read.SHARED)
                return found.value
            if time.monotonic() >= deadline:
                raise self._too_slow()

    def _refresh(self, key: str, load: Loader, entry: _Entry) -> bytes:
        """Load early if nobody else does already; whatever goes wrong, the value there is still good."""
        flight, ours = self._board(key)
        if not ours:
            self._observe(Read.HIT)
            return entry.value
        owner = new_id()
        value = entry.value
        try:
            if self._cache.lock(key, owner, self._load_limit_seconds) is not None:
                self._observe(Read.EARLY)
                value = self._fill(key, load, owner)
            else:
                self._observe(Read.HIT)
        except Exception as error:
            _log.warning("early refresh failed", key=key, exc_info=error)
        finally:
            flight.set_result(value)
            self._land(key, flight)
        return value

    def _fill(self, key: str, load: Loader, owner: str) -> bytes:
        started = time.perf_counter()
        try:
            value = load()
            load_seconds = time.perf_counter() - started
            ttl = self._ttl_seconds * (1.0 - self._jitter * random.random())
            stored = _Entry(value, self._clock() + ttl, load_seconds).pack()
            if len(stored) <= LARGEST_VALUE_BYTES:
                with suppress(CacheUnavailable):
                    self._cache.fill(key, stored, ttl, lock=key, owner=owner)
        finally:
            with suppress(CacheUnavailable):  # the lock then ends by itself
                self._cache.unlock(key, owner)
        return value

    def _unprotected(self, key: str, load: Loader) -> bytes:
        """What most first versions do: everybody who misses loads, and everything loaded together ends together."""
        self._observe(Read.UNPROTECTED)
        value = load()
        ends_at = self._clock() + self._ttl_seconds
        with suppress(CacheUnavailable):
            self._cache.set(key, _Entry(value, ends_at, 0.0).pack(), self._ttl_seconds)
        return value

    def _too_slow(self) -> Problem:
        detail = f"Somebody else has been loading it for {self._wait_seconds:g} s; try again."
        return Problem(503, "busy", "The data is not ready", detail)
