"""Rate limits keep their word exactly, by a clock that the test turns."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.services.gateway.limits import DAY_SECONDS, MemoryLimiter, Plan, Window
from tests.unit.reference_impl.gateways import Clock

STEPS = st.lists(st.integers(0, 40).map(lambda tenths: tenths / 8), max_size=120)


def within(times: list[float], seconds: float) -> int:
    """The most requests in any stretch of so many seconds, its end not counted."""
    return max((sum(start <= time < start + seconds for time in times) for start in times), default=0)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(1, 6), st.integers(1, 12))
def test_a_window_never_has_more_than_its_limit_and_refuses_nobody_without_need(
    steps: list[float], most: int, seconds: int
) -> None:
    clock = Clock()
    limiter, window = MemoryLimiter(clock), Window("test", most, float(seconds))
    allowed: list[float] = []

    async def scenario() -> None:
        for step in steps:
            clock.at += step
            recent = [time for time in allowed if time > clock.at - seconds]
            decision = await limiter.window("key", window)
            assert decision.allowed == (len(recent) < most)
            assert decision.remaining == most - min(most, len(recent) + decision.allowed)
            if decision.allowed:
                allowed.append(clock.at)
            else:
                assert decision.reset_seconds == recent[0] + seconds - clock.at

    asyncio.run(scenario())
    assert within(allowed, seconds) <= most


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(1, 5), st.integers(1, 4))
def test_a_bucket_gives_its_burst_and_its_rate_and_no_more(steps: list[float], burst: int, rate: int) -> None:
    clock = Clock()
    limiter, plan = MemoryLimiter(clock), Plan("test", rate, burst, 10_000)
    allowed: list[float] = []

    async def scenario() -> None:
        for step in steps:
            clock.at += step
            if (await limiter.plan("key", plan)).allowed:
                allowed.append(clock.at)

    asyncio.run(scenario())
    for first, start in enumerate(allowed):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= burst + rate * (allowed[last] - start) + 1e-6


def test_who_waits_as_told_gets_in() -> None:
    clock = Clock()
    limiter, plan, window = MemoryLimiter(clock), Plan("test", 3, 2, 100), Window("test", 2, 7)

    async def scenario() -> None:
        for count, key in ((limiter.plan, plan), (limiter.window, window)):
            for _ in range(20):
                decision = await count("key", key)  # type: ignore[operator]
                if not decision.allowed:
                    clock.at += decision.reset_seconds + 1e-6
                    assert (await count("key", key)).allowed  # type: ignore[operator]

    asyncio.run(scenario())


def test_a_quota_begins_anew_at_midnight() -> None:
    clock = Clock(10 * DAY_SECONDS + 82_800)
    limiter, plan = MemoryLimiter(clock), Plan("test", 100, 100, 3)

    async def scenario() -> None:
        decisions = [await limiter.plan("key", plan) for _ in range(4)]
        assert [decision.allowed for decision in decisions] == [True] * 3 + [False]
        assert (decisions[2].limit, decisions[2].remaining) == ("quota", 0)
        assert dict(decisions[3].headers())[b"retry-after"] == b"3600"
        clock.at += 3600
        assert (await limiter.plan("key", plan)).allowed

    asyncio.run(scenario())


def test_a_refusal_costs_nothing_of_the_quota() -> None:
    clock = Clock(10.0 * DAY_SECONDS)
    limiter, plan = MemoryLimiter(clock), Plan("test", 1, 1, 3)

    async def scenario() -> None:
        for _ in range(50):
            await limiter.plan("key", plan)
        clock.at += 1
        assert (await limiter.plan("key", plan)).remaining == 0
        clock.at += 1
        last = await limiter.plan("key", plan)
        assert (last.allowed, last.limit, last.remaining) == (True, "quota", 0)

    asyncio.run(scenario())


def test_keys_are_counted_apart_and_bounded_in_number() -> None:
    limiter, window = MemoryLimiter(Clock(), most_keys=3), Window("test", 1, 60)

    async def scenario() -> None:
        assert [(await limiter.window(key, window)).allowed for key in "abca"] == [True, True, True, False]
        assert (await limiter.window("d", window)).allowed
        assert not (await limiter.window("a", window)).allowed, "used last, so kept"
        assert (await limiter.window("b", window)).allowed, "forgotten"

    asyncio.run(scenario())
