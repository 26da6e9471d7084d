"""What the inventory service does: every change is one conditional update, so that no reader's stale number decides."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.inventory.events import (
    InventoryRejected,
    InventoryReleased,
    InventoryReserved,
    InventorySold,
)
from reference_impl.services.inventory.models import (
    Movement,
    Reservation,
    ReservationLine,
    ReservationState,
    Stock,
)
from reference_impl.shared.events import Payload
from reference_impl.shared.inbox import Poison
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem
from reference_impl.shared.types import Line

ENDED = (ReservationState.SOLD, ReservationState.RELEASED, ReservationState.CANCELLED_FIRST)


class InventoryService:
    """Stock and reservations, within one session of the caller's."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox

    def receive(self, sku: str, quantity: int) -> Stock:
        """Units arrive, or go back to the supplier when negative. Raises Problem 409 when fewer are available than go back."""
        if self._find(sku) is None and quantity > 0:
            self._session.add(Stock(sku=sku))
            self._session.flush()
        if not self._change(sku, "received", stocked=quantity, available=quantity):
            self.stock(sku)
            raise self._too_few(sku, "Fewer units are available than shall go back.")
        return self.stock(sku)

    def adjust(self, sku: str, *, available: int, reserved: int, reason: str, order_id: str | None) -> Stock:
        """Correct the counters by hand. Each call takes effect: a correction has no way to know that it was made before.

        Raises Problem 404 for an unknown SKU or reservation, 409 when a counter would go below zero.
        """
        self.stock(sku)
        if (
            order_id is not None
            and not self._session.execute(
                update(ReservationLine)
                .where(ReservationLine.order_id == order_id, ReservationLine.sku == sku)
                .values(released=ReservationLine.released - reserved)
                .returning(ReservationLine.id)
            ).all()
        ):
            detail = f"Order {order_id} has reserved nothing of {sku}."
            raise Problem(404, "unknown-reservation", "There is no such reservation", detail)
        if not self._change(sku, reason, available=available, reserved=reserved, order_id=order_id):
            raise self._too_few(sku, "The adjustment would take a counter below zero.")
        return self.stock(sku)

    def reserve(self, order_id: str, lines: Sequence[Line]) -> None:
        """Reserve all lines of a new order or none, and say which. An order known already is answered again."""
        known = self._reservation(order_id)
        if known is not None:
            self._answer(known)
            return
        short: list[str] = []
        with self._session.begin_nested() as savepoint:
            # Always in the same order, so that two orders of the same products never wait for each other in a circle.
            for line in sorted(lines, key=lambda line: line.sku):
                reason = "reserved"
                if not self._change(
                    line.sku, reason, available=-line.quantity, reserved=line.quantity, order_id=order_id
                ):
                    short.append(line.sku)
            if short:
                savepoint.rollback()
        state = ReservationState.REJECTED if short else ReservationState.HELD
        self._session.add(Reservation(order_id=order_id, state=state))
        if short:
            self._outbox.add(self._session, InventoryRejected(order_id=order_id, short=short), key=order_id)
            return
        self._session.flush()
        for line in lines:
            self._session.add(ReservationLine(order_id=order_id, sku=line.sku, quantity=line.quantity))
        self._outbox.add(self._session, InventoryReserved(order_id=order_id, lines=list(lines)), key=order_id)

    def sell(self, order_id: str) -> None:
        """The order is paid: its units are sold. Raises Poison when they are not reserved for it any more."""
        reservation = self._reservation(order_id)
        if reservation is None or reservation.state is not ReservationState.HELD:
            state = "unknown" if reservation is None else reservation.state
            if reservation is not None and reservation.state in ENDED:
                self._answer(reservation)  # told again, or overtaken by the cancellation
                return
            raise Poison(f"order {order_id} is paid, but its reservation is {state}")
        for line in reservation.lines:
            changed = line.released == 0 and self._change(
                line.sku, "sold", reserved=-line.quantity, sold=line.quantity, order_id=order_id
            )
            if not changed:
                raise Poison(f"order {order_id} is paid, but its {line.quantity} of {line.sku} were given away")
            line.sold = line.quantity
        reservation.state = ReservationState.SOLD
        self._outbox.add(
            self._session, InventorySold(order_id=order_id, lines=_lines(reservation)), key=order_id
        )

    def release(self, order_id: str, *, keep_held: bool) -> None:
        """The order is cancelled: give its units back, unless somebody outside is to do it (`keep_held`)."""
        reservation = self._reservation(order_id)
        if reservation is None:
            reservation = Reservation(order_id=order_id, state=ReservationState.CANCELLED_FIRST, lines=[])
            self._session.add(reservation)
        if reservation.state is ReservationState.HELD and not keep_held:
            self._give_back(reservation, "released")
        elif reservation.state is ReservationState.SOLD:
            self._give_back(reservation, "restocked")
        elif reservation.state is not ReservationState.HELD:
            self._answer(reservation)

    def _give_back(self, reservation: Reservation, reason: str) -> None:
        released: list[Line] = []
        order_id = reservation.order_id
        for line in reservation.lines:
            sold, held = line.sold, line.outstanding
            if sold + held <= 0:
                continue  # released by hand before
            if not self._change(
                line.sku, reason, available=sold + held, reserved=-held, sold=-sold, order_id=order_id
            ):
                raise Poison(
                    f"order {order_id} is cancelled, but its {sold + held} of {line.sku} were given away"
                )
            line.released += sold + held
            line.sold = 0
            released.append(Line(sku=line.sku, quantity=sold + held))
        reservation.state = ReservationState.RELEASED
        self._outbox.add(self._session, InventoryReleased(order_id=order_id, lines=released), key=order_id)

    def _answer(self, reservation: Reservation) -> None:
        """Say once more what became of a reservation, for whoever asked again did not hear it."""
        order_id, lines = reservation.order_id, _lines(reservation)
        payload: Payload
        match reservation.state:
            case ReservationState.HELD:
                payload = InventoryReserved(order_id=order_id, lines=lines)
            case ReservationState.REJECTED:
                payload = InventoryRejected(order_id=order_id, short=[])
            case ReservationState.SOLD:
                payload = InventorySold(order_id=order_id, lines=lines)
            case ReservationState.RELEASED | ReservationState.CANCELLED_FIRST:
                payload = InventoryReleased(order_id=order_id, lines=[])
        self._outbox.add(self._session, payload, key=order_id)

    def stock(self, sku: str) -> Stock:
        """The counters of one SKU. Raises Problem 404."""
        stock = self._find(sku)
        if stock is None:
            raise Problem(
                404,
                "unknown-stock",
                "Nothing of this SKU was ever in stock",
                f"{sku} is not known here.",
                sku=sku,
            )
        return stock

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

    def movement_page(self, sku: str, *, after: int, limit: int) -> list[Movement]:
        """The audit trail of one SKU after a cursor."""
        query = (
            select(Movement).where(Movement.sku == sku, Movement.id > after).order_by(Movement.id).limit(limit)
        )
        return list(self._session.scalars(query))

    def _find(self, sku: str) -> Stock | None:
        query = select(Stock).where(Stock.sku == sku).execution_options(populate_existing=True)
        return self._session.scalar(query)

    def _reservation(self, order_id: str) -> Reservation | None:
        return self._session.scalar(
            select(Reservation).where(Reservation.order_id == order_id).options(selectinload(Reservation.lines))
        )

    def _change(
        self,
        sku: str,
        reason: str,
        *,
        stocked: int = 0,
        available: int = 0,
        reserved: int = 0,
        sold: int = 0,
        order_id: str | None = None,
    ) -> bool:
        """Change the counters if none goes below zero, and note it; False when one would, or the SKU is not stocked."""
        changed = self._session.execute(
            update(Stock)
            .where(
                Stock.sku == sku,
                Stock.available + available >= 0,
                Stock.reserved + reserved >= 0,
                Stock.sold + sold >= 0,
            )
            .values(
                stocked=Stock.stocked + stocked,
                available=Stock.available + available,
                reserved=Stock.reserved + reserved,
                sold=Stock.sold + sold,
                version=Stock.version + 1,
            )
            .returning(Stock.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not changed:
            return False
        self._session.add(
            Movement(
                sku=sku,
                delta_stocked=stocked,
                delta_available=available,
                delta_reserved=reserved,
                delta_sold=sold,
                reason=reason,
                order_id=order_id,
            )
        )
        return True

    def _too_few(self, sku: str, detail: str) -> Problem:
        stock = self.stock(sku)
        counters = {"available": stock.available, "reserved": stock.reserved, "sold": stock.sold}
        return Problem(409, "too-few-units", "There are too few units", detail, sku=sku, **counters)


def _lines(reservation: Reservation) -> list[Line]:
    return [Line(sku=line.sku, quantity=line.quantity) for line in reservation.lines]
