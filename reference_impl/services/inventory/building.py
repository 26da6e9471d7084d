"""How the inventory service is put together: what it does with events, and by the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reference_impl.services.inventory.api import INBOX, NAME, OUTBOX, router
from reference_impl.services.inventory.events import (
    OrderCancelledView,
    OrderConfirmedView,
    OrderCreatedView,
    ReleaseInventoryView,
    ReserveInventoryView,
)
from reference_impl.services.inventory.metrics import LOW_STOCK, OUT_OF_STOCK
from reference_impl.services.inventory.models import Base, Stock
from reference_impl.services.inventory.reservations import Reservations
from reference_impl.services.inventory.settings import InventorySettings
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, now
from reference_impl.shared.outbox import Relay
from reference_impl.shared.runtime import Chore, Context, Service
from reference_impl.shared.settings import Compensation, Saga

MOST_EXPIRED_AT_ONCE = 200
CLOCK_SECONDS = 1.0
COUNT_SECONDS = 15.0


def build(context: Context) -> Service:
    """The inventory service on its own database."""
    settings = InventorySettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    routes: APIRouter = router(context, database)
    handlers = _handlers(context, settings, database)
    consumer = Consumer(NAME, handlers, bus=context.bus, database=database, inbox=INBOX)
    chores = (
        Chore("expiry", CLOCK_SECONDS, lambda: expire_due(database)),
        Chore("low stock", COUNT_SECONDS, lambda: count_low_stock(database, settings.low_stock_units)),
    )
    return Service(NAME, routes, database, Relay(OUTBOX, database, context.bus), consumer, chores)


def expire_due(database: Database) -> int:
    """Give back what nobody confirmed in time, each in a transaction of its own; how many that were."""
    with database.read() as session:
        due = Reservations(session, OUTBOX).due(MOST_EXPIRED_AT_ONCE)
    expired = 0
    for order_id in due:
        with database.write() as session:
            expired += Reservations(session, OUTBOX).expire(order_id)
    return expired


def count_low_stock(database: Database, units: int) -> None:
    """Set the gauges of what runs low."""
    with database.read() as session:
        for gauge, most in ((LOW_STOCK, units), (OUT_OF_STOCK, 0)):
            few = select(func.count()).select_from(Stock).where(Stock.available <= most)
            gauge.set(session.scalar(few) or 0)


def _handlers(
    context: Context, settings: InventorySettings, database: Database
) -> dict[str, Callable[[Event], None]]:
    """What each event does. Which ones count depends on who leads the saga: its leader's commands, or the facts themselves."""
    external = context.settings.compensation is Compensation.EXTERNAL

    def reservations(session: Session) -> Reservations:
        return Reservations(
            session,
            OUTBOX,
            while_locked=lambda: context.faults.delay("inventory.hot-row", context.stopping),
        )

    def expires_at() -> datetime | None:
        if external or not settings.reservation_seconds:
            return None
        return now() + timedelta(seconds=context.settings.payment_window + settings.reservation_seconds)

    def reserve(session: Session, event: Event) -> None:
        wanted = event.read(ReserveInventoryView)
        reservations(session).reserve(wanted.order_id, wanted.lines, expires_at())

    def created(session: Session, event: Event) -> None:
        order = event.read(OrderCreatedView)
        reservations(session).reserve(order.order_id, order.lines, expires_at())

    def sell(session: Session, event: Event) -> None:
        reservations(session).sell(event.read(OrderConfirmedView).order_id)

    def cancelled(session: Session, event: Event) -> None:
        order = event.read(OrderCancelledView)
        reservations(session).release(order.order_id, keep_held=external and order.after_decline)

    def release(session: Session, event: Event) -> None:
        reservations(session).release(event.read(ReleaseInventoryView).order_id)

    effects = {"OrderConfirmed": sell}
    if context.settings.saga is Saga.ORCHESTRATED:
        effects |= {"ReserveInventory": reserve, "ReleaseInventory": release}
    else:
        effects |= {"OrderCreated": created, "OrderCancelled": cancelled}
    return {name: INBOX.once(database, effect) for name, effect in effects.items()}
