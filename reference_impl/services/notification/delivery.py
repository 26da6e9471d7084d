"""The way out: messages that are due are claimed, sent, and what came of it is noted.

    claim some (a transaction)  ──►  send each (none)  ──►  note what came of them (a transaction, after a second at the latest)

A crash between sending and noting sends again after the lease: at least once, never silently not at all. The alternative,
noting first, loses a message in that moment, and nobody would know. A repetition has the first one's id, so that one can tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from jinja2 import TemplateError
from sqlalchemy import select
from sqlalchemy.orm import Session

from reference_impl.services.notification import metrics, policy
from reference_impl.services.notification.channels.port import ChannelPort, Message, Permanent, Temporary
from reference_impl.services.notification.events import NotificationSent
from reference_impl.services.notification.kinds import KINDS, Channel
from reference_impl.services.notification.models import Contact, Notification, NotificationState
from reference_impl.services.notification.policy import Preferences
from reference_impl.services.notification.rendering import one_line, render
from reference_impl.services.notification.service import NotificationService
from reference_impl.services.notification.settings import NotificationSettings
from reference_impl.shared import logs
from reference_impl.shared.database import Database, when_committed
from reference_impl.shared.events import now
from reference_impl.shared.outbox import Outbox

BATCH = 50
NOTE_SECONDS = 1.0
"""What came of a batch is noted as a whole, but what is done of a slow one at least so often."""
_log = logs.logger("meridian.notification")


@dataclass(frozen=True)
class Claim:
    """A message that is ours to send for the time of the lease."""

    notification: Notification
    recipient: str | None
    """None: the user service has not told us yet."""
    name: str


Tried = tuple[Notification, Temporary | Permanent | None]
"""A message that was handed over, or why it was not."""


class Delivery:
    """Sends what is due."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        channels: Mapping[Channel, ChannelPort],
        settings: NotificationSettings,
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._channels = channels
        self._settings = settings
        self._stopping = stopping

    def run(self) -> int:
        """Send all that is due; how many tries that were."""
        tried, full = 0, True
        while full and not self._stopping.is_set():
            claims = self.claim()
            full = len(claims) == BATCH
            tried += len(claims)
            try:
                self._send_all(claims)
            finally:
                for channel in self._channels.values():
                    channel.close()
        return tried

    def claim(self) -> list[Claim]:
        """Take what is due, so that no other process does for a while, and end what should not be sent any more."""
        claims = []
        with self._database.write() as session:
            service = NotificationService(session)
            query = (
                select(Notification)
                .where(Notification.state == NotificationState.QUEUED, Notification.due_at <= now())
                .order_by(Notification.due_at)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            )
            found = session.scalars(query).all()
            if not found:
                return []
            users = {notification.user_id for notification in found}
            chosen, contacts = service.preferences_of(users), service.contacts_of(users)
            for notification in found:
                user = notification.user_id
                claim = self._claimed(session, notification, chosen[user], contacts.get(user))
                if claim is not None:
                    claims.append(claim)
        return claims

    def note(self, tried: Sequence[Tried]) -> None:
        """Write down what came of some tries, but not of those whose lease ran out: somebody else tries them meanwhile."""
        attempts = {notification.number: notification.attempts for notification, _ in tried}
        failures = {notification.number: failure for notification, failure in tried}
        with self._database.write() as session:
            query = select(Notification).where(Notification.number.in_(attempts)).with_for_update()
            # In the order of the users, which are the keys of what is told: two processes never wait in a circle.
            found = sorted(session.scalars(query.order_by(Notification.number)), key=lambda one: one.user_id)
            ours = [
                notification
                for notification in found
                if (notification.state, notification.attempts)
                == (NotificationState.QUEUED, attempts[notification.number])
            ]
            for notification in ours:
                self._note(session, notification, failures[notification.number])
            session.flush()
            for notification in ours:
                if notification.state is NotificationState.SENT:
                    self._tell(session, notification)

    def _note(
        self, session: Session, notification: Notification, failure: Temporary | Permanent | None
    ) -> None:
        if failure is None:
            notification.sent_at = now()
            _end(session, notification, NotificationState.SENT, None)
        elif isinstance(failure, Permanent) or notification.attempts >= self._settings.tries:
            _end(session, notification, NotificationState.DEAD, str(failure))
        else:
            pause = min(
                self._settings.longest_retry_seconds,
                self._settings.retry_seconds * 4 ** (notification.attempts - 1),
            )
            notification.due_at = now() + timedelta(seconds=pause)
            notification.last_error = str(failure)
            _count(session, notification, "retried")

    def _claimed(
        self, session: Session, notification: Notification, chosen: Preferences, contact: Contact | None
    ) -> Claim | None:
        at = now()
        due_at = policy.when(KINDS[notification.template], notification.channel, chosen, at)
        if notification.not_after is not None and notification.not_after <= at:
            _end(session, notification, NotificationState.EXPIRED, "too late to be of use")
        elif due_at is None:
            _end(session, notification, NotificationState.SUPPRESSED, "not wanted any more")
        elif due_at > at:
            notification.due_at = due_at
        elif notification.attempts >= self._settings.tries:
            _end(session, notification, NotificationState.DEAD, "whoever tried it did not come back")
        else:
            notification.attempts += 1
            notification.due_at = at + timedelta(seconds=self._settings.lease_seconds)
            email = None if contact is None else contact.email
            by_email = notification.channel is Channel.EMAIL
            return Claim(
                notification,
                recipient=email if by_email else chosen.address(notification.channel),
                name="" if contact is None else one_line(contact.name),
            )
        return None

    def _send_all(self, claims: Sequence[Claim]) -> None:
        """Send until told to stop, and note a slow batch piece by piece."""
        tried: list[Tried] = []
        since = time.monotonic()
        try:
            for claim in claims:
                if self._stopping.is_set():
                    break
                tried.append((claim.notification, self._send(claim)))
                if time.monotonic() - since >= NOTE_SECONDS:
                    self.note(tried)
                    tried, since = [], time.monotonic()
        finally:
            if tried:
                self.note(tried)

    def _send(self, claim: Claim) -> Temporary | Permanent | None:
        notification = claim.notification
        if claim.recipient is None:
            return Temporary("the user service has not told an address yet")
        try:
            content = render(
                KINDS[notification.template], {"name": claim.name or "customer"} | notification.variables
            )
            message = Message(notification.id, notification.attempts, claim.recipient, claim.name, content)
            self._channels[notification.channel].send(message)
        except (Temporary, Permanent) as failure:
            return failure
        except TemplateError as error:
            return Permanent(f"the template is broken: {type(error).__name__}")
        return None

    def _tell(self, session: Session, notification: Notification) -> None:
        assert notification.sent_at is not None
        sent = NotificationSent(
            notification_id=notification.id,
            user_id=notification.user_id,
            template=notification.template,
            channel=notification.channel,
        )
        self._outbox.add(session, sent, key=notification.user_id)
        delay = (notification.sent_at - notification.created_at).total_seconds()
        channel = metrics.DELAY_SECONDS.labels(notification.channel.value)
        when_committed(session, lambda: channel.observe(delay))


def _end(session: Session, notification: Notification, state: NotificationState, reason: str | None) -> None:
    notification.state = state
    notification.last_error = reason
    if state is not NotificationState.DEAD:
        notification.variables = {}
    _count(session, notification, state.value)
    if state is not NotificationState.SENT:
        _log.warning(
            "message not sent",
            notification_id=notification.id,
            template=notification.template,
            channel=notification.channel,
            state=state,
            reason=reason,
        )


def _count(session: Session, notification: Notification, outcome: str) -> None:
    count = metrics.MESSAGES.labels(notification.channel.value, notification.template, outcome)
    when_committed(session, count.inc)
