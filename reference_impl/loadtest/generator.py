"""Sends requests when they are due, and measures each from the moment it was due.

A program that waits for an answer before it sends the next request asks a slow server less often, and so does not see how
slow it is (coordinated omission). Here the clock decides:

    open loop     requests come at random moments (Poisson), however many are still unanswered: `rate`
    closed loop   so many customers, each of whom thinks for a while after an answer and then acts: `think`

In both a request's latency begins when it was due: what this program or its connections kept it waiting counts, too.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from reference_impl.loadtest.record import Record
from reference_impl.loadtest.shoppers import CHECKOUT, Customer, Shoppers, Wanted

TIMEOUT_SECONDS = 10.0
MOST_IN_FLIGHT = 2_000
MOST_CONNECTIONS = 256
EXPIRES_SOON_SECONDS = 60.0
LOOK_SECONDS = 1.0
FAULTS = (aiohttp.ClientError, OSError)


@dataclass(frozen=True)
class Plan:
    """How much, and for how long."""

    seconds: float
    rate: float | None = None
    """Requests a second; None: a closed loop."""
    think: float = 1.0
    """In a closed loop, the mean seconds between an answer and the next request."""


Renew = Callable[[Customer], Awaitable[None]]
Progress = Callable[[str], None]


class Generator:
    """One run against one gateway."""

    def __init__(
        self, url: str, socket: Path | None, customers: Sequence[Customer], shoppers: Shoppers, record: Record
    ) -> None:
        self._url = url.rstrip("/")
        self._socket = socket
        self._customers = customers
        self._shoppers = shoppers
        self._record = record
        self._session: aiohttp.ClientSession
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, plan: Plan, renew: Renew, progress: Progress) -> float:
        """Send until the time is over, wait for what is under way, and return the seconds until then."""
        limit = MOST_CONNECTIONS
        connector: aiohttp.BaseConnector = (
            aiohttp.UnixConnector(str(self._socket), limit=limit)
            if self._socket
            else aiohttp.TCPConnector(limit=limit)
        )
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        began = time.monotonic()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as self._session:
            beside = [
                asyncio.create_task(self._tell(plan, progress)),
                asyncio.create_task(self._stay_signed_in(renew)),
            ]
            try:
                if plan.rate is not None:
                    await self._open_loop(plan.rate, began + plan.seconds)
                else:
                    await self._closed_loop(plan.think, began + plan.seconds)
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=TIMEOUT_SECONDS + LOOK_SECONDS)
            finally:
                for task in (*beside, *self._tasks):
                    task.cancel()
                await asyncio.gather(*beside, *self._tasks, return_exceptions=True)
        return time.monotonic() - began

    async def _open_loop(self, rate: float, end: float) -> None:
        dice = self._shoppers.dice
        due = time.monotonic() + dice.expovariate(rate)
        while due < end:
            rest = due - time.monotonic()
            if rest > 0:
                await asyncio.sleep(rest)
            customer = dice.choice(self._customers)
            wanted = self._shoppers.next(customer)
            if len(self._tasks) >= MOST_IN_FLIGHT:
                self._record.failed(wanted.action, f"not sent: {MOST_IN_FLIGHT} are unanswered")
            else:
                task = asyncio.create_task(self._send(customer, wanted, due))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            due += dice.expovariate(rate)

    async def _closed_loop(self, think: float, end: float) -> None:
        async def shop(customer: Customer, dice: random.Random) -> None:
            while True:
                due = time.monotonic() + (dice.expovariate(1 / think) if think else 0.0)
                if due >= end:
                    return
                await asyncio.sleep(due - time.monotonic())
                await self._send(customer, self._shoppers.next(customer), due)

        dice = self._shoppers.dice
        await asyncio.gather(*(shop(customer, random.Random(dice.random())) for customer in self._customers))

    async def _send(self, customer: Customer, wanted: Wanted, due: float) -> None:
        record = self._record
        record.lateness.append(max(0.0, time.monotonic() - due))
        try:
            async with self._session.request(
                wanted.method, self._url + wanted.path, data=wanted.body, headers=wanted.headers
            ) as answer:
                body = await answer.read()
        except TimeoutError:
            record.failed(wanted.action, f"no answer within {TIMEOUT_SECONDS:g} s")
            return
        except FAULTS as error:
            record.failed(wanted.action, type(error).__name__)
            return
        if answer.status >= 400:
            record.failed(wanted.action, _kind(answer.status, body))
            return
        record.answered(wanted.action, time.monotonic() - due)
        if wanted.action == CHECKOUT:
            customer.last_order = str(json.loads(body)["id"])
            record.placed.add(customer.last_order)

    async def _tell(self, plan: Plan, progress: Progress) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            count, slow = self._record.recently()
            progress(
                f"{time.monotonic() - began:4.0f} of {plan.seconds:g} s   {count / LOOK_SECONDS:.0f}/s   "
                f"p95 {slow * 1000:.0f} ms   {len(self._record.placed)} orders   "
                f"{sum(self._record.errors.values())} errors"
            )

    async def _stay_signed_in(self, renew: Renew) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for customer in self._customers:
                if customer.expires - time.monotonic() < EXPIRES_SOON_SECONDS:
                    await renew(customer)


def _kind(status: int, body: bytes) -> str:
    try:
        return f"{status} {str(json.loads(body)['type']).rpartition('/')[2].rpartition(':')[2]}"
    except (ValueError, KeyError, TypeError):
        return str(status)
