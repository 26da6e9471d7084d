"""When the circuit breaker opens, tries and closes."""

from __future__ import annotations

import asyncio

import pytest

from reference_impl.shared.breaker import CircuitBreaker, CircuitOpen, CircuitState


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("the gateway", failures=(OSError,), least_calls=4, open_seconds=2, clock=clock)


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="dead"), breaker.guard():
            raise OSError("dead")


def succeed(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.guard():
            pass


def refused(breaker: CircuitBreaker) -> float:
    with pytest.raises(CircuitOpen) as caught, breaker.guard():
        raise AssertionError("the call must not be made")
    return caught.value.retry_after_seconds


def test_it_opens_when_half_of_enough_calls_failed(breaker: CircuitBreaker) -> None:
    fail(breaker, 3)
    assert breaker.state is CircuitState.CLOSED, "three calls prove nothing"
    fail(breaker)
    assert breaker.state is CircuitState.OPEN
    assert refused(breaker) == 2


def test_it_stays_closed_while_most_calls_succeed(breaker: CircuitBreaker) -> None:
    for _ in range(20):
        succeed(breaker, 2)
        fail(breaker)
    assert breaker.state is CircuitState.CLOSED


def test_old_failures_are_forgotten(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 11
    fail(breaker, 3)
    assert breaker.state is CircuitState.CLOSED


def test_what_the_caller_deserves_is_no_failure(breaker: CircuitBreaker) -> None:
    for _ in range(10):
        with pytest.raises(ValueError, match="no such"), breaker.guard():
            raise ValueError("no such thing")
    assert breaker.state is CircuitState.CLOSED


def test_one_trial_decides(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 4)
    clock.now += 2
    with breaker.guard():
        assert breaker.state is CircuitState.HALF_OPEN
        refused(breaker)
    assert breaker.state is CircuitState.CLOSED
    fail(breaker, 4)
    clock.now += 2
    fail(breaker)
    assert breaker.state is CircuitState.OPEN
    assert refused(breaker) == 2


def test_a_call_from_before_decides_nothing(breaker: CircuitBreaker, clock: Clock) -> None:
    with breaker.guard():
        fail(breaker, 4)
        clock.now += 2
        with breaker.guard():
            pass
    late = breaker.guard()
    late.__enter__()
    fail(breaker, 4)
    late.__exit__(None, None, None)
    assert breaker.state is CircuitState.OPEN


def test_it_may_be_held_over_an_await_and_a_cancelled_trial_is_repeated(clock: Clock) -> None:
    changes: list[CircuitState] = []
    breaker = CircuitBreaker("it", least_calls=1, open_seconds=2, clock=clock, on_change=changes.append)
    fail(breaker)
    clock.now += 2

    async def call(seconds: float) -> None:
        with breaker.guard():
            await asyncio.sleep(seconds)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call(60), 0.01)
        assert breaker.state is CircuitState.HALF_OPEN
        await call(0)

    asyncio.run(scenario())
    assert changes == [CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]
