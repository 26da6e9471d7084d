"""The counters of each SKU, and the two ways in which concurrent changes are kept apart.

*Conditional update* (`change`): one statement that adds and at the same time asks that nothing goes below zero. The database
decides in the moment of the write, nobody has to repeat anything, and a popular SKU only waits for its row. It fits where
the change does not depend on what was read: that is every reservation.

*Compare and set* (`replace`): read, decide, and write only if the version is still the one that was read; else begin again.
It fits where somebody looks at all counters and decides what they shall be: that is a correction by hand. Under contention
it repeats work, so its attempts are bounded.

Below both, the table's CHECK constraints refuse a counter below zero whatever a program thinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reference_impl.services.inventory.models import Movement, Stock
from reference_impl.shared.database import insert_into, table_of
from reference_impl.shared.events import now
from reference_impl.shared.problems import Problem

_STOCK = table_of(Stock)
_AFTER = {
    counter: _STOCK.c[counter] + bindparam(f"more_{counter}")
    for counter in ("stocked", "available", "reserved", "sold")
}
# Composed once and not for each line: that costs more than what the database does with it.
_ADD = (
    update(_STOCK)
    .where(
        _STOCK.c.sku == bindparam("of"),
        _AFTER["available"] >= 0,
        _AFTER["reserved"] >= 0,
        _AFTER["sold"] >= 0,
    )
    .values(version=_STOCK.c.version + 1, **_AFTER)
    .returning(_STOCK.c.id)
)


@dataclass(frozen=True)
class Change:
    """What is added to the counters of one SKU."""

    sku: str
    stocked: int = 0
    available: int = 0
    reserved: int = 0
    sold: int = 0

    def reversed(self) -> Change:
        """What takes it back."""
        return Change(self.sku, -self.stocked, -self.available, -self.reserved, -self.sold)


class Counters:
    """Stock, within one session of the caller's. Every change leaves a movement."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, sku: str) -> Stock | None:
        """The counters as they are in the database now."""
        query = select(Stock).where(Stock.sku == sku).execution_options(populate_existing=True)
        return self._session.scalar(query)

    def get(self, sku: str) -> Stock:
        """The counters of one SKU. Raises Problem 404."""
        stock = self.find(sku)
        if stock is None:
            raise Problem(
                404,
                "unknown-stock",
                "Nothing of this SKU was ever in stock",
                f"{sku} is not known here.",
                sku=sku,
            )
        return stock

    def begin(self, sku: str) -> None:
        """Have counters for this SKU; somebody else may just have begun them."""
        try:
            with self._session.begin_nested():
                self._session.add(Stock(sku=sku))
        except IntegrityError:
            pass

    def change(self, changes: Sequence[Change], reason: str, order_id: str | None = None) -> list[str]:
        """Make all these changes or none; the SKUs of which a counter would go below zero, or that were never in stock.

        All of them are tried, so that the answer names each one that is short. Those that went well are then put back. Nobody
        has seen them meanwhile: their rows are ours until the transaction ends, and other transactions see what was before.
        """
        # Always in the same order, so that two orders of the same products never wait for each other in a circle.
        made: list[Change] = []
        short: list[str] = []
        for change in sorted(changes, key=lambda change: change.sku):
            if self._add(change):
                made.append(change)
            else:
                short.append(change.sku)
        if not short:
            self._note(made, reason, order_id)
            return []
        for change in made:
            self._add(change.reversed())
        return short

    def receive(self, units: Mapping[str, int], reason: str) -> dict[str, tuple[int, int]]:
        """Add to what was stocked and is available of many SKUs: what is available of each now, and its version."""
        table = _STOCK
        # In the order of the SKUs, so that two of these wait for each other and not both at once.
        rows = [
            {"sku": sku, "stocked": units[sku], "available": units[sku], "version": 1} for sku in sorted(units)
        ]
        added = insert_into(self._session, table).values(rows)
        changed = added.on_conflict_do_update(
            index_elements=[table.c.sku],
            set_={
                "stocked": table.c.stocked + added.excluded.stocked,
                "available": table.c.available + added.excluded.available,
                "version": table.c.version + 1,
            },
        ).returning(table.c.sku, table.c.available, table.c.version)
        found = {row.sku: (row.available, row.version) for row in self._session.execute(changed)}
        self._note([Change(sku, stocked=units[sku], available=units[sku]) for sku in found], reason, None)
        return found

    def replace(self, read: Stock, reason: str, *, available: int, reserved: int, order_id: str | None) -> bool:
        """Set two counters, which the caller worked out from `read`; False when it is not what it was any more."""
        changed = self._session.execute(
            update(Stock)
            .where(Stock.id == read.id, Stock.version == read.version)
            .values(available=available, reserved=reserved, version=read.version + 1)
            .returning(Stock.id)
            .execution_options(synchronize_session=False)
        ).all()
        if changed:
            available, reserved = available - read.available, reserved - read.reserved
            self._note([Change(read.sku, available=available, reserved=reserved)], reason, order_id)
        return bool(changed)

    def too_few(self, sku: str, detail: str) -> Problem:
        """The problem to raise when a counter would go below zero, with the counters."""
        stock = self.get(sku)
        counters = {"available": stock.available, "reserved": stock.reserved, "sold": stock.sold}
        return Problem(409, "too-few-units", "There are too few units", detail, sku=sku, **counters)

    def _add(self, change: Change) -> bool:
        """Add to the counters of one SKU; False when one would go below zero, or there are none."""
        changed = self._session.execute(
            _ADD,
            {
                "of": change.sku,
                "more_stocked": change.stocked,
                "more_available": change.available,
                "more_reserved": change.reserved,
                "more_sold": change.sold,
            },
        )
        return changed.one_or_none() is not None

    def _note(self, changes: Sequence[Change], reason: str, order_id: str | None) -> None:
        if not changes:
            return
        at = now()
        rows = [
            {
                "sku": change.sku,
                "delta_stocked": change.stocked,
                "delta_available": change.available,
                "delta_reserved": change.reserved,
                "delta_sold": change.sold,
                "reason": reason,
                "order_id": order_id,
                "occurred_at": at,
            }
            for change in changes
        ]
        self._session.execute(insert(table_of(Movement)), rows)
