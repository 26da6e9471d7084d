"""Pages: the data of one screen in one request, asked for at once. A part that fails is left out and named, the rest is answered.

The first part is what the page is about: without it there is no page, and its error is the page's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from reference_impl.services.gateway import metrics
from reference_impl.shared.problems import Problem

PART_SECONDS = 1.0
RELATED = 6


class PartFailed(Exception):
    """A part gave no usable answer."""


class NoPage(Exception):
    """What the page is about can't be shown; the service's own answer says why."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body


Fetch = Callable[[str, str], Awaitable[tuple[int, bytes]]]
"""Service and target to status and body, for the caller of the page. Raises Problem."""


class Page:
    """Collects the parts of one page."""

    def __init__(self, name: str, fetch: Fetch, patience: float) -> None:
        self._part_seconds = PART_SECONDS * patience
        self._name = name
        self._fetch = fetch
        self._parts: dict[str, asyncio.Task[Any]] = {}
        self._degraded: list[str] = []

    async def main(self, service: str, target: str) -> dict[str, Any]:
        """What the page is about. Raises NoPage with its error; the other parts are then given up."""
        try:
            status, body = await self._fetch(service, target)
            if status != 200:
                raise NoPage(status, body)
            found: dict[str, Any] = json.loads(body)
            return found
        except BaseException:
            for task in self._parts.values():
                task.cancel()
            raise

    def begin(self, name: str, service: str, target: str) -> None:
        """Ask for another part now."""
        self._parts[name] = asyncio.create_task(self.part(name, service, target))

    async def take(self, name: str) -> Any:
        """What came of it."""
        return await self._parts[name]

    async def part(self, name: str, service: str, target: str) -> Any:
        """Another part; None when there is none (404), or when it failed, which the page then says."""
        try:
            async with asyncio.timeout(self._part_seconds):
                status, body = await self._fetch(service, target)
            if status == 404:
                return None
            if status != 200:
                raise PartFailed
            return json.loads(body)
        except (Problem, PartFailed, TimeoutError, ValueError):
            metrics.DEGRADED.labels(self._name, name).inc()
            self._degraded.append(name)
            return None

    def answer(self, **parts: Any) -> bytes:
        """The page."""
        return json.dumps({**parts, "degraded": sorted(self._degraded)}, separators=(",", ":")).encode()


async def product_page(sku: str, fetch: Fetch, patience: float = 1.0) -> bytes:
    """A product, its stock, and others of its first category. Raises NoPage and Problem."""
    page = Page("product", fetch, patience)
    page.begin("stock", "inventory", f"/inventory/{sku}")
    product = await page.main("product", f"/v2/products/{sku}")
    related = []
    if product["categories"]:  # only now is it known what is related; the stock is on its way meanwhile
        slug = quote(product["categories"][0]["slug"], safe="")
        found = await page.part("related", "product", f"/v2/products?category={slug}&limit={RELATED + 1}")
        related = [item for item in (found or {"items": []})["items"] if item["sku"] != sku][:RELATED]
    return page.answer(product=product, stock=await page.take("stock"), related=related)


async def order_page(order_id: str, fetch: Fetch, patience: float = 1.0) -> bytes:
    """An order, where its parcels are, and what was bought. Whose it is, the services ask. Raises NoPage and Problem."""
    page = Page("order", fetch, patience)
    page.begin("shipments", "shipping", f"/shipments?order_id={order_id}")
    order = await page.main("order", f"/orders/{order_id}")
    skus = sorted({line["sku"] for line in order["lines"]})
    found = await page.part("products", "product", f"/v1/products?limit={len(skus)}&skus={','.join(skus)}")
    shipments = await page.take("shipments")
    return page.answer(
        order=order,
        products=(found or {}).get("products", []),
        shipments=(shipments or {}).get("shipments", []),
    )


PAGES = {"product": product_page, "order": order_page}
