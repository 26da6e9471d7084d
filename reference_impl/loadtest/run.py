"""A whole run: sign customers in, load, see what became of their orders."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from reference_impl.client import Place, pages
from reference_impl.loadtest import outcome as outcomes
from reference_impl.loadtest.generator import Generator, Plan
from reference_impl.loadtest.record import Record, spread
from reference_impl.loadtest.shoppers import SHOPPING, Customer, Mix, Shoppers
from reference_impl.seeding import people
from reference_impl.seeding.filling import Refused, accepted

MOST_SKUS = 2_000
SETTLE_SECONDS = 30.0
Progress = Callable[[str], None]


def load(
    client: httpx.Client,
    place: Place,
    plan: Plan,
    *,
    users: int,
    mix: Mix = SHOPPING,
    number: int = 1,
    progress: Progress = lambda _line: None,
) -> dict[str, Any]:
    """Load the gateway of a place and return the report, with latencies in milliseconds.

    `client` reaches the services themselves: it signs in, because the gateway bounds how often one address may, and looks
    at the orders afterwards. Raises Refused, httpx.HTTPError.
    """
    skus = _in_stock(client)
    customers = sign_in(client, users, progress)
    record = Record()
    shoppers = Shoppers(skus, mix, random.Random(number))
    address = place.processes.get("gateway", place.url)
    generator = Generator(address, place.socket, customers, shoppers, record)
    before = outcomes.newest(client)

    async def renew(customer: Customer) -> None:
        try:
            await asyncio.to_thread(_renew, client, customer)
        except (Refused, httpx.HTTPError):
            customer.expires += 5  # its requests tell: 401

    with _runner() as runner:
        seconds = runner.run(generator.run(plan, renew, progress))
    progress("looking at the orders")
    outcome = outcomes.follow(client, record.placed, before, SETTLE_SECONDS, progress)
    return {
        "rate": plan.rate,
        "think": plan.think if plan.rate is None else None,
        "users": users,
        "seconds": round(seconds, 2),
        **record.document(seconds),
        "checkouts": {
            "placed": len(record.placed),
            "per_second": round(len(record.placed) / seconds, 2),
            "confirmed": outcome.confirmed,
            "unfinished": outcome.unfinished,
            "missing": outcome.missing,
            "states": dict(outcome.states),
            "confirmation_ms": spread(outcome.seconds),
        },
    }


def sign_in(client: httpx.Client, users: int, progress: Progress) -> list[Customer]:
    """So many customers, registered if they are not and signed in. Raises Refused."""
    wanted = people.customers(users)
    people.ensure(client, wanted, progress)
    customers: list[Customer] = []
    with ThreadPoolExecutor(people.AT_ONCE) as pool:
        for session in pool.map(lambda person: people.sign_in(client, person), wanted):
            customers.append(Customer(session.token, session.refresh_token, time.monotonic() + session.seconds))
            if len(customers) % 10 == 0:
                progress(f"signed in {len(customers)} of {users}")
    return customers


def _renew(client: httpx.Client, customer: Customer) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": customer.refresh_token}
    said = accepted(client.post("/auth/token", json=body))
    customer.token, customer.refresh_token = said["access_token"], said["refresh_token"]
    customer.expires = time.monotonic() + said["expires_in"]


def _in_stock(client: httpx.Client) -> list[str]:
    """What can be bought, in an order that is the same each time."""
    skus: list[str] = []
    for stock in pages(client, "/inventory", "stock"):
        if stock["available"] > 0:
            skus.append(str(stock["sku"]))
        if len(skus) == MOST_SKUS:
            break
    if not skus:
        raise Refused("Nothing is in stock: run `python -m reference_impl seed` first.")
    random.Random(0).shuffle(skus)
    return skus


def _runner() -> asyncio.Runner:
    """On the quick event loop where there is one: generator and platform share a machine."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
