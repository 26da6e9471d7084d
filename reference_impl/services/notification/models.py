"""The notification service's tables.

The states of a message::

    QUEUED ──► SENT
       │  └──► QUEUED, later     (the channel is away or busy, or it is night)
       ├──► DEAD                 (tried too often, or refused for good) ──► QUEUED, when somebody says so
       ├──► EXPIRED              (it is of no use any more)
       └──► SUPPRESSED           (its receiver does not want it)
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reference_impl.services.notification.kinds import Channel
from reference_impl.shared.database import UtcDateTime, stored_as_value
from reference_impl.shared.events import new_id, now


class Base(DeclarativeBase):
    """Everything this service owns."""


class NotificationState(StrEnum):
    """What became of a message."""

    QUEUED = "queued"
    SENT = "sent"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    DEAD = "dead"


class Contact(Base):
    """Where a user can be written to, as far as the user service has told."""

    __tablename__ = "contacts"

    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    name: Mapped[str] = mapped_column(String(200))


class OrderOwner(Base):
    """Whose order it is: only OrderCreated says so, and later events only name the order.

    Also the lock by which the events of one order take turns: there is a row from the first of them on, whichever it is.
    """

    __tablename__ = "order_owners"

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    known: Mapped[bool] = mapped_column(default=False)
    """Whether OrderCreated has come."""
    customer_id: Mapped[str | None] = mapped_column(String(64))


class HeldEvent(Base):
    """An event about an order whose owner is not known yet, because it came before OrderCreated."""

    __tablename__ = "held_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(String(32), index=True)
    event: Mapped[dict[str, Any]] = mapped_column(JSON)
    held_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)


class StoredPreferences(Base):
    """What a user chose, as `policy.Preferences` writes it; who has no row has the defaults."""

    __tablename__ = "preferences"

    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    choices: Mapped[dict[str, Any]] = mapped_column(JSON)


class Notification(Base):
    """One message to one user by one channel: at most one for each fact, whatever is delivered twice."""

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("user_id", "template", "fact", "channel", name="one_message_a_fact"),
        Index("ix_notifications_due", "state", "due_at"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(32), unique=True, default=new_id)
    """The same at every try, so that a receiver can tell a repetition: an email's Message-ID is made from it."""
    user_id: Mapped[str] = mapped_column(String(64))
    template: Mapped[str] = mapped_column(String(32))
    fact: Mapped[str] = mapped_column(String(80))
    """What it is about: an order, an attempt to pay, a shipment. Not the event, because a fact may be told in two of them."""
    channel: Mapped[Channel] = mapped_column(stored_as_value(Channel))
    variables: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the template needs besides the name; emptied when there is no use for it any more, as secrets may be in it."""
    state: Mapped[NotificationState] = mapped_column(stored_as_value(NotificationState))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When to try; while somebody tries, when to believe that he died."""
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it is of no use any more."""
    last_error: Mapped[str | None] = mapped_column(String(200))
    """A short reason, never an address."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SinkMessage(Base):
    """What would have left the house: an email that our own mail server took, an SMS, a push message."""

    __tablename__ = "sink_messages"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[Channel] = mapped_column(stored_as_value(Channel))
    message_id: Mapped[str] = mapped_column(String(200), index=True)
    sender: Mapped[str] = mapped_column(String(320))
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    subject: Mapped[str] = mapped_column(String(1000))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
