"""Fills a running Meridian with a believable catalogue, stock and people: over HTTP, as anybody would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from reference_impl.seeding import catalogue, filling, people

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much there is to be."""

    products: int
    """Beyond the ten of the house, which every size has."""
    vendors: int
    customers: int


SIZES = {
    "S": Size(products=90, vendors=4, customers=12),
    "M": Size(products=2_000, vendors=20, customers=200),
    "L": Size(products=30_000, vendors=60, customers=600),
}
"""Each size has all of the one before."""


@dataclass(frozen=True)
class Seeded:
    """What is there now."""

    products: int
    skus_in_stock: int
    categories: int
    vendors: int
    customers: int


def seed(
    client: httpx.Client, size: Size, *, number: int = 1, progress: Progress = lambda _line: None
) -> Seeded:
    """Add what is missing; doing it twice changes nothing. The same `number` makes the same catalogue.

    Raises Refused when Meridian does not take something, and httpx.HTTPError when it does not answer.
    """
    progress("people")
    people.ensure(client, [people.ADMIN], progress)
    vendors = people.ensure(client, people.vendors(size.vendors), progress)
    people.ensure(client, people.customers(size.customers), progress)
    progress("categories")
    categories = filling.add_categories(client)
    items = [*catalogue.HOUSE, *catalogue.items(size.products, number)]
    filling.add_products(client, items, vendors, progress)
    in_stock = filling.receive(client, items, progress)
    return Seeded(len(items), in_stock, categories, len(vendors), size.customers)
