"""The services behind the gateway, and how it bears with them: deadlines, retries within a budget, a circuit breaker for each.

How one request ends::

    an answer                          passed on as it is; 502, 503 and 504 are tried again before, if they may be
    no connection, a broken one        Problem 502
    no answer within the deadline      Problem 504
    the circuit is open                Problem 503 with Retry-After, and nothing was sent
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass

import httpx

from reference_impl.services.gateway import metrics, retries
from reference_impl.services.gateway.headers import TIMEOUT, Headers
from reference_impl.services.gateway.retries import RetryBudget
from reference_impl.services.gateway.settings import GatewaySettings
from reference_impl.shared.breaker import CircuitBreaker, CircuitOpen, CircuitState
from reference_impl.shared.events import new_id
from reference_impl.shared.faults import Faults
from reference_impl.shared.peers import Peers, UnknownPeer
from reference_impl.shared.problems import Problem

PASSING = frozenset({502, 503, 504})
"""Answers that say: not now."""
STORM_ATTEMPTS = 6
STORM = "gateway.retry-storm"


@dataclass(frozen=True)
class Call:
    """One request to a service."""

    service: str
    method: str
    target: str
    """Path and query, encoded."""
    headers: Headers
    body: bytes
    deadline: float
    """By the monotonic clock."""
    repeatable: bool
    """Whether it may take effect twice: by its method, or because it has an Idempotency-Key."""


class _Failed(Exception):
    """One try failed in a way that says something about the upstream."""

    def __init__(self, reason: str, *, reached: bool = True, response: httpx.Response | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reached = reached
        """False when the request can't have got there."""
        self.response = response


class Upstreams:
    """Sends requests to services. Belongs to one event loop."""

    def __init__(
        self,
        peers: Peers,
        settings: GatewaySettings,
        faults: Faults,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._peers = peers
        self._settings = settings
        self._faults = faults
        self._clock = clock
        self._sleep = sleep
        self._breakers: dict[str, CircuitBreaker] = {}
        self._budgets: dict[str, RetryBudget] = {}

    async def send(self, call: Call) -> httpx.Response:
        """The head of the answer; its body is still to be read, and the answer to be closed. Raises Problem 502, 503, 504."""
        breaker, budget = self._of(call.service)
        storm = self._faults.value(STORM) > 0 and self._faults.hits(STORM, new_id())
        budget.earn()
        attempt = 1
        while True:
            if self._clock() >= call.deadline:
                raise _problem(call.service, "timeout")
            try:
                with nullcontext() if storm else breaker.guard():
                    return await self._try(call)
            except CircuitOpen as error:
                metrics.FAILURES.labels(call.service, "circuit open").inc()
                raise _open(call.service, error.retry_after_seconds) from error
            except _Failed as failed:
                metrics.FAILURES.labels(call.service, failed.reason).inc()
                if not await self._again(call, failed, attempt, budget, storm=storm):
                    if failed.response is not None:
                        return failed.response
                    raise _problem(call.service, failed.reason) from failed
                if failed.response is not None:
                    await failed.response.aclose()
            attempt += 1

    async def _again(
        self, call: Call, failed: _Failed, attempt: int, budget: RetryBudget, *, storm: bool
    ) -> bool:
        """Whether to try again; waits before it."""
        if (failed.reached and not call.repeatable) or call.deadline <= self._clock():
            return False
        if storm:
            metrics.RETRIES.labels(call.service, "sent").inc()
            return attempt < STORM_ATTEMPTS
        wait = retries.pause(attempt, random.random)
        if attempt >= self._settings.attempts or self._clock() + wait >= call.deadline:
            return False
        if not budget.spend():
            metrics.RETRIES.labels(call.service, "refused").inc()
            return False
        metrics.RETRIES.labels(call.service, "sent").inc()
        await self._sleep(wait)
        return True

    async def _try(self, call: Call) -> httpx.Response:
        """One try. Raises _Failed."""
        rest = call.deadline - self._clock()
        # A duration and not a time of day: it means the same to a service whose clock is wrong.
        request = httpx.Request(
            call.method,
            self._address(call.service) + call.target,
            headers=[*call.headers, (TIMEOUT, b"%.3f" % rest)],
            content=call.body or None,
            extensions={"timeout": {"connect": rest, "read": rest, "write": rest, "pool": rest}},
        )
        began = time.perf_counter()
        try:
            async with asyncio.timeout(rest):
                response = await self._peers.call(call.service, request)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _Failed("timeout", reached=not isinstance(error, httpx.ConnectTimeout)) from error
        except httpx.TransportError as error:
            raise _Failed("no connection", reached=not isinstance(error, httpx.ConnectError)) from error
        finally:
            metrics.SECONDS.labels(call.service).observe(time.perf_counter() - began)
        if response.status_code in PASSING:
            raise _Failed(str(response.status_code), response=response)
        return response

    def _address(self, service: str) -> str:
        try:
            return self._peers.address(service)
        except UnknownPeer as error:
            raise _problem(service, "not deployed") from error

    def _of(self, service: str) -> tuple[CircuitBreaker, RetryBudget]:
        if service not in self._breakers:
            gauge = metrics.BREAKER.labels(service)
            gauge.set(0)
            self._breakers[service] = CircuitBreaker(
                service,
                failures=(_Failed,),
                least_calls=10,
                clock=self._clock,
                on_change=lambda state: gauge.set(0 if state is CircuitState.CLOSED else 1),
            )
            self._budgets[service] = RetryBudget(self._settings.retry_budget)
        return self._breakers[service], self._budgets[service]


def _problem(service: str, reason: str) -> Problem:
    if reason == "timeout":
        detail = f"The {service} service did not answer in time. Whether the request took effect is not known."
        return Problem(504, "upstream-timeout", "No answer in time", detail)
    return Problem(502, "upstream-unreachable", "A part is not reachable", f"The {service} service: {reason}.")


def _open(service: str, seconds: float) -> Problem:
    detail = f"The {service} service has failed too often and is left alone for a moment. Nothing was sent."
    return Problem(503, "circuit-open", "A part is not available now", detail).with_headers(
        {"Retry-After": str(max(1, round(seconds)))}
    )
