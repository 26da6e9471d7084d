"""The inventory service over HTTP."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field, model_validator

from reference_impl.services.inventory.models import Base, ReservationLine, ReservationState
from reference_impl.services.inventory.service import InventoryService
from reference_impl.shared.auth import needs
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id
from reference_impl.shared.idempotency import IdempotencyKey, IdempotencyKeys, mark
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem, responses
from reference_impl.shared.runtime import Context
from reference_impl.shared.types import (
    MOST_UNITS,
    NOT_NUL,
    SKU_PATTERN,
    After,
    Command,
    Identifier,
    Line,
    PageSize,
    SkuPath,
    View,
    each_sku_once,
)

NAME = "inventory"
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)
KEYS = IdempotencyKeys.on(Base.metadata)


class Receipt(Command):
    """Units that arrive from a supplier, or go back to one when negative."""

    quantity: Annotated[int, Field(strict=True, ge=-MOST_UNITS, le=MOST_UNITS)]


class Delivery(Command):
    """Units of many SKUs that arrive together."""

    lines: Annotated[
        list[Line],
        Field(min_length=1, max_length=500),
        each_sku_once("a SKU stands in two lines: add their quantities up"),
    ]


class Delivered(View):
    """What a delivery came to."""

    skus: int
    units: int


class Adjustment(Command):
    """A correction by hand: units move between the counters, or appear and vanish when the deltas don't add up to zero."""

    delta_available: Annotated[int, Field(strict=True, ge=-MOST_UNITS, le=MOST_UNITS)]
    delta_reserved: Annotated[int, Field(strict=True, ge=-MOST_UNITS, le=MOST_UNITS)] = 0
    reason: Annotated[str, Field(min_length=1, max_length=100, pattern=NOT_NUL)]
    order_id: Identifier | None = None

    @model_validator(mode="after")
    def _reserved_belongs_to_an_order(self) -> Adjustment:
        if self.delta_reserved and self.order_id is None:
            raise ValueError("reserved units belong to an order: name it in order_id")
        return self


class StockView(View):
    """The counters of one SKU: available + reserved + sold = stocked."""

    sku: str
    stocked: int
    available: int
    reserved: int
    sold: int
    version: int


class StockPage(View):
    """Some counters, and where to go on."""

    stock: list[StockView]
    next: int | None


class ReservationLineView(View):
    """What one order claimed of one SKU: quantity = outstanding + released + sold."""

    order_id: str
    sku: str
    quantity: int
    outstanding: Annotated[
        int, Field(description="Still reserved; negative when more was released than was held.")
    ]
    released: int
    sold: int
    state: ReservationState

    @classmethod
    def of(cls, line: ReservationLine) -> ReservationLineView:
        """The line as others see it."""
        return cls(
            order_id=line.order_id,
            sku=line.sku,
            quantity=line.quantity,
            outstanding=line.outstanding,
            released=line.released,
            sold=line.sold,
            state=line.reservation.state,
        )


class ReservationPage(View):
    """Some reservation lines, and where to go on."""

    reservations: list[ReservationLineView]
    next: int | None


class MovementView(View):
    """One change of one SKU's counters."""

    id: int
    sku: str
    delta_stocked: int
    delta_available: int
    delta_reserved: int
    delta_sold: int
    reason: str
    order_id: str | None
    occurred_at: datetime


class MovementPage(View):
    """Some changes, and where to go on."""

    movements: list[MovementView]
    next: int | None


def router(context: Context, database: Database) -> APIRouter:
    """The routes of the service."""
    faults = context.faults

    async def latency() -> None:
        started = time.monotonic()
        while time.monotonic() - started < faults.value("inventory.latency"):
            await asyncio.sleep(0.01)

    routes = APIRouter(prefix="/inventory", tags=["inventory"], dependencies=[Depends(latency)])

    @routes.get("", summary="List the counters", responses=responses(422))
    def list_stock(after: After = 0, limit: PageSize = 50) -> StockPage:
        with database.read() as session:
            found = InventoryService(session, OUTBOX).stock_page(after=after, limit=limit)
        more = found[-1].id if len(found) == limit else None
        return StockPage(stock=[StockView.model_validate(stock) for stock in found], next=more)

    @routes.get(
        "/reservations",
        summary="List what orders have reserved",
        dependencies=[Depends(needs("admin"))],
        responses=responses(401, 403, 422),
    )
    def list_reservations(
        order_id: Annotated[
            str | None, Query(max_length=32, pattern=NOT_NUL, description="Only this order's lines.")
        ] = None,
        sku: Annotated[str | None, Query(pattern=SKU_PATTERN, description="Only this SKU's lines.")] = None,
        after: After = 0,
        limit: PageSize = 50,
    ) -> ReservationPage:
        with database.read() as session:
            found = InventoryService(session, OUTBOX).line_page(
                after=after, limit=limit, order_id=order_id, sku=sku
            )
        more = found[-1].id if len(found) == limit else None
        return ReservationPage(reservations=[ReservationLineView.of(line) for line in found], next=more)

    @routes.get(
        "/movements",
        summary="Every change of all counters",
        dependencies=[Depends(needs("admin"))],
        responses=responses(401, 403, 422),
    )
    def list_all_movements(after: After = 0, limit: PageSize = 50) -> MovementPage:
        with database.read() as session:
            found = InventoryService(session, OUTBOX).movement_page(None, after=after, limit=limit)
        more = found[-1].id if len(found) == limit else None
        return MovementPage(movements=[MovementView.model_validate(item) for item in found], next=more)

    @routes.post(
        "/receipts",
        summary="Units of many SKUs arrive",
        description="Not idempotent by itself: send an Idempotency-Key with a delivery that may be retried.",
        dependencies=[Depends(needs("admin"))],
        responses=responses(401, 403, 409, 413, 422),
    )
    def receive_many(body: Delivery, response: Response, idempotency_key: IdempotencyKey = None) -> Delivered:
        units = {line.sku: line.quantity for line in body.lines}

        def act() -> Delivered:
            InventoryService(session, OUTBOX).receive_many(units)
            return Delivered(skus=len(units), units=sum(units.values()))

        with database.write() as session:
            view, replayed = KEYS.once(
                session, scope="deliveries", key=idempotency_key, request=body, answer=Delivered, act=act
            )
        mark(response, replayed)
        return view

    @routes.get("/{sku}", summary="The counters of one SKU", responses=responses(404, 422))
    def get_stock(sku: SkuPath) -> StockView:
        with database.read() as session:
            return StockView.model_validate(InventoryService(session, OUTBOX).stock(sku))

    @routes.get(
        "/{sku}/movements",
        summary="Every change of one SKU's counters",
        dependencies=[Depends(needs("admin"))],
        responses=responses(401, 403, 422),
    )
    def list_movements(sku: SkuPath, after: After = 0, limit: PageSize = 50) -> MovementPage:
        with database.read() as session:
            found = InventoryService(session, OUTBOX).movement_page(sku, after=after, limit=limit)
        more = found[-1].id if len(found) == limit else None
        return MovementPage(movements=[MovementView.model_validate(item) for item in found], next=more)

    @routes.post(
        "/{sku}/receipts",
        summary="Units arrive",
        dependencies=[Depends(needs("admin"))],
        responses=responses(401, 403, 404, 409, 413, 422),
    )
    def receive(
        sku: SkuPath, body: Receipt, response: Response, idempotency_key: IdempotencyKey = None
    ) -> StockView:
        with database.write() as session:
            view, replayed = KEYS.once(
                session,
                scope=f"receipts {sku}",
                key=idempotency_key,
                request=body,
                answer=StockView,
                act=lambda: StockView.model_validate(
                    InventoryService(session, OUTBOX).receive(sku, body.quantity)
                ),
            )
        mark(response, replayed)
        return view

    @routes.post(
        "/{sku}/adjustments",
        summary="Correct the counters by hand",
        description="Not idempotent by itself: the same body sent twice is two corrections. Send an Idempotency-Key "
        "with a correction that may be retried.",
        dependencies=[Depends(needs("admin"))],
        responses=responses(401, 403, 404, 409, 413, 422, 503, 504),
    )
    def adjust(
        sku: SkuPath, body: Adjustment, response: Response, idempotency_key: IdempotencyKey = None
    ) -> StockView:
        token = new_id()
        if faults.hits("inventory.unavailable", token):
            raise Problem(
                503, "unavailable", "Inventory is not available", "Nothing was changed; try again later."
            )
        with database.write() as session:
            service = InventoryService(session, OUTBOX)
            view, replayed = KEYS.once(
                session,
                scope=f"adjustments {sku}",
                key=idempotency_key,
                request=body,
                answer=StockView,
                act=lambda: StockView.model_validate(
                    service.adjust(
                        sku,
                        available=body.delta_available,
                        reserved=body.delta_reserved,
                        reason=body.reason,
                        order_id=body.order_id,
                    )
                ),
            )
        if faults.hits("inventory.lost-answers", token):
            raise Problem(
                504, "answer-lost", "The answer was lost", "Whether the adjustment was made is not known."
            )
        mark(response, replayed)
        return view

    return routes
