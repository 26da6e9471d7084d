"""The payment service over HTTP and on the bus."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from reference_impl.services.payment.gateway import SimulatedGateway
from reference_impl.services.payment.models import Base, PaymentStatus
from reference_impl.services.payment.service import PaymentService, page
from reference_impl.shared.database import Database
from reference_impl.shared.inbox import Consumer, Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.problems import responses
from reference_impl.shared.runtime import Context, Service
from reference_impl.shared.types import After, PageSize, View

NAME = "payment"
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)


class PaymentView(View):
    """One payment attempt as others see it."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    status: PaymentStatus
    decline_code: str | None
    created_at: datetime
    updated_at: datetime


class PaymentPage(View):
    """Some payment attempts, and where to go on."""

    payments: list[PaymentView]
    next: int | None


def build(context: Context) -> Service:
    """The payment service on its own database."""
    database = Database.of(context.settings, NAME, Base.metadata)
    gateway = SimulatedGateway(context.faults, context.stopping)
    service = PaymentService(database, OUTBOX, INBOX, gateway)
    consumer = Consumer(
        NAME, {"PaymentRequested": service.charge}, bus=context.bus, database=database, inbox=INBOX
    )
    routes = APIRouter(prefix="/payments", tags=["payments"])

    @routes.get("", summary="List payment attempts", responses=responses(422))
    def list_payments(
        order_id: Annotated[str | None, Query(max_length=32, description="Only this order's attempts.")] = None,
        after: After = 0,
        limit: PageSize = 50,
    ) -> PaymentPage:
        with database.read() as session:
            found = page(session, after=after, limit=limit, order_id=order_id)
        more = found[-1].number if len(found) == limit else None
        return PaymentPage(payments=[PaymentView.model_validate(payment) for payment in found], next=more)

    return Service(NAME, routes, database, Relay(OUTBOX, database, context.bus), consumer)
