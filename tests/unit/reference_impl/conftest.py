"""Meridian without threads or sockets: requests go straight to the application, background work happens when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from reference_impl.shared import auth
from reference_impl.shared import database as databases
from reference_impl.shared.auth import Verifier
from reference_impl.shared.bus import EventBus
from reference_impl.shared.jwks import KeyRing
from reference_impl.shared.settings import Settings
from reference_impl.topologies.monolith import Monolith, build
from tests.unit.reference_impl.cheap import prepare, share_validators
from tests.unit.reference_impl.tokens import Published, Signer

share_validators()
SIGNER = Signer()
PATIENCE = 30.0
"""A test is no place to find out how slow the machine is."""


@pytest.fixture(scope="module", autouse=True)
def nobody_gives_up_early() -> Iterator[None]:
    """Who holds a lock may stand still for longer than the product lets others wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(databases, "LOCK_SECONDS", PATIENCE)
        yield


class AppTransport(httpx.BaseTransport):
    """Carries requests of a plain client to an ASGI application in the same process."""

    def __init__(self, app: FastAPI) -> None:
        self._runner = asyncio.Runner()
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def send() -> httpx.Response:
            body = request.read()
            answer = await self._transport.handle_async_request(
                httpx.Request(request.method, request.url, headers=request.headers, content=body)
            )
            content = await answer.aread()
            return httpx.Response(answer.status_code, headers=answer.headers, content=content)

        return self._runner.run(send())

    def close(self) -> None:
        self._runner.close()


class Shop:
    """A Meridian under test, and short words for what tests do with it."""

    def __init__(self, built: Monolith) -> None:
        self.built = built
        self.http = httpx.Client(transport=AppTransport(built.app), base_url="http://meridian")
        self.faults = built.faults

    def sign_in(self, subject: str, *roles: str) -> None:
        """Whose every request is from now on; without a subject: a stranger's, let through by the gateway."""
        self.http.headers.pop("Authorization", None)
        self.http.headers.pop(auth.ANONYMOUS_HEADER, None)
        if not subject:
            self.http.headers[auth.ANONYMOUS_HEADER] = "1"
            return
        auth.install(self.built.app, Verifier(KeyRing(Published(SIGNER))), trust_network=True)
        self.http.headers["Authorization"] = f"Bearer {SIGNER.token(sub=subject, roles=list(roles))}"

    def settle(self) -> None:
        """Do all background work."""
        self.built.runtime.settle()

    def stock(self, sku: str, units: int, cents: int = 100) -> str:
        self.http.post(
            "/products", json={"sku": sku, "name": sku, "unit_price_cents": cents}
        ).raise_for_status()
        self.http.post(f"/inventory/{sku}/receipts", json={"quantity": units}).raise_for_status()
        return sku

    def place(self, lines: dict[str, int], card: str = "tok_visa") -> str:
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        answer = self.http.post("/orders", json={"items": items, "card": card}).raise_for_status()
        return str(answer.json()["id"])

    def order(self, order: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/orders/{order}").raise_for_status().json()
        return found

    def status(self, order: str) -> str:
        return str(self.order(order)["status"])

    def counters(self, sku: str) -> tuple[int, int, int]:
        """available, reserved, sold"""
        stock = self.http.get(f"/inventory/{sku}").raise_for_status().json()
        return stock["available"], stock["reserved"], stock["sold"]

    def lines(self, order: str) -> list[dict[str, Any]]:
        page = self.http.get("/inventory/reservations", params={"order_id": order}).raise_for_status().json()
        found: list[dict[str, Any]] = page["reservations"]
        return found

    def events(self) -> list[dict[str, Any]]:
        """What was said about orders, and not about products or deliveries."""
        page = self.http.get("/events", params={"limit": 500}).raise_for_status().json()
        return [event for event in page["events"] if event["payload"].get("order_id")]

    def event_types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def expire(self) -> None:
        """Let every chore run once."""
        for service in self.built.runtime.services:
            for chore in service.chores:
                chore.run()

    def close(self) -> None:
        self.http.close()
        self.built.runtime.stop()


def open_shop(bus: EventBus | None = None, **settings: Any) -> Shop:
    """A shop with these settings, to be closed; its neighbours wait for each other as long as it takes."""
    chosen = Settings(**{"seed": 1, "patience": PATIENCE} | settings)
    if not chosen.database_url:
        prepare(chosen.data)
    return Shop(build(chosen, bus))


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[MakeShop]:
    """Builds shops with the settings a test needs; each call without `data` gets its own data."""
    made: list[Shop] = []

    def make(**settings: Any) -> Shop:
        settings.setdefault("data", tmp_path / f"shop-{len(made)}")
        made.append(open_shop(**settings))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    """A Meridian that compensates by itself, with a payment window of a minute."""
    return make_shop()
