"""Prices, read from the product service over HTTP: the order service has no copy of them and no access to their tables."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import httpx

from reference_impl.shared import correlation
from reference_impl.shared.problems import Problem

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Price:
    """What one unit costs."""

    cents: int
    currency: str


class Catalogue(ABC):
    """Knows what products cost."""

    @abstractmethod
    async def prices(self, skus: Collection[str]) -> Mapping[str, Price]:
        """The price of each SKU, at most 100. Raises Problem 422 for unknown ones, 503 when nobody answers in time."""


class HttpCatalogue(Catalogue):
    """Asks the product service."""

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str = "http://product") -> None:
        self._transport = transport
        self._base_url = base_url

    async def prices(self, skus: Collection[str]) -> Mapping[str, Price]:
        wanted = sorted(set(skus))
        # The client is not closed: that would close the transport, which is the topology's.
        client = httpx.AsyncClient(transport=self._transport, base_url=self._base_url, timeout=TIMEOUT_SECONDS)
        try:
            # The transport within the process knows no timeouts of its own.
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await client.get(
                    "/products",
                    params={"skus": ",".join(wanted), "limit": max(1, len(wanted))},
                    headers={correlation.HEADER: correlation.correlation_id()},
                )
            answer.raise_for_status()
        except (TimeoutError, httpx.HTTPError) as error:
            raise Problem(
                503,
                "catalogue-unavailable",
                "The product service does not answer",
                "Nothing was ordered; try again.",
            ) from error
        found = {
            product["sku"]: Price(product["unit_price_cents"], product["currency"])
            for product in answer.json()["products"]
        }
        missing = [sku for sku in wanted if sku not in found]
        if missing:
            detail = f"Not in the catalogue: {', '.join(missing)}."
            raise Problem(422, "unknown-product", "An ordered product does not exist", detail, skus=missing)
        return found
