"""Idempotent consumers: each event takes effect once, however often it is delivered.

The note that an event was handled is a row in the service's own database, written in the transaction of the effect itself.
A note kept anywhere else would be wrong after a crash between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, delete, select
from sqlalchemy.orm import Session

from reference_impl.shared.database import Database, UtcDateTime, insert_if_new
from reference_impl.shared.dead_letters import DeadLetters
from reference_impl.shared.events import Event, now

KEPT = timedelta(days=7)

Handler = Callable[[Event], None]
"""Handles one event, in transactions of its own. Raises Poison for an event that can never be handled, and NotNow."""
Effect = Callable[[Session, Event], Any]
"""What an event does, in a transaction that somebody else begins and ends. Raises the same; what it returns goes to `after`."""
After = Callable[[Sequence[Any]], None]
"""Gets what the effects of one transaction returned."""
Alone = Callable[[], bool]


def _never() -> bool:
    return False


class Poison(Exception):
    """This event can't be handled, now or later: park it without retrying."""


class NotNow(Exception):
    """This event can't be handled before something else has happened: deliver it, and what follows it, again."""


@dataclass(frozen=True)
class Inbox:
    """Which events one service has handled and which it gave up on, as two tables in its own database."""

    handled: Table
    dead_letters: DeadLetters

    @classmethod
    def on(cls, metadata: MetaData) -> Inbox:
        """Declare the tables among the service's own."""
        table = Table(
            "inbox",
            metadata,
            Column("event_id", String(64), primary_key=True),
            Column("handled_at", UtcDateTime, nullable=False, index=True),
        )
        return cls(table, DeadLetters.on(metadata))

    def seen(self, session: Session, event: Event) -> bool:
        """Whether this event has taken effect already."""
        return self.seen_id(session, event.id)

    def seen_id(self, session: Session, message_id: str) -> bool:
        """The same of a message that is no event, such as a webhook."""
        known = select(self.handled.c.event_id).where(self.handled.c.event_id == message_id)
        return session.scalar(known) is not None

    def note(self, session: Session, event: Event) -> bool:
        """Note, in the caller's transaction, that this event takes effect now; False when it has already.

        Of two deliveries at once the second waits here for the end of the first one's transaction.
        """
        return self.note_id(session, event.id)

    def note_id(self, session: Session, message_id: str) -> bool:
        """The same of a message that is no event."""
        row = {"event_id": message_id, "handled_at": now()}
        return session.scalar(insert_if_new(session, self.handled, "event_id"), row) is not None

    def forget(self, session: Session, ids: Collection[str]) -> None:
        """Take notes back, in the transaction that made them."""
        if ids:
            session.execute(delete(self.handled).where(self.handled.c.event_id.in_(ids)))

    def prune(self, session: Session) -> None:
        """Forget events so old that no bus delivers them again."""
        session.execute(delete(self.handled).where(self.handled.c.handled_at < now() - KEPT))

    def note_all(self, session: Session, events: Sequence[Event]) -> set[str]:
        """`note` for several events; the ids of those that take effect now."""
        # In the order of their ids: of two processes that were given the same events one waits for the other, and not both.
        rows = [{"event_id": key, "handled_at": now()} for key in sorted({event.id for event in events})]
        return set(session.scalars(insert_if_new(session, self.handled, "event_id"), rows))

    def once(
        self,
        database: Database,
        effect: Effect,
        *,
        after: After | None = None,
        lag: Callable[[], object] | None = None,
        alone: Alone = _never,
    ) -> Handler:
        """A handler that applies `effect` in the transaction that notes the event, and nothing for a duplicate.

        When it is committed, `after` gets what the effects of the transaction returned. If it fails, or we are killed before it,
        nobody calls it again: something else has to look after what the effect noted.

        `lag` is called before the transaction; while `alone` says so, each event has a transaction of its own.
        """
        return Once(self, database, effect, after, lag, alone)


@dataclass(frozen=True)
class Once:
    """A handler whose effect is one transaction, so that several events can share it."""

    inbox: Inbox
    database: Database
    effect: Effect
    after: After | None
    lag: Callable[[], object] | None
    alone: Alone

    def __call__(self, event: Event) -> None:
        if self.lag is not None:
            self.lag()
        with self.database.write() as session:
            if not self.inbox.note(session, event):
                return
            result = self.effect(session, event)
        if self.after is not None:
            self.after([result])
