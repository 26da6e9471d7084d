"""Bounds of the memory cache, early refresh, and what happens when loading fails."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reference_impl.shared.cache import Cache, CacheUnavailable, open_cache
from reference_impl.shared.caches.memory import MemoryCache
from reference_impl.shared.problems import Problem
from reference_impl.shared.single_flight import Read, SingleFlight

PATIENCE = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def until_aboard(reads: list[Read], count: int) -> None:
    """Let a load take until so many others wait for it."""
    deadline = time.monotonic() + PATIENCE
    while reads.count(Read.SHARED) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(most_entries=2)
    cache.set("a", b"1", 60)
    cache.set("b", b"1", 60)
    cache.get("a")
    cache.set("c", b"1", 60)
    assert [cache.get(key) for key in "abc"] == [b"1", None, b"1"]


def test_bytes_are_bounded_too() -> None:
    cache = MemoryCache(most_bytes=1000)
    for number in range(20):
        cache.set(f"{number}", b"x" * 300, 60)
    kept = [number for number in range(20) if cache.get(f"{number}")]
    assert kept == [17, 18, 19]


def test_values_never_push_out_a_lock() -> None:
    cache = MemoryCache(most_entries=1)
    cache.lock("a", "me", 60)
    for number in range(10):
        cache.set(str(number), b"1", 60)
    assert cache.lock("a", "other", 60) is None


def test_a_platform_without_redis_caches_in_memory() -> None:
    assert isinstance(open_cache(""), MemoryCache)


def test_the_nearer_the_end_the_likelier_an_early_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, reads = Clock(), list[Read]()
    flight = SingleFlight(
        MemoryCache(), ttl_seconds=100, jitter=0, observe=reads.append, clock=clock, early=1.0
    )
    monkeypatch.setattr(
        "reference_impl.shared.single_flight.time.perf_counter", iter(range(0, 1000, 10)).__next__
    )
    monkeypatch.setattr("random.random", lambda: 0.9)  # a head start of 10 s * 2.3
    flight.get("a", lambda: b"1")
    for later in (70.0, 10.0):
        clock.now += later
        assert flight.get("a", lambda: b"2") == (b"1" if later == 70 else b"2")
    assert reads == [Read.MISS, Read.HIT, Read.EARLY]
    assert flight.get("a", lambda: b"3") == b"2"


def test_an_early_refresh_that_fails_harms_nobody() -> None:
    clock, cache = Clock(), MemoryCache()
    flight = SingleFlight(cache, ttl_seconds=100, clock=clock, early=1e15)
    flight.get("a", lambda: b"1")

    def broken() -> bytes:
        raise RuntimeError("the database is gone")

    assert flight.get("a", broken) == b"1"
    assert flight.get("a", lambda: b"2") == b"2", "the lock was given back"


def test_times_to_live_differ() -> None:
    class Watching(MemoryCache):
        ttls: list[float]

        def fill(self, key: str, value: bytes, ttl_seconds: float, *, lock: str, owner: str) -> bool:
            self.ttls.append(ttl_seconds)
            return super().fill(key, value, ttl_seconds, lock=lock, owner=owner)

    cache = Watching()
    cache.ttls = []
    flight = SingleFlight(cache, ttl_seconds=100, jitter=0.2)
    for number in range(50):
        flight.get(str(number), lambda: b"1")
    assert all(80 <= ttl <= 100 for ttl in cache.ttls)
    assert max(cache.ttls) - min(cache.ttls) > 5


def test_a_failed_load_is_told_to_all_who_waited_and_not_kept() -> None:
    reads = list[Read]()
    flight = SingleFlight(MemoryCache(), ttl_seconds=60, wait_seconds=PATIENCE, observe=reads.append)

    def missing() -> bytes:
        until_aboard(reads, 3)
        raise Problem(404, "unknown", "There is none")

    with ThreadPoolExecutor(4) as threads:
        flights = [threads.submit(flight.get, "a", missing) for _ in range(4)]
        assert [type(found.exception(2 * PATIENCE)) for found in flights] == [Problem] * 4
    assert flight.get("a", lambda: b"1") == b"1"


def test_who_waits_too_long_is_told_so_and_does_not_ask_as_well() -> None:
    cache = MemoryCache()
    cache.lock("a", "a loader in another process", 60)
    flight = SingleFlight(cache, ttl_seconds=60, wait_seconds=0.05)
    with pytest.raises(Problem) as caught:
        flight.get("a", lambda: pytest.fail("loaded"))
    assert caught.value.status == 503


def test_without_a_cache_every_process_still_loads_once() -> None:
    class Dead(MemoryCache):
        def get(self, key: str) -> bytes | None:
            raise CacheUnavailable("gone")

        def lock(self, name: str, owner: str, ttl_seconds: float) -> int | None:
            raise CacheUnavailable("gone")

    reads = list[Read]()
    cache: Cache = Dead()
    flight = SingleFlight(cache, ttl_seconds=60, wait_seconds=PATIENCE, observe=reads.append)

    def load() -> bytes:
        until_aboard(reads, 3)
        return b"1"

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _number: flight.get("a", load), range(4))) == [b"1"] * 4
    assert (reads.count(Read.MISS), reads.count(Read.SHARED)) == (1, 3)
