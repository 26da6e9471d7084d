"""What people do with the stock: receive it, correct it, look at it. What orders do is in `reservations`."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.inventory.counters import Change, Counters
from reference_impl.services.inventory.events import InventoryAdjusted
from reference_impl.services.inventory.metrics import RETRIES
from reference_impl.services.inventory.models import Movement, Reservation, ReservationLine, Stock
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem

ATTEMPTS = 10


class InventoryService:
    """Stock, within one session of the caller's."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox
        self._counters = Counters(session)

    def receive(self, sku: str, quantity: int) -> Stock:
        """Units arrive, or go back to the supplier when negative. Raises Problem 409 when fewer are available than go back."""
        if quantity > 0 and self._counters.find(sku) is None:
            self._counters.begin(sku)
        if self._counters.change([Change(sku, stocked=quantity, available=quantity)], "received"):
            raise self._counters.too_few(sku, "Fewer units are available than shall go back.")
        return self._told(sku, "received", available=quantity)

    def receive_many(self, units: Mapping[str, int]) -> None:
        """Units of many SKUs arrive, with a few statements for all of them. `units` are greater than zero."""
        found = self._counters.receive(units, "received")
        self._outbox.add_all(
            self._session,
            {
                sku: InventoryAdjusted(
                    sku=sku,
                    reason="received",
                    order_id=None,
                    delta_available=units[sku],
                    delta_reserved=0,
                    available=available,
                    stock_version=version,
                )
                for sku, (available, version) in found.items()
            },
        )

    def adjust(self, sku: str, *, available: int, reserved: int, reason: str, order_id: str | None) -> Stock:
        """Correct the counters by hand. Each call takes effect: a correction has no way to know that it was made before.

        Raises Problem 404 for an unknown SKU or reservation, 409 when a counter would go below zero, or when others changed
        the counters each time between our look and our write.
        """
        self._counters.get(sku)
        if order_id is not None:
            self._lock_reservation(order_id, sku)
        for _ in range(ATTEMPTS):
            read = self._counters.get(sku)
            wanted = {"available": read.available + available, "reserved": read.reserved + reserved}
            if min(wanted.values()) < 0:
                raise self._counters.too_few(sku, "The adjustment would take a counter below zero.")
            if self._counters.replace(read, reason, order_id=order_id, **wanted):
                break
            RETRIES.inc()
        else:
            detail = f"{sku} changed {ATTEMPTS} times while it was looked at. Nothing was adjusted; try again."
            raise Problem(409, "contended", "Too many change this stock at once", detail, sku=sku)
        if order_id is not None:
            self._session.execute(
                update(ReservationLine)
                .where(ReservationLine.order_id == order_id, ReservationLine.sku == sku)
                .values(released=ReservationLine.released - reserved)
            )
        return self._told(sku, reason, available=available, reserved=reserved, order_id=order_id)

    def stock(self, sku: str) -> Stock:
        """The counters of one SKU. Raises Problem 404."""
        return self._counters.get(sku)

    def stock_page(self, *, after: int, limit: int) -> list[Stock]:
        """Counters after a cursor."""
        return list(
            self._session.scalars(select(Stock).where(Stock.id > after).order_by(Stock.id).limit(limit))
        )

    def line_page(
        self, *, after: int, limit: int, order_id: str | None, sku: str | None
    ) -> list[ReservationLine]:
        """Reservation lines after a cursor, of one order or one SKU if asked."""
        query = (
            select(ReservationLine).where(ReservationLine.id > after).order_by(ReservationLine.id).limit(limit)
        )
        if order_id is not None:
            query = query.where(ReservationLine.order_id == order_id)
        if sku is not None:
            query = query.where(ReservationLine.sku == sku)
        return list(self._session.scalars(query.options(selectinload(ReservationLine.reservation))))

    def movement_page(self, sku: str | None, *, after: int, limit: int) -> list[Movement]:
        """The audit trail after a cursor, of one SKU if asked."""
        query = select(Movement).where(Movement.id > after).order_by(Movement.id).limit(limit)
        if sku is not None:
            query = query.where(Movement.sku == sku)
        return list(self._session.scalars(query))

    def _lock_reservation(self, order_id: str, sku: str) -> None:
        """The reservation first, then the counters: whoever locks in this order waits for nobody who waits for him."""
        held = (
            select(ReservationLine.id)
            .join(Reservation)
            .where(Reservation.order_id == order_id, ReservationLine.sku == sku)
            .with_for_update()
        )
        if self._session.scalar(held) is None:
            detail = f"Order {order_id} has reserved nothing of {sku}."
            raise Problem(404, "unknown-reservation", "There is no such reservation", detail)

    def _told(
        self, sku: str, reason: str, *, available: int, reserved: int = 0, order_id: str | None = None
    ) -> Stock:
        stock = self._counters.get(sku)
        adjusted = InventoryAdjusted(
            sku=sku,
            reason=reason,
            order_id=order_id,
            delta_available=available,
            delta_reserved=reserved,
            available=stock.available,
            stock_version=stock.version,
        )
        self._outbox.add(self._session, adjusted, key=sku)
        return stock
