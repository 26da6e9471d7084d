"""What this service forgets, because it is of no use any more and about people."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select, update

from reference_impl.services.notification.models import HeldEvent, Notification, NotificationState, OrderOwner
from reference_impl.shared.database import Database
from reference_impl.shared.events import now

HELD_FOR = timedelta(days=7)
"""How long an event waits for its order's owner: as long as the inbox remembers events."""


def tidy(database: Database, keep: timedelta) -> None:
    """Forget old messages, events whose order never came, and secrets that expired in messages given up."""
    at = now()
    with database.write() as session:
        session.execute(delete(HeldEvent).where(HeldEvent.held_at < at - HELD_FOR))
        waiting = select(HeldEvent.order_id)
        unknown = OrderOwner.known.is_(False) & OrderOwner.order_id.not_in(waiting)
        session.execute(delete(OrderOwner).where(unknown).execution_options(synchronize_session=False))
        session.execute(
            delete(Notification).where(
                Notification.created_at < at - keep, Notification.state != NotificationState.QUEUED
            )
        )
        expired = (Notification.state == NotificationState.DEAD) & (Notification.not_after < at)
        session.execute(
            update(Notification)
            .where(expired)
            .values(variables={}, state=NotificationState.EXPIRED)
            .execution_options(synchronize_session=False)
        )
