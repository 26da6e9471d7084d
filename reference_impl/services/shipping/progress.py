"""The clock's part: a shipment is packed, handed to a carrier, travels and arrives, each when its time has come.

A carrier is asked outside any transaction. A crash before its answer is noted asks again under the same key, and two
processes that ask at once get one parcel: only the one that finds the shipment as it was read moves it on.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from reference_impl.services.shipping import metrics
from reference_impl.services.shipping.carriers import DISTANCE, CarrierAway, Carriers, Quote, Zone, quotes
from reference_impl.services.shipping.models import Shipment, ShipmentState
from reference_impl.services.shipping.service import ShippingService
from reference_impl.services.shipping.settings import ShippingSettings
from reference_impl.shared import logs
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.outbox import Outbox

BATCH = 100
MOST_DOUBLINGS = 16
_log = logs.logger("meridian.shipping")


@dataclass(frozen=True)
class Booking:
    """What a carrier said; without a tracking number: nothing."""

    quote: Quote
    tracking_number: str | None
    error: str = ""


class Progress:
    """Moves shipments on."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        carriers: Carriers,
        settings: ShippingSettings,
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._carriers = carriers
        self._settings = settings
        self._stopping = stopping

    def run(self) -> int:
        """Move all on whose time has come; how many that were."""
        moved = batch = self._run_batch()
        while batch == BATCH and not self._stopping.is_set():
            batch = self._run_batch()
            moved += batch
        return moved

    def _run_batch(self) -> int:
        with self._database.read() as session:
            due = session.scalars(
                select(Shipment).where(Shipment.due_at <= now()).order_by(Shipment.due_at).limit(BATCH)
            ).all()
        seen = {shipment.number: shipment.state for shipment in due}
        bookings = {item.number: self._book(item) for item in due if item.state is ShipmentState.CREATED}
        if not seen:
            return 0
        with self._database.write() as session:
            query = select(Shipment).where(Shipment.number.in_(seen)).with_for_update(skip_locked=True)
            found = session.scalars(query.order_by(Shipment.number)).all()
            for shipment in found:
                if shipment.state is seen[shipment.number]:
                    self._move(session, shipment, bookings)
        return len(found)

    def _book(self, shipment: Shipment) -> Booking:
        """Ask the cheapest carrier; when it was away too often, the next one; after the last one the first again."""
        assert shipment.zone is not None
        assert shipment.weight_grams is not None
        offers = quotes(Zone(shipment.zone), shipment.weight_grams)
        quote = offers[shipment.attempts // self._settings.tries_each_carrier % len(offers)]
        try:
            number = self._carriers.book(quote.carrier, number=shipment.number, attempt=shipment.attempts)
        except CarrierAway as away:
            metrics.BOOKINGS.labels(quote.carrier, "away").inc()
            return Booking(quote, None, str(away))
        metrics.BOOKINGS.labels(quote.carrier, "booked").inc()
        return Booking(quote, number)

    def _move(self, session: Session, shipment: Shipment, bookings: Mapping[int, Booking]) -> None:
        service = ShippingService(session, self._outbox)
        settings = self._settings
        if shipment.state is ShipmentState.CREATED:
            self._dispatch(service, shipment, bookings[shipment.number])
        elif shipment.state is ShipmentState.DISPATCHED:
            distance = DISTANCE[Zone(shipment.zone or Zone.COUNTRY)]
            after = timedelta(seconds=settings.transit_seconds * distance)
            service.move(shipment, ShipmentState.IN_TRANSIT, after=after)
        elif shipment.state is ShipmentState.IN_TRANSIT:
            service.move(shipment, ShipmentState.DELIVERED)
            age = (now() - shipment.created_at).total_seconds()
            metrics.DELIVERY_SECONDS.labels(shipment.zone or "").observe(age)

    def _dispatch(self, service: ShippingService, shipment: Shipment, booking: Booking) -> None:
        shipment.carrier = booking.quote.carrier
        shipment.rate_cents = booking.quote.rate_cents
        if booking.tracking_number is not None:
            shipment.tracking_number = booking.tracking_number
            after = timedelta(seconds=self._settings.handover_seconds)
            service.move(shipment, ShipmentState.DISPATCHED, after=after)
            return
        pause = min(
            self._settings.longest_retry_seconds,
            self._settings.retry_seconds * 2 ** min(shipment.attempts, MOST_DOUBLINGS),
        )
        shipment.attempts += 1
        shipment.last_error = booking.error
        shipment.due_at = now() + timedelta(seconds=pause)
        _log.warning("carrier away", shipment_id=shipment.id, carrier=shipment.carrier, pause_seconds=pause)
