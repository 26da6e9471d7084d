"""What the shipping service does to its tables when somebody asks for a shipment, or for none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.shipping import metrics
from reference_impl.services.shipping.carriers import quotes, weight_grams, zone_of
from reference_impl.services.shipping.events import (
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from reference_impl.services.shipping.models import Shipment, ShipmentState, TrackingEntry
from reference_impl.shared import logs
from reference_impl.shared.auth import Principal
from reference_impl.shared.database import when_committed
from reference_impl.shared.events import now
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem
from reference_impl.shared.types import Line

_log = logs.logger("meridian.shipping")


class ShippingService:
    """Shipments, within one session of the caller's.

    Two that begin the same order's shipment at once run into the unique key: one of them fails with IntegrityError, and
    finds the other's row when its event is handled again.
    """

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox

    def create(self, order_id: str, customer_id: str | None, lines: Sequence[Line], pack: timedelta) -> bool:
        """Begin to send these units; False when the order has its shipment, or shall have none, already."""
        if self._of_order(order_id) is not None:
            return False
        weight, zone = weight_grams(lines), zone_of(customer_id)
        cheapest = quotes(zone, weight)[0]
        shipment = Shipment(
            order_id=order_id,
            customer_id=customer_id,
            lines=[line.model_dump() for line in lines],
            zone=zone.value,
            weight_grams=weight,
            carrier=cheapest.carrier,
            rate_cents=cheapest.rate_cents,
        )
        self._session.add(shipment)
        self.move(shipment, ShipmentState.CREATED, after=pack)
        return True

    def cancel(self, order_id: str) -> bool:
        """Send nothing for this order, now or later; whether that was news, and was told. False, too, when it is too late."""
        shipment = self._of_order(order_id)
        if shipment is None:
            self._session.add(Shipment(order_id=order_id, state=ShipmentState.CANCELLED))
            self._session.flush()
        elif shipment.state is ShipmentState.CREATED:
            self.move(shipment, ShipmentState.CANCELLED)
            return True
        elif shipment.state is not ShipmentState.CANCELLED:
            when_committed(self._session, metrics.TOO_LATE.inc)
            _log.warning("too late to cancel", shipment_id=shipment.id, state=shipment.state)
        return False

    def answer(self, order_id: str) -> None:
        """Tell how it stands, to whoever gave a command that changed nothing."""
        shipment = self._of_order(order_id)
        assert shipment is not None, "a command was carried out before it is answered"
        self._tell(shipment)

    def move(self, shipment: Shipment, state: ShipmentState, after: timedelta | None = None) -> None:
        """Bring a shipment into its next state, from where the clock moves it on, and tell of it."""
        shipment.state = state
        shipment.due_at = None if after is None else now() + after
        shipment.attempts = 0
        shipment.last_error = None
        self._session.flush()
        entry = TrackingEntry(shipment_number=shipment.number, state=state, happened_at=now())
        self._session.add(entry)
        when_committed(self._session, metrics.SHIPMENTS.labels(state.value).inc)
        if state is not ShipmentState.IN_TRANSIT:
            self._tell(shipment)

    def get(self, who: Principal, shipment_id: str) -> Shipment:
        """One shipment with its history. Raises Problem 404, also for somebody else's: one can't try out ids."""
        query = select(Shipment).where(Shipment.id == shipment_id).options(selectinload(Shipment.history))
        shipment = self._session.scalar(query)
        if shipment is None or not who.owns(shipment.customer_id):
            detail = f"No shipment of yours has the id {shipment_id}."
            raise Problem(404, "unknown-shipment", "There is no such shipment", detail)
        return shipment

    def page(
        self,
        who: Principal,
        *,
        after: int,
        limit: int,
        order_id: str | None,
        state: ShipmentState | None,
    ) -> list[Shipment]:
        """The caller's shipments after a cursor, of one order or in one state if asked."""
        query = select(Shipment).where(Shipment.number > after).order_by(Shipment.number).limit(limit)
        if not who.everything:
            query = query.where(Shipment.customer_id == who.subject)
        if order_id is not None:
            query = query.where(Shipment.order_id == order_id)
        if state is not None:
            query = query.where(Shipment.state == state)
        return list(self._session.scalars(query))

    def _of_order(self, order_id: str) -> Shipment | None:
        return self._session.scalar(select(Shipment).where(Shipment.order_id == order_id).with_for_update())

    def _tell(self, shipment: Shipment) -> None:
        whose = {
            "order_id": shipment.order_id,
            "shipment_id": shipment.id,
            "customer_id": shipment.customer_id,
        }
        label = {"carrier": shipment.carrier, "tracking_number": shipment.tracking_number}
        payload: ShipmentCreated | ShipmentCancelled | ShipmentDelivered | ShipmentDispatched
        if shipment.state is ShipmentState.CREATED:
            payload = ShipmentCreated.model_validate(whose)
        elif shipment.state is ShipmentState.CANCELLED:
            payload = ShipmentCancelled.model_validate(whose)
        elif shipment.state is ShipmentState.DELIVERED:
            payload = ShipmentDelivered.model_validate(whose | label)
        else:
            payload = ShipmentDispatched.model_validate(whose | label)
        self._outbox.add(self._session, payload, key=shipment.order_id)
