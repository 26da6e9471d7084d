"""The history in its table: appended with a check that nobody else has appended meanwhile, read with the help of snapshots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from reference_impl.services.order.history import upcast
from reference_impl.services.order.history.facts import Fact, Recorded
from reference_impl.services.order.history.fold import OrderState, fold
from reference_impl.services.order.ids import month_of
from reference_impl.services.order.models import OrderEvent, OrderSnapshot
from reference_impl.shared.database import insert_if_new, insert_into, table_of
from reference_impl.shared.events import now

SNAPSHOT_SCHEMA = 1
"""Goes up when `OrderState` changes; older snapshots are then passed over, and the history is read from its beginning."""


_EVENTS = table_of(OrderEvent)
_SNAPSHOTS = table_of(OrderSnapshot)
_COLUMNS = tuple(
    _EVENTS.c[name] for name in ("order_id", "sequence", "type", "version", "payload", "occurred_at")
)
_NEWEST_SNAPSHOT = (
    select(OrderSnapshot.sequence)
    .where(OrderSnapshot.order_id == bindparam("order_id"), OrderSnapshot.schema == SNAPSHOT_SCHEMA)
    .scalar_subquery()
)
# Composed once and not for each event: that costs more than what the database does with it.
_SINCE_SNAPSHOT = (
    select(*_COLUMNS)
    .where(
        _EVENTS.c.month == bindparam("month"),
        _EVENTS.c.order_id == bindparam("order_id"),
        _EVENTS.c.sequence > func.coalesce(_NEWEST_SNAPSHOT, 0),
    )
    .order_by(_EVENTS.c.sequence)
)


class Conflict(Exception):
    """Somebody else has appended to this order since its history was read: read it again, and decide again."""


class EventStore:
    """Histories, within one session of the caller's."""

    def __init__(self, session: Session, snapshot_every: int) -> None:
        self._session = session
        self._snapshot_every = snapshot_every

    def load(self, order_id: str) -> OrderState | None:
        """The order as it is now; None when it has no history. Most orders are read with one statement, long ones with two."""
        rows = self._session.execute(_SINCE_SNAPSHOT, {"order_id": order_id, "month": month_of(order_id)})
        recorded = [_recorded(row) for row in rows]
        if recorded and recorded[0].sequence == 1:
            return fold(recorded)
        kept = self._session.scalar(
            select(OrderSnapshot.state).where(
                OrderSnapshot.order_id == order_id, OrderSnapshot.schema == SNAPSHOT_SCHEMA
            )
        )
        return fold(recorded, None if kept is None else OrderState.model_validate(kept))

    def history(self, order_id: str) -> list[Recorded]:
        """All facts of an order, oldest first."""
        return self.histories([order_id])[order_id]

    def histories(self, order_ids: Collection[str]) -> dict[str, list[Recorded]]:
        """All facts of some orders, oldest first, read with one statement."""
        found: dict[str, list[Recorded]] = defaultdict(list)
        months = {month_of(order_id) for order_id in order_ids}
        query = (
            select(*_COLUMNS)
            .where(_EVENTS.c.month.in_(months), _EVENTS.c.order_id.in_(order_ids))
            .order_by(_EVENTS.c.order_id, _EVENTS.c.sequence)
        )
        for row in self._session.execute(query):
            found[row.order_id].append(_recorded(row))
        return found

    def append(self, order_id: str, version: int, facts: Sequence[Fact]) -> list[Recorded]:
        """Add facts behind the one that was read last. Raises Conflict when that is not the last one any more.

        Only the first has to be checked: who has written it, and only he, may write those behind it.
        """
        at = now()
        recorded = [
            Recorded(order_id=order_id, sequence=version + number, occurred_at=at, fact=fact)
            for number, fact in enumerate(facts, 1)
        ]
        first, *others = [_row(item) for item in recorded]
        # Passed over instead of an error: on PostgreSQL an error would end the caller's transaction, and he wants to try again.
        if self._session.scalar(insert_if_new(self._session, OrderEvent, "sequence"), first) is None:
            raise Conflict(f"order {order_id} has a fact {version + 1} already")
        if others:
            self._session.execute(insert(_EVENTS), others)
        return recorded

    def snapshot(self, state: OrderState, before: int) -> None:
        """Keep this state if its history has grown past another multiple of the distance since version `before`."""
        if state.version // self._snapshot_every == before // self._snapshot_every:
            return
        row = {"sequence": state.version, "schema": SNAPSHOT_SCHEMA, "state": state.model_dump(mode="json")}
        kept = insert_into(self._session, _SNAPSHOTS).values(order_id=state.id, **row)
        self._session.execute(kept.on_conflict_do_update(index_elements=[_SNAPSHOTS.c.order_id], set_=row))

    def forget_snapshots(self) -> None:
        """Delete every snapshot: whatever is read next is read from the beginning."""
        self._session.execute(delete(OrderSnapshot))


def _recorded(row: Any) -> Recorded:
    fact = upcast.read(row.type, row.version, row.payload)
    return Recorded(order_id=row.order_id, sequence=row.sequence, occurred_at=row.occurred_at, fact=fact)


def _row(recorded: Recorded) -> dict[str, Any]:
    return {
        "month": month_of(recorded.order_id),
        "order_id": recorded.order_id,
        "sequence": recorded.sequence,
        "type": type(recorded.fact).__name__,
        "version": recorded.fact.version,
        "payload": recorded.fact.model_dump(mode="json"),
        "occurred_at": recorded.occurred_at,
    }
