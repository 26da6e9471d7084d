"""What every adapter of the cache port promises."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reference_impl.shared.cache import LARGEST_VALUE_BYTES, Cache
from reference_impl.shared.caches.guarded import GuardedCache
from reference_impl.shared.caches.memory import MemoryCache
from reference_impl.shared.lock import DistributedLock, NotAcquired
from reference_impl.shared.single_flight import Read, SingleFlight


@pytest.fixture(params=["memory", "guarded", pytest.param("redis", marks=pytest.mark.redis)])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    if request.param == "redis":
        from reference_impl.shared.caches.redis import RedisCache

        server: Any = request.getfixturevalue("redis_server")
        server.empty()
        made: Cache = RedisCache(server.url, timeout_seconds=60)
    else:
        made = MemoryCache() if request.param == "memory" else GuardedCache(MemoryCache())
    yield made
    made.close()


def test_a_value_comes_back_until_it_is_deleted(cache: Cache) -> None:
    value = bytes(range(256))
    assert cache.get("a") is None
    cache.set("a", value, 60)
    cache.set("b", b"", 60)
    assert (cache.get("a"), cache.get("b")) == (value, b"")
    cache.delete("a", "unknown")
    cache.delete()
    assert (cache.get("a"), cache.get("b")) == (None, b"")


def test_a_value_ends_with_its_time_to_live(cache: Cache) -> None:
    cache.set("short", b"1", 0.05)
    cache.set("long", b"1", 60)
    time.sleep(0.1)
    assert (cache.get("short"), cache.get("long")) == (None, b"1")


def test_only_the_first_adds(cache: Cache) -> None:
    assert cache.add("a", b"first", 60)
    assert not cache.add("a", b"second", 60)
    assert cache.get("a") == b"first"


def test_a_swap_needs_the_value_that_was_seen(cache: Cache) -> None:
    assert not cache.swap("a", b"1", b"2", 60)
    assert cache.swap("a", None, b"1", 60)
    assert not cache.swap("a", None, b"2", 60)
    assert not cache.swap("a", b"", b"2", 60)
    assert cache.swap("a", b"1", b"2", 60)
    assert cache.get("a") == b"2"


def test_increments_by_many_threads_all_count(cache: Cache) -> None:
    def count(_number: int) -> list[int]:
        return [cache.increment("hits", ttl_seconds=60) for _ in range(25)]

    with ThreadPoolExecutor(4) as threads:
        seen = sorted(number for part in threads.map(count, range(4)) for number in part)
    assert seen == list(range(1, 101))
    assert cache.increment("hits", -100, ttl_seconds=60) == 0
    assert cache.get("hits") == b"0"


def test_a_counter_ends_by_the_time_it_began(cache: Cache) -> None:
    for _ in range(8):
        cache.increment("window", ttl_seconds=0.2)
        time.sleep(0.05)
    assert cache.increment("window", ttl_seconds=0.2) < 6


@pytest.mark.parametrize(
    ("key", "value", "ttl"),
    [
        ("", b"", 1),
        ("k" * 251, b"", 1),
        ("k", b"x" * (LARGEST_VALUE_BYTES + 1), 1),
        ("k", b"", 0),
        ("k", b"", -1),
    ],
)
def test_what_no_cache_takes_is_refused(cache: Cache, key: str, value: bytes, ttl: float) -> None:
    with pytest.raises(ValueError, match=r".+"):
        cache.set(key, value, ttl)


def test_one_owner_holds_a_lock_and_only_that_one_gives_it_back(cache: Cache) -> None:
    first = cache.lock("stock", "one", 60)
    assert first is not None
    assert cache.lock("stock", "two", 60) is None
    assert cache.lock("stock", "one", 60) is None, "not reentrant"
    assert cache.lock("other", "two", 60) is not None
    assert not cache.unlock("stock", "two")
    assert cache.lock("stock", "two", 60) is None
    assert cache.unlock("stock", "one")
    assert not cache.unlock("stock", "one")
    assert cache.lock("stock", "two", 60) is not None


def test_a_lock_ends_by_itself_and_its_late_owner_takes_nothing_away(cache: Cache) -> None:
    first = cache.lock("stock", "sleeper", 0.05)
    time.sleep(0.1)
    second = cache.lock("stock", "next", 60)
    assert first is not None
    assert second is not None
    assert second > first
    assert not cache.unlock("stock", "sleeper")
    assert cache.lock("stock", "third", 60) is None


def test_fencing_tokens_only_grow(cache: Cache) -> None:
    tokens = []
    for number in range(20):
        token = cache.lock(f"name {number % 3}", str(number), 60)
        assert token is not None
        tokens.append(token)
        cache.unlock(f"name {number % 3}", str(number))
    assert tokens == sorted(set(tokens))


def test_locks_and_values_of_one_name_are_apart(cache: Cache) -> None:
    cache.lock("a", "me", 60)
    assert cache.get("a") is None
    cache.set("a", b"1", 60)
    cache.delete("a")
    assert cache.unlock("a", "me")


def test_only_who_holds_the_lock_fills(cache: Cache) -> None:
    assert not cache.fill("a", b"nobody", 60, lock="a", owner="me")
    cache.lock("a", "me", 60)
    assert not cache.fill("a", b"other", 60, lock="a", owner="other")
    assert cache.fill("a", b"mine", 60, lock="a", owner="me")
    assert cache.get("a") == b"mine"


def test_an_invalidation_takes_the_value_and_the_right_to_fill_it(cache: Cache) -> None:
    cache.set("a", b"old", 60)
    cache.lock("a", "loader", 60)
    cache.invalidate("a", "unknown")
    cache.invalidate()
    assert cache.get("a") is None
    assert not cache.fill("a", b"old", 60, lock="a", owner="loader")
    assert cache.lock("a", "next", 60) is not None


def test_a_distributed_lock_admits_one_at_a_time(cache: Cache) -> None:
    inside, most = 0, 0

    def work(_number: int) -> int:
        nonlocal inside, most
        with DistributedLock(cache, "cash desk", ttl_seconds=300).held(wait_seconds=120) as held:
            inside += 1
            most = max(most, inside)
            time.sleep(0.002)
            inside -= 1
            return held.token

    with ThreadPoolExecutor(6) as threads:
        tokens = list(threads.map(work, range(18)))
    assert most == 1
    assert len(set(tokens)) == 18


def test_waiting_for_a_lock_ends(cache: Cache) -> None:
    lock = DistributedLock(cache, "taken", ttl_seconds=60)
    held = lock.acquire()
    assert held is not None
    with pytest.raises(NotAcquired, match="taken is locked"), lock.held(wait_seconds=0.03):
        raise AssertionError("nobody may get in")
    assert lock.release(held)


def test_a_fence_refuses_the_owner_who_slept(cache: Cache) -> None:
    """What a fencing token is for: the late owner still believes in its lock, the place of the effect does not."""
    lock, seen = DistributedLock(cache, "report", ttl_seconds=0.05), [0, ""]

    def write(token: int, text: str) -> bool:
        if token < int(seen[0]):
            return False
        seen[:] = [token, text]
        return True

    sleeper = lock.acquire()
    time.sleep(0.1)
    successor = lock.acquire()
    assert sleeper is not None
    assert successor is not None
    assert write(successor.token, "new")
    assert not write(sleeper.token, "old")
    assert seen[1] == "new"
    assert not lock.release(sleeper)


def test_a_crowd_over_two_processes_loads_once(cache: Cache) -> None:
    """Two SingleFlights on one cache are two processes: they share nothing else."""
    loads: list[float] = []

    def load() -> bytes:
        loads.append(time.monotonic())
        time.sleep(0.1)
        return b"price"

    reads: list[Read] = []
    # So long that no pause of a busy machine ends the loader's lock, or makes a load worth repeating early.
    long = {"ttl_seconds": 3_600, "wait_seconds": 60, "load_limit_seconds": 600}
    processes = [SingleFlight(cache, **long, observe=reads.append) for _ in range(2)]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda number: processes[number % 2].get("sku", load), range(16)))
    assert found == [b"price"] * 16
    assert len(loads) == 1
    assert reads.count(Read.MISS) == 1


def test_without_protection_the_crowd_loads_together(cache: Cache) -> None:
    gate = threading.Barrier(8)
    loads: list[int] = []

    def load() -> bytes:
        gate.wait(120)  # only passes when all eight load at the same time
        loads.append(1)
        return b"price"

    flight = SingleFlight(cache, ttl_seconds=60, protected=lambda: False)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _number: flight.get("sku", load), range(8)))
    assert len(loads) == 8


def test_what_was_read_before_a_change_is_not_kept_after_it(cache: Cache) -> None:
    database = {"price": b"old"}
    writer, reader = SingleFlight(cache, ttl_seconds=60), SingleFlight(cache, ttl_seconds=60)

    def load_while_it_changes() -> bytes:
        read = database["price"]
        database["price"] = b"new"
        writer.invalidate("sku")
        return read

    assert reader.get("sku", load_while_it_changes) == b"old"
    assert reader.get("sku", lambda: database["price"]) == b"new"
