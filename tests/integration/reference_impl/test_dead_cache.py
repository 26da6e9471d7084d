"""Redis dies under the platform: reads go on, quickly, and the cache is used again once it is back."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from reference_impl.shared.breaker import CircuitBreaker, CircuitState
from reference_impl.shared.cache import Cache, CacheUnavailable
from reference_impl.shared.caches.guarded import GuardedCache
from reference_impl.shared.caches.redis import RedisCache
from reference_impl.shared.single_flight import SingleFlight

pytestmark = pytest.mark.redis
PATIENT = 60.0
"""A busy machine is no dead Redis, and a load that it keeps waiting is not one that lost its lock."""


def test_the_platform_goes_on_while_redis_is_dead(mortal_redis: Any) -> None:
    breaker = CircuitBreaker("the cache", failures=(CacheUnavailable,), open_seconds=0.2)
    cache: Cache = GuardedCache(RedisCache(mortal_redis.url, timeout_seconds=PATIENT), breaker)
    flight = SingleFlight(cache, ttl_seconds=3600, load_limit_seconds=PATIENT)
    loads: list[str] = []

    def read(text: str) -> bytes:
        def load() -> bytes:
            loads.append(text)
            return text.encode()

        return flight.get("sku", load)

    assert (read("first"), read("from the cache")) == (b"first", b"first")
    mortal_redis.kill()
    assert [read(f"dead {number}") for number in range(20)] == [
        f"dead {number}".encode() for number in range(20)
    ]
    assert breaker.state is CircuitState.OPEN
    flight.invalidate("sku")  # dropped, not raised
    with pytest.raises(CacheUnavailable):
        cache.increment("requests", ttl_seconds=60)

    mortal_redis.start()
    deadline = time.monotonic() + PATIENT
    while breaker.state is not CircuitState.CLOSED:
        assert time.monotonic() < deadline, "the breaker never closed"
        time.sleep(0.05)
        read("trial")
    loads.clear()
    read("back")
    assert read("again") in (b"trial", b"back")
    assert "again" not in loads
    cache.close()


def test_a_redis_that_hangs_costs_one_time_limit_and_no_more(mortal_redis: Any) -> None:
    """A stopped process accepts and never answers: only the time limit ends the wait."""
    cache = RedisCache(mortal_redis.url, timeout_seconds=0.1)
    guarded = GuardedCache(cache, CircuitBreaker("the cache", least_calls=3, open_seconds=60))
    guarded.set("a", b"1", 60)
    os.kill(mortal_redis.pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + PATIENT
        while state(mortal_redis.pid) != "T":  # it may be about to answer
            assert time.monotonic() < deadline, "it does not stop"
            time.sleep(0.01)
        assert [guarded.get("a") for _ in range(1000)] == [None] * 1000
        assert guarded.breaker.state is CircuitState.OPEN
    finally:
        os.kill(mortal_redis.pid, signal.SIGCONT)
    guarded.close()


def state(pid: int) -> str:
    """How the system schedules a process: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_fencing_tokens_grow_even_when_redis_has_lost_its_memory(mortal_redis: Any) -> None:
    cache = RedisCache(mortal_redis.url, timeout_seconds=PATIENT)
    before = [cache.lock(f"name {number}", "me", 3600) for number in range(3)]
    mortal_redis.kill()
    mortal_redis.start()
    after = cache.lock("name 0", "somebody else", 3600)
    assert after is not None
    assert all(token is not None and after > token for token in before)
    cache.close()
