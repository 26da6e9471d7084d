"""The order service over HTTP and on the bus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, field_validator
from sqlalchemy.orm import Session

from reference_impl.services.order.catalogue import HttpCatalogue, Price
from reference_impl.services.order.events import (
    InventoryRejectedView,
    InventoryReservedView,
    PaymentCapturedView,
    PaymentDeclinedView,
)
from reference_impl.services.order.models import Base, OrderStatus
from reference_impl.services.order.service import OrderService
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.idempotency import IdempotencyKey, IdempotencyKeys, mark
from reference_impl.shared.inbox import Consumer, Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.problems import responses
from reference_impl.shared.runtime import Chore, Context, Service
from reference_impl.shared.settings import Compensation
from reference_impl.shared.types import MOST_LINES, After, Command, IdentifierPath, Line, PageSize, View

NAME = "order"
EXPIRE_EVERY_SECONDS = 0.25
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)
KEYS = IdempotencyKeys.on(Base.metadata)

Card = Annotated[
    str, Field(pattern=r"^tok_[a-z0-9_]{1,60}$", description="A card token; tok_declined is always declined.")
]


class NewOrder(Command):
    """What a customer wants."""

    items: Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES)]
    customer_id: Annotated[str | None, Field(max_length=64)] = None
    card: Card = "tok_visa"

    @field_validator("items")
    @classmethod
    def _one_line_a_product(cls, items: list[Line]) -> list[Line]:
        if len({line.sku for line in items}) < len(items):
            raise ValueError("a SKU stands in two lines: add their quantities up")
        return items


class AnotherCard(Command):
    """Another card for a declined order."""

    card: Card


class Cancellation(Command):
    """Why an order shall be cancelled."""

    reason: Annotated[str, Field(min_length=1, max_length=100)]


class OrderLineView(View):
    """One line of an order."""

    sku: str
    quantity: int
    unit_price_cents: int


class OrderView(View):
    """An order as others see it."""

    id: str
    status: OrderStatus
    attempt: Annotated[
        int, Field(description="The payment attempt under way or last made; 0 before the first.")
    ]
    reason: Annotated[str | None, Field(description="Why it was declined or cancelled.")]
    pay_by: Annotated[
        datetime | None, Field(description="Until when another card may be tried; null: nobody watches.")
    ]
    customer_id: str | None
    lines: list[OrderLineView]
    total_cents: int
    currency: str
    created_at: datetime
    updated_at: datetime


class OrderPage(View):
    """Some orders, and where to go on."""

    orders: list[OrderView]
    next: int | None


def build(context: Context) -> Service:
    """The order service on its own database."""
    database = Database.of(context.settings, NAME, Base.metadata)
    consumer = Consumer(NAME, _handlers(context, database), bus=context.bus, database=database, inbox=INBOX)
    pending_timeout = timedelta(seconds=context.settings.pending_timeout)

    def expire() -> None:
        with database.write() as session:
            OrderService(session, OUTBOX).expire(pending_timeout=pending_timeout)

    return Service(
        NAME,
        _routes(database, HttpCatalogue(context.peers)),
        database,
        Relay(OUTBOX, database, context.bus),
        consumer,
        chores=(Chore("expiry", EXPIRE_EVERY_SECONDS, expire),),
    )


def _handlers(context: Context, database: Database) -> dict[str, Callable[[Event], None]]:
    builtin = context.settings.compensation is Compensation.BUILTIN
    window = timedelta(seconds=context.settings.payment_window) if builtin else None

    def reserved(session: Session, event: Event) -> None:
        OrderService(session, OUTBOX).stock_reserved(event.read(InventoryReservedView).order_id)

    def rejected(session: Session, event: Event) -> None:
        OrderService(session, OUTBOX).stock_rejected(event.read(InventoryRejectedView).order_id)

    def captured(session: Session, event: Event) -> None:
        payment = event.read(PaymentCapturedView)
        OrderService(session, OUTBOX).paid(payment.order_id, payment.attempt)

    def declined(session: Session, event: Event) -> None:
        payment = event.read(PaymentDeclinedView)
        OrderService(session, OUTBOX).declined(payment.order_id, payment.attempt, payment.code, window=window)

    def lagging(handler: Callable[[Event], None]) -> Callable[[Event], None]:
        def handle(event: Event) -> None:
            context.faults.delay("order.lag", context.stopping)
            handler(event)

        return handle

    return {
        "InventoryReserved": lagging(INBOX.once(database, reserved)),
        "InventoryRejected": lagging(INBOX.once(database, rejected)),
        "PaymentCaptured": lagging(INBOX.once(database, captured)),
        "PaymentDeclined": lagging(INBOX.once(database, declined)),
    }


def _routes(database: Database, catalogue: HttpCatalogue) -> APIRouter:
    routes = APIRouter(prefix="/orders", tags=["orders"])

    def place(body: NewOrder, prices: dict[str, Price], key: str | None) -> tuple[OrderView, bool]:
        with database.write() as session:
            service = OrderService(session, OUTBOX)
            return KEYS.once(
                session,
                scope="POST /orders",
                key=key,
                request=body,
                answer=OrderView,
                act=lambda: OrderView.model_validate(
                    service.place(body.items, prices, customer_id=body.customer_id, card=body.card)
                ),
            )

    @routes.post("", status_code=201, summary="Place an order", responses=responses(413, 422, 503))
    async def place_order(
        body: NewOrder, response: Response, idempotency_key: IdempotencyKey = None
    ) -> OrderView:
        prices = dict(await catalogue.prices([line.sku for line in body.items]))
        view, replayed = await run_in_threadpool(place, body, prices, idempotency_key)
        mark(response, replayed)
        return view

    @routes.get("", summary="List orders", responses=responses(422))
    def list_orders(
        after: After = 0, limit: PageSize = 50, status: Annotated[OrderStatus | None, Query()] = None
    ) -> OrderPage:
        with database.read() as session:
            found = OrderService(session, OUTBOX).page(after=after, limit=limit, status=status)
        more = found[-1].number if len(found) == limit else None
        return OrderPage(orders=[OrderView.model_validate(order) for order in found], next=more)

    @routes.get("/{order_id}", summary="One order", responses=responses(404, 422))
    def get_order(order_id: IdentifierPath) -> OrderView:
        with database.read() as session:
            return OrderView.model_validate(OrderService(session, OUTBOX).get(order_id))

    @routes.post(
        "/{order_id}/payment",
        status_code=202,
        summary="Try another card after a decline",
        responses=responses(404, 409, 413, 422),
    )
    def retry_payment(
        order_id: IdentifierPath, body: AnotherCard, response: Response, idempotency_key: IdempotencyKey = None
    ) -> OrderView:
        with database.write() as session:
            service = OrderService(session, OUTBOX)
            view, replayed = KEYS.once(
                session,
                scope=f"payment {order_id}",
                key=idempotency_key,
                request=body,
                answer=OrderView,
                act=lambda: OrderView.model_validate(service.retry_payment(order_id, body.card)),
            )
        mark(response, replayed)
        return view

    @routes.post(
        "/{order_id}/cancellation",
        summary="Cancel an order that is not paid",
        description="Idempotent: an order that is cancelled already is returned as it is. 409 when it is paid, or when a "
        "payment attempt is under way.",
        responses=responses(404, 409, 413, 422),
    )
    def cancel_order(order_id: IdentifierPath, body: Cancellation) -> OrderView:
        with database.write() as session:
            return OrderView.model_validate(OrderService(session, OUTBOX).cancel(order_id, body.reason))

    return routes
