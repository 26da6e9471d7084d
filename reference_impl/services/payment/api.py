"""The payment service over HTTP, and how it is put together."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from reference_impl.services.payment import ledger, signatures
from reference_impl.services.payment.gateway import SimulatedGateway
from reference_impl.services.payment.gateway.webhooks import WebhookSender
from reference_impl.services.payment.handlers import Handlers
from reference_impl.services.payment.models import Account, Base, PaymentStatus
from reference_impl.services.payment.service import Conduct, PaymentService, page
from reference_impl.services.payment.settings import PaymentSettings
from reference_impl.services.payment.webhooks import Webhooks
from reference_impl.shared.auth import Role, needs
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.problems import responses
from reference_impl.shared.runtime import Chore, Context, Service
from reference_impl.shared.settings import Saga
from reference_impl.shared.types import NOT_NUL, After, PageSize, View

NAME = "payment"
RECONCILE_EVERY_SECONDS = 0.25
DELIVER_EVERY_SECONDS = 0.1
LANES = 3
"""Orders whose payments are looked after at once: the gateway is slow, and one that hangs shall not stop the others."""
IDLE_SECONDS = 0.5
"""Between two looks while there is nothing to reconcile or to deliver."""
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)
OPERATORS = [Depends(needs(Role.ADMIN))]


class PaymentView(View):
    """One payment attempt as others see it."""

    order_id: str
    attempt: int
    amount_cents: int
    currency: str
    status: PaymentStatus
    decline_code: str | None
    decline_final: Annotated[bool, Field(description="Whether the card will be declined whenever it is tried.")]
    created_at: datetime
    updated_at: datetime


class PaymentPage(View):
    """Some payment attempts, and where to go on."""

    payments: list[PaymentView]
    next: int | None


class BalanceView(View):
    """What stands on one account in one currency."""

    account: Account
    currency: str
    cents: Annotated[int, Field(description="Debits are positive, credits negative.")]


class LedgerView(View):
    """The ledger's accounts, and whether it adds up."""

    balanced: Annotated[bool, Field(description="Whether every entry, and so the whole, adds up to zero.")]
    accounts: list[BalanceView]
    unbalanced_entries: Annotated[list[str], Field(description="Entries that don't add up, at most 100.")]


class Taken(View):
    """What became of a webhook."""

    fresh: Annotated[bool, Field(description="Whether it was new; false for one that was taken before.")]


def build(context: Context) -> Service:
    """The payment service on its own database."""
    settings = PaymentSettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    gateway = SimulatedGateway(database, context.faults, context.stopping, settings.webhooks)
    variant = context.settings.saga
    conduct = Conduct(capture_at_once=variant is Saga.CHOREOGRAPHED, ask_again=settings.ask_again)
    service = PaymentService(database, OUTBOX, gateway, conduct)
    handlers = Handlers(service, database, INBOX).of(variant)
    sender = WebhookSender(database, context.peers, settings.webhook_secret)
    return Service(
        NAME,
        _routes(database, Webhooks(settings, database, INBOX, gateway, service)),
        database,
        Relay(OUTBOX, database, context.bus),
        Consumer(NAME, handlers, bus=context.bus, database=database, inbox=INBOX, lanes=LANES),
        chores=(
            Chore("reconciliation", RECONCILE_EVERY_SECONDS, service.overdue, IDLE_SECONDS),
            Chore("gateway webhooks", DELIVER_EVERY_SECONDS, sender.run, IDLE_SECONDS),
        ),
    )


def _routes(database: Database, webhooks: Webhooks) -> APIRouter:
    routes = APIRouter(prefix="/payments", tags=["payments"])

    @routes.get("", summary="List payment attempts", dependencies=OPERATORS, responses=responses(401, 403, 422))
    def list_payments(
        order_id: Annotated[
            str | None, Query(max_length=32, pattern=NOT_NUL, description="Only this order's attempts.")
        ] = None,
        after: After = 0,
        limit: PageSize = 50,
    ) -> PaymentPage:
        with database.read() as session:
            found = page(session, after=after, limit=limit, order_id=order_id)
        more = found[-1].number if len(found) == limit else None
        return PaymentPage(payments=[PaymentView.model_validate(payment) for payment in found], next=more)

    @routes.get(
        "/ledger/balance",
        summary="What stands on the ledger's accounts",
        dependencies=OPERATORS,
        responses=responses(401, 403),
    )
    def get_balance() -> LedgerView:
        with database.read() as session:
            accounts = [BalanceView.model_validate(balance) for balance in ledger.balances(session)]
            broken = ledger.unbalanced_entries(session)
        balanced = not broken and sum(balance.cents for balance in accounts) == 0
        return LedgerView(balanced=balanced, accounts=accounts, unbalanced_entries=broken)

    @routes.post(
        "/webhooks/gateway",
        summary="The gateway tells what became of a charge",
        description="For the gateway alone: the body has to be signed with the secret that both know.",
        responses=responses(401, 413, 422),
    )
    async def take_webhook(
        request: Request,
        gateway_signature: Annotated[
            str, Header(alias=signatures.HEADER, max_length=200, description="`t=<seconds>,v1=<hex>`")
        ],
    ) -> Taken:
        body = await request.body()
        return Taken(fresh=await run_in_threadpool(webhooks.take, body, gateway_signature))

    return routes
