"""Puts categories, products and stock into a running Meridian, many at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import httpx

from reference_impl.client import pages
from reference_impl.seeding.catalogue import CATEGORIES, Item

PRODUCTS_AT_ONCE = 150
SKUS_AT_ONCE = 500
Progress = Callable[[str], None]
Element = TypeVar("Element")


class Refused(ValueError):
    """Meridian does not take what was sent; the message has its reason."""


def accepted(answer: httpx.Response, *fine: int) -> Any:
    """The document of an answer that is a success, or has one of these statuses. Raises Refused."""
    if answer.is_success or answer.status_code in fine:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
        said = f"{problem['title']}. {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    hint = ""
    if answer.status_code in (401, 403):
        hint = " This command signs in as nobody: run it where MERIDIAN_TRUST_NETWORK is true."
    raise Refused(f"{answer.request.method} {answer.url.path}: {answer.status_code} {said}{hint}")


def add_categories(client: httpx.Client) -> int:
    """The tree of categories; how many there are."""
    known = set(_slugs(accepted(client.get("/v2/categories"))))
    for slug, name, parent in CATEGORIES:
        if slug not in known:
            body = {"slug": slug, "name": name, "parent": parent}
            accepted(client.post("/v2/categories", json=body), 409)
    return len(CATEGORIES)


def add_products(
    client: httpx.Client, items: Sequence[Item], vendors: Sequence[str], progress: Progress
) -> None:
    """The products that are not there yet; `vendors` are the ids of the users who sell them."""
    done = 0
    for some in _batches(items, PRODUCTS_AT_ONCE):
        products = [_product(item, vendors) for item in some]
        accepted(client.post("/v2/products/batch", json={"products": products}))
        done += len(some)
        progress(f"products {done} of {len(items)}")


def receive(client: httpx.Client, items: Sequence[Item], progress: Progress) -> int:
    """Stock of what was never stocked; how many of the items have ever been."""
    known = {str(stock["sku"]) for stock in pages(client, "/inventory", "stock")}
    stocked = [item for item in items if item.units]
    missing = [item for item in stocked if item.sku not in known]
    done = 0
    for some in _batches(missing, SKUS_AT_ONCE):
        lines = [{"sku": item.sku, "quantity": item.units} for item in some]
        # Two who seed at once send the same deliveries: they count once.
        key = hashlib.sha256(repr(lines).encode()).hexdigest()
        headers = {"Idempotency-Key": f"seed {key}"}
        accepted(client.post("/inventory/receipts", json={"lines": lines}, headers=headers))
        done += len(some)
        progress(f"stock {done} of {len(missing)}")
    return len(stocked)


def _product(item: Item, vendors: Sequence[str]) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "title": item.title,
        "description": item.description,
        "price": {"amount": f"{item.cents // 100}.{item.cents % 100:02}", "currency": "USD"},
        "categories": [item.category] if item.category else [],
        "vendor_id": vendors[item.vendor % len(vendors)] if item.vendor is not None and vendors else None,
    }


def _slugs(trees: list[dict[str, Any]]) -> Iterator[str]:
    for tree in trees:
        yield tree["slug"]
        yield from _slugs(tree["children"])


def _batches(elements: Sequence[Element], size: int) -> Iterator[Sequence[Element]]:
    for begin in range(0, len(elements), size):
        yield elements[begin : begin + size]
