"""Rate limits counted in a real Redis: the same answers as in memory, together for all gateways, and none when it is dead."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from reference_impl.services.gateway.limits import Decision, MemoryLimiter, Plan, Window
from reference_impl.services.gateway.limits_redis import RedisLimiter

pytestmark = pytest.mark.redis
PATIENT = 60.0
"""A busy machine is no dead Redis."""
LONG = 1_000.0
"""What stands for a second: Redis forgets by its own clock, which goes on while a test stands still."""


class Clock:
    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def told(decision: Decision) -> tuple[Any, ...]:
    return (
        decision.allowed,
        decision.limit,
        decision.remaining,
        round(decision.reset_seconds, 3),
        decision.policy,
    )


@pytest.mark.parametrize("seed", range(5))
def test_redis_and_memory_decide_alike(redis_server: Any, seed: int) -> None:
    dice, clock = random.Random(seed), Clock()
    window = Window("test", dice.randint(1, 6), dice.randint(1, 8) * LONG)
    plan = Plan("test", dice.choice([1, 2, 5]) / LONG, dice.randint(1, 6), daily=40)
    key = uuid4().hex

    async def scenario() -> None:
        there, here = RedisLimiter(redis_server.url, clock, PATIENT), MemoryLimiter(clock)
        for _ in range(120):
            clock.at += dice.choice([0, 0.125, 0.5, 1, 3]) * LONG
            assert told(await there.window(key, window)) == told(await here.window(key, window))
            assert told(await there.plan(key, plan)) == told(await here.plan(key, plan))
        await there.close()

    asyncio.run(scenario())


def test_gateways_count_together_and_exactly(redis_server: Any) -> None:
    window, plan, key = Window("test", 25, 3600), Plan("test", 0.0001, 10, 100), uuid4().hex

    async def scenario() -> None:
        gateways = [RedisLimiter(redis_server.url, answer_seconds=PATIENT) for _ in range(3)]
        asked = [gateway.window(key, window) for gateway in gateways for _ in range(30)]
        assert sum(decision.allowed for decision in await asyncio.gather(*asked)) == 25
        asked = [gateway.plan(key, plan) for gateway in gateways for _ in range(10)]
        assert sum(decision.allowed for decision in await asyncio.gather(*asked)) == 10
        await asyncio.gather(*(gateway.close() for gateway in gateways))

    asyncio.run(scenario())


def test_what_is_counted_does_not_stay_for_ever(redis_server: Any) -> None:
    import redis

    key = uuid4().hex

    async def scenario() -> None:
        limiter = RedisLimiter(redis_server.url, answer_seconds=PATIENT)
        await limiter.window(key, Window("test", 5, 700))
        await limiter.plan(key, Plan("test", 0.01, 5, 100))
        await limiter.close()

    asyncio.run(scenario())
    with redis.Redis.from_url(redis_server.url) as client:
        assert 0 < client.pttl(f"limit:window:{key}") <= 701_000
        assert 0 < client.pttl(f"limit:plan:{key}") <= 86_900_000


def test_without_redis_each_gateway_counts_for_itself(mortal_redis: Any) -> None:
    window, key = Window("test", 3, 3600), uuid4().hex

    async def scenario() -> None:
        limiter = RedisLimiter(mortal_redis.url, answer_seconds=PATIENT)
        assert (await limiter.window(key, window)).allowed
        mortal_redis.kill()
        allowed = [(await limiter.window(key, window)).allowed for _ in range(10)]
        assert allowed == [True] * 3 + [False] * 7
        mortal_redis.start()
        limiter._breaker._opened_at -= 60
        back = [(await limiter.window(key, window)).allowed for _ in range(4)]
        assert back == [True] * 3 + [False], "counted together again, from nothing: the new server is empty"
        await limiter.close()

    asyncio.run(scenario())
