"""What orders do with the stock: reserve, buy, give back, forget about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session, selectinload

from reference_impl.services.inventory.counters import Change, Counters
from reference_impl.services.inventory.events import (
    InventoryRejected,
    InventoryReleased,
    InventoryReserved,
    InventorySold,
    ReservationExpired,
)
from reference_impl.services.inventory.metrics import RESERVATIONS
from reference_impl.services.inventory.models import Reservation, ReservationLine, ReservationState
from reference_impl.shared.database import insert_if_new, table_of, when_committed
from reference_impl.shared.events import Payload, now
from reference_impl.shared.inbox import Poison
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.types import Line

AboutOrder = InventoryRejected | InventoryReleased | InventoryReserved | InventorySold | ReservationExpired
_GONE = (ReservationState.RELEASED, ReservationState.EXPIRED, ReservationState.CANCELLED_FIRST)
_LOCKED = (
    select(Reservation)
    .where(Reservation.order_id == bindparam("order_id"))
    .with_for_update()
    .options(selectinload(Reservation.lines))
    .execution_options(populate_existing=True)
)


class Reservations:
    """Reservations, within one session of the caller's. Whatever is asked twice takes effect once and is answered twice."""

    def __init__(
        self, session: Session, outbox: Outbox, *, while_locked: Callable[[], object] = lambda: None
    ) -> None:
        """`while_locked` is called when a reservation has its rows and has not committed: where a fault can sit."""
        self._session = session
        self._outbox = outbox
        self._while_locked = while_locked
        self._counters = Counters(session)

    def reserve(self, order_id: str, lines: Sequence[Line], expires_at: datetime | None) -> None:
        """Reserve all lines of a new order or none, and say which. An order known already is answered again."""
        if not self._begin(order_id, expires_at):
            known = self._locked(order_id)
            assert known is not None, "nobody deletes a reservation"
            self._answer(known)
            return
        changes = [Change(line.sku, available=-line.quantity, reserved=line.quantity) for line in lines]
        short = self._counters.change(changes, "reserved", order_id)
        self._while_locked()
        if short:
            self._reject(order_id)
            self._say(InventoryRejected(order_id=order_id, short=short), "rejected")
            return
        rows = [
            {"order_id": order_id, "sku": line.sku, "quantity": line.quantity, "released": 0, "sold": 0}
            for line in lines
        ]
        self._session.execute(insert(table_of(ReservationLine)), rows)
        self._say(InventoryReserved(order_id=order_id, lines=list(lines)), "reserved")

    def sell(self, order_id: str) -> None:
        """The order is paid: its units are sold. Raises Poison when they can't be: somebody has to look.

        One whose reservation has expired gets units that are still available. One that was cancelled meanwhile is told so.
        """
        reservation = self._locked(order_id)
        if reservation is None or reservation.state is ReservationState.REJECTED:
            state = "unknown" if reservation is None else reservation.state
            raise Poison(f"order {order_id} is paid, but its reservation is {state}")
        if reservation.state in (ReservationState.HELD, ReservationState.EXPIRED):
            self._take(reservation, expired=reservation.state is ReservationState.EXPIRED)
            self._end(reservation, ReservationState.SOLD)
            self._say(InventorySold(order_id=order_id, lines=_lines(reservation)), "sold")
        else:
            self._answer(reservation)

    def release(self, order_id: str, *, keep_held: bool = False) -> None:
        """The order is cancelled: give back what is reserved for it, or was sold to it and not shipped.

        With `keep_held`, somebody outside gives back what is reserved.
        """
        reservation = self._locked(order_id)
        if reservation is None:
            reservation = Reservation(order_id=order_id, state=ReservationState.CANCELLED_FIRST, lines=[])
            self._session.add(reservation)
        if reservation.state is ReservationState.SOLD or (
            reservation.state is ReservationState.HELD and not keep_held
        ):
            reason = "restocked" if reservation.state is ReservationState.SOLD else "released"
            released = self._give_back(reservation, reason)
            self._end(reservation, ReservationState.RELEASED)
            self._say(InventoryReleased(order_id=order_id, lines=released), reason)
        elif reservation.state is ReservationState.REJECTED:
            self._say(
                InventoryReleased(order_id=order_id, lines=[]), "released"
            )  # there was nothing to give back
        elif reservation.state is not ReservationState.HELD:
            self._answer(reservation)

    def expire(self, order_id: str) -> bool:
        """Give back what nobody confirmed in time; False when somebody has, meanwhile."""
        reservation = self._locked(order_id)
        if (
            reservation is None
            or reservation.state is not ReservationState.HELD
            or reservation.expires_at is None
            or reservation.expires_at > now()
        ):
            return False
        released = self._give_back(reservation, "expired")
        self._end(reservation, ReservationState.EXPIRED)
        self._say(ReservationExpired(order_id=order_id, lines=released), "expired")
        return True

    def due(self, limit: int) -> list[str]:
        """The orders whose reservations have expired, the oldest first."""
        query = select(Reservation.order_id).where(
            Reservation.state == ReservationState.HELD, Reservation.expires_at <= now()
        )
        return list(self._session.scalars(query.order_by(Reservation.expires_at).limit(limit)))

    def _begin(self, order_id: str, expires_at: datetime | None) -> bool:
        """Have a reservation of this order, held; False when there is one. Waits for whoever is just beginning it."""
        row = {
            "order_id": order_id,
            "state": ReservationState.HELD,
            "expires_at": expires_at,
            "updated_at": now(),
        }
        return self._session.scalar(insert_if_new(self._session, Reservation, "order_id"), row) is not None

    def _reject(self, order_id: str) -> None:
        rejected = update(Reservation).where(Reservation.order_id == order_id)
        self._session.execute(
            rejected.values(state=ReservationState.REJECTED, expires_at=None).execution_options(
                synchronize_session=False
            )
        )

    def _take(self, reservation: Reservation, *, expired: bool) -> None:
        """Sell what is reserved, or is still available after the reservation has expired. Raises Poison."""
        order_id, lines = reservation.order_id, reservation.lines
        given_away = [line.sku for line in lines if line.released != (line.quantity if expired else 0)]
        if not given_away:
            source = "available" if expired else "reserved"
            changes = [Change(line.sku, sold=line.quantity, **{source: -line.quantity}) for line in lines]
            given_away = self._counters.change(changes, "sold", order_id)
        if given_away:
            raise Poison(f"order {order_id} is paid, but its units of {', '.join(given_away)} were given away")
        for line in lines:
            line.sold, line.released = line.quantity, 0

    def _give_back(self, reservation: Reservation, reason: str) -> list[Line]:
        order_id = reservation.order_id
        # A line of which nothing is left was released by hand before.
        lines = [line for line in reservation.lines if line.sold + line.outstanding > 0]
        released = [Line(sku=line.sku, quantity=line.sold + line.outstanding) for line in lines]
        changes = [
            Change(
                line.sku, available=line.sold + line.outstanding, reserved=-line.outstanding, sold=-line.sold
            )
            for line in lines
        ]
        gone = self._counters.change(changes, reason, order_id)
        if gone:
            raise Poison(f"units of {', '.join(gone)} should come back from order {order_id}, but are gone")
        for line in lines:
            line.released += line.sold + line.outstanding
            line.sold = 0
        return released

    def _end(self, reservation: Reservation, state: ReservationState) -> None:
        reservation.state = state
        reservation.expires_at = None

    def _answer(self, reservation: Reservation) -> None:
        """Say once more what became of a reservation, for whoever asked again did not hear it."""
        order_id, lines = reservation.order_id, _lines(reservation)
        payload: Payload
        if reservation.state is ReservationState.HELD:
            payload = InventoryReserved(order_id=order_id, lines=lines)
        elif reservation.state is ReservationState.REJECTED:
            payload = InventoryRejected(order_id=order_id, short=[])
        elif reservation.state is ReservationState.SOLD:
            payload = InventorySold(order_id=order_id, lines=lines)
        else:
            assert reservation.state in _GONE
            payload = InventoryReleased(order_id=order_id, lines=[])
        self._outbox.add(self._session, payload, key=order_id)

    def _say(self, payload: AboutOrder, outcome: str) -> None:
        self._outbox.add(self._session, payload, key=payload.order_id)
        when_committed(self._session, RESERVATIONS.labels(outcome).inc)

    def _locked(self, order_id: str) -> Reservation | None:
        """The reservation, ours alone until the end of the transaction: an event, a person and the clock may come at once."""
        return self._session.scalar(_LOCKED, {"order_id": order_id})


def _lines(reservation: Reservation) -> list[Line]:
    return [Line(sku=line.sku, quantity=line.quantity) for line in reservation.lines]
