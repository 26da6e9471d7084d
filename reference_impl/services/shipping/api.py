"""The shipping service over HTTP and on the bus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from reference_impl.services.shipping.carriers import DISTANCE, SimulatedCarriers, Zone
from reference_impl.services.shipping.events import (
    CancelShipmentView,
    CreateShipmentView,
    OrderCancelledView,
    OrderConfirmedView,
)
from reference_impl.services.shipping.models import Base, Shipment, ShipmentState
from reference_impl.services.shipping.progress import Progress
from reference_impl.services.shipping.service import ShippingService
from reference_impl.services.shipping.settings import ShippingSettings
from reference_impl.services.shipping.views import ShipmentPage, ShipmentView, TrackingEntryView, TrackingView
from reference_impl.shared.auth import Caller
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.problems import responses
from reference_impl.shared.runtime import Chore, Context, Service
from reference_impl.shared.settings import Saga
from reference_impl.shared.types import NOT_NUL, After, IdentifierPath, PageSize

NAME = "shipping"
PROGRESS_EVERY_SECONDS = 0.5
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)


def build(context: Context) -> Service:
    """The shipping service on its own database."""
    settings = ShippingSettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    handlers = _handlers(context, database, timedelta(seconds=settings.pack_seconds))
    progress = Progress(database, OUTBOX, SimulatedCarriers(context.faults), settings, context.stopping)
    return Service(
        NAME,
        _routes(database, settings),
        database,
        Relay(OUTBOX, database, context.bus),
        Consumer(NAME, handlers, bus=context.bus, database=database, inbox=INBOX),
        chores=(Chore("progress", PROGRESS_EVERY_SECONDS, progress.run),),
    )


def _handlers(context: Context, database: Database, pack: timedelta) -> dict[str, Callable[[Event], None]]:
    """Commands are always answered, also the second time; facts are only acted on.

    Who begins a shipment is the one difference between the two sagas. Both ask before they cancel a confirmed order.
    """

    def create(session: Session, event: Event) -> None:
        order = event.read(CreateShipmentView)
        service = ShippingService(session, OUTBOX)
        if not service.create(order.order_id, order.customer_id, order.lines, pack):
            service.answer(order.order_id)

    def confirmed(session: Session, event: Event) -> None:
        order = event.read(OrderConfirmedView)
        ShippingService(session, OUTBOX).create(order.order_id, order.customer_id, order.lines, pack)

    def stop(session: Session, event: Event) -> None:
        order_id = event.read(CancelShipmentView).order_id
        service = ShippingService(session, OUTBOX)
        if not service.cancel(order_id):
            service.answer(order_id)

    def cancelled(session: Session, event: Event) -> None:
        ShippingService(session, OUTBOX).cancel(event.read(OrderCancelledView).order_id)

    handlers = {
        "CreateShipment": INBOX.once(database, create),
        "CancelShipment": INBOX.once(database, stop),
        "OrderCancelled": INBOX.once(database, cancelled),
    }
    if context.settings.saga is Saga.CHOREOGRAPHED and context.settings.shipping:
        handlers["OrderConfirmed"] = INBOX.once(database, confirmed)
    return handlers


def _routes(database: Database, settings: ShippingSettings) -> APIRouter:
    routes = APIRouter(prefix="/shipments", tags=["shipments"])

    @routes.get("", summary="List shipments", responses=responses(401, 422))
    def list_shipments(
        who: Caller,
        order_id: Annotated[
            str | None, Query(max_length=32, pattern=NOT_NUL, description="Only this order's.")
        ] = None,
        state: Annotated[ShipmentState | None, Query(description="Only those in this state.")] = None,
        after: After = 0,
        limit: PageSize = 50,
    ) -> ShipmentPage:
        """A customer's own; all for who is inside."""
        with database.read() as session:
            found = ShippingService(session, OUTBOX).page(
                who, after=after, limit=limit, order_id=order_id, state=state
            )
        more = found[-1].number if len(found) == limit else None
        return ShipmentPage(shipments=[ShipmentView.model_validate(item) for item in found], next=more)

    @routes.get("/{shipment_id}", summary="One shipment", responses=responses(401, 404, 422))
    def get_shipment(shipment_id: IdentifierPath, who: Caller) -> ShipmentView:
        with database.read() as session:
            return ShipmentView.model_validate(ShippingService(session, OUTBOX).get(who, shipment_id))

    @routes.get("/{shipment_id}/tracking", summary="A parcel's way so far", responses=responses(401, 404, 422))
    def track_shipment(shipment_id: IdentifierPath, who: Caller) -> TrackingView:
        with database.read() as session:
            shipment = ShippingService(session, OUTBOX).get(who, shipment_id)
        return TrackingView(
            shipment_id=shipment.id,
            order_id=shipment.order_id,
            state=shipment.state,
            carrier=shipment.carrier if shipment.tracking_number else None,
            tracking_number=shipment.tracking_number,
            expected_at=_expected_at(shipment, settings),
            history=[TrackingEntryView.model_validate(entry) for entry in shipment.history],
        )

    return routes


def _expected_at(shipment: Shipment, settings: ShippingSettings) -> datetime | None:
    if shipment.due_at is None or shipment.zone is None or shipment.tracking_number is None:
        return None
    if shipment.state is ShipmentState.IN_TRANSIT:
        return shipment.due_at
    return shipment.due_at + timedelta(seconds=settings.transit_seconds * DISTANCE[Zone(shipment.zone)])
