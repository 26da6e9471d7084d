"""What the notification service does to its tables, short of sending anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, insert, select
from sqlalchemy.orm import Session

from reference_impl.services.notification import metrics, policy
from reference_impl.services.notification.kinds import Kind
from reference_impl.services.notification.models import (
    Contact,
    HeldEvent,
    Notification,
    NotificationState,
    OrderOwner,
    StoredPreferences,
)
from reference_impl.services.notification.policy import Preferences
from reference_impl.shared.auth import Principal
from reference_impl.shared.database import insert_if_new, table_of, when_committed
from reference_impl.shared.events import Event, now
from reference_impl.shared.problems import Problem

_OWNER = select(OrderOwner).where(OrderOwner.order_id == bindparam("order_id")).with_for_update()
_TOLD = exists().where(
    Notification.user_id == bindparam("user_id"),
    Notification.template == bindparam("template"),
    Notification.fact == bindparam("fact"),
)
_CHOSEN = select(StoredPreferences.choices).where(StoredPreferences.user_id == bindparam("user_id"))
_TOLD_AND_CHOSEN = select(_TOLD, _CHOSEN.scalar_subquery())


class NotificationService:
    """Contacts, preferences and messages, within one session of the caller's.

    Two that plan the same message at once run into the unique key: one of them fails with IntegrityError, and finds the
    other's row when its event is handled again.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def register(self, user_id: str, email: str, name: str) -> None:
        """Remember where a user can be written to."""
        self._session.merge(Contact(user_id=user_id, email=email, name=name))

    def owner(self, order_id: str) -> OrderOwner:
        """Whose order it is, if somebody has said so; locked.

        Else OrderCreated could look for held events, and an event for its owner, at once, and miss each other for ever.
        """
        named = {"order_id": order_id}
        owner = self._session.scalar(_OWNER, named)
        if owner is None:
            self._begin(order_id, known=False)
            owner = self._session.scalars(_OWNER, named).one()
        return owner

    def belongs(self, order_id: str, customer_id: str | None) -> list[Event]:
        """Remember whose order it is. Returns the events that have waited for this, oldest first, and lets go of them."""
        if self._begin(order_id, known=True, customer_id=customer_id):
            return []  # whoever holds an event has begun the row before
        owner = self.owner(order_id)
        owner.known, owner.customer_id = True, customer_id
        waiting = delete(HeldEvent).where(HeldEvent.order_id == order_id)
        held = self._session.execute(waiting.returning(HeldEvent.id, HeldEvent.event)).all()
        return [Event.model_validate(event) for _, event in sorted(held, key=lambda row: int(row.id))]

    def hold(self, order_id: str, event: Event) -> None:
        """Keep an event until somebody says whose order it is about."""
        self._session.add(HeldEvent(order_id=order_id, event=event.model_dump(mode="json")))
        when_committed(self._session, metrics.HELD.inc)

    def plan(
        self,
        kind: Kind,
        user_id: str,
        fact: str,
        variables: Mapping[str, Any],
        not_after: datetime | None = None,
    ) -> None:
        """Have a user told of a fact by each channel that he wants; nothing when it was planned before.

        Who wants none of them gets a row, too: it says why nothing came, and that nothing shall come later.
        """
        fact_of = {"user_id": user_id, "template": kind.name, "fact": fact}
        before, stored = self._session.execute(_TOLD_AND_CHOSEN, fact_of).one()
        if before:
            return
        chosen, at = _preferences(stored), now()
        wanted = {channel: policy.when(kind, channel, chosen, at) for channel in kind.channels}
        due = {channel: due_at for channel, due_at in wanted.items() if due_at is not None}
        state = NotificationState.QUEUED if due else NotificationState.SUPPRESSED
        rows: list[dict[str, Any]] = [
            fact_of
            | {
                "channel": channel,
                "variables": dict(variables) if due else {},
                "state": state,
                "due_at": due_at,
                "not_after": not_after,
                "last_error": None if due else "not wanted",
            }
            for channel, due_at in (due or {kind.channels[0]: at}).items()
        ]
        self._session.execute(insert(table_of(Notification)), rows)
        for row in rows:
            count = metrics.MESSAGES.labels(row["channel"].value, kind.name, state.value)
            when_committed(self._session, count.inc)

    def preferences(self, user_id: str) -> Preferences:
        """What a user chose; the defaults when he did not."""
        return self.preferences_of([user_id])[user_id]

    def preferences_of(self, user_ids: Collection[str]) -> dict[str, Preferences]:
        """The same of several users, read with one statement."""
        query = select(StoredPreferences.user_id, StoredPreferences.choices)
        rows = self._session.execute(query.where(StoredPreferences.user_id.in_(user_ids)))
        stored = {row.user_id: row.choices for row in rows}
        return {user_id: _preferences(stored.get(user_id)) for user_id in user_ids}

    def contacts_of(self, user_ids: Collection[str]) -> dict[str, Contact]:
        """Where these users can be written to, as far as the user service has told."""
        query = select(Contact).where(Contact.user_id.in_(user_ids))
        return {contact.user_id: contact for contact in self._session.scalars(query)}

    def choose(self, user_id: str, chosen: Preferences) -> None:
        """Replace what a user chose; messages that wait go by it, too."""
        self._session.merge(StoredPreferences(user_id=user_id, choices=chosen.model_dump(mode="json")))

    def send_again(self, notification_id: str) -> Notification:
        """Give a dead message all its tries once more. Raises Problem 404, and 409 when it is not dead."""
        query = select(Notification).where(Notification.id == notification_id).with_for_update()
        notification = self._session.scalar(query)
        if notification is None:
            detail = f"No message has the id {notification_id}."
            raise Problem(404, "unknown-notification", "There is no such message", detail)
        if notification.state is not NotificationState.DEAD:
            detail = f"It is {notification.state}; only one that was given up can be sent again."
            raise Problem(409, "notification-not-dead", "This message was not given up", detail)
        notification.state = NotificationState.QUEUED
        notification.attempts = 0
        notification.due_at = now()
        return notification

    def page(
        self, who: Principal, *, after: int, limit: int, state: NotificationState | None, fact: str | None
    ) -> list[Notification]:
        """The caller's messages after a cursor, in one state or about one fact if asked."""
        query = select(Notification).where(Notification.number > after).order_by(Notification.number)
        if not who.everything:
            query = query.where(Notification.user_id == who.subject)
        if state is not None:
            query = query.where(Notification.state == state)
        if fact is not None:
            query = query.where(Notification.fact == fact)
        return list(self._session.scalars(query.limit(limit)))

    def _begin(self, order_id: str, *, known: bool, customer_id: str | None = None) -> bool:
        """Have the row of an order; False when it is there already. Waits for whoever is just beginning it."""
        row = {"order_id": order_id, "known": known, "customer_id": customer_id}
        return self._session.scalar(insert_if_new(self._session, OrderOwner, "order_id"), row) is not None


def _preferences(stored: Mapping[str, Any] | None) -> Preferences:
    return Preferences() if stored is None else Preferences.model_validate(stored)
