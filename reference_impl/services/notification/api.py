"""The notification service over HTTP, on the bus, and by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import select

from reference_impl.services.notification.channels import open_channels
from reference_impl.services.notification.delivery import Delivery
from reference_impl.services.notification.handlers import handlers
from reference_impl.services.notification.kinds import Channel
from reference_impl.services.notification.models import Base, NotificationState, SinkMessage
from reference_impl.services.notification.policy import Preferences
from reference_impl.services.notification.service import NotificationService
from reference_impl.services.notification.settings import NotificationSettings
from reference_impl.services.notification.sink import Sink
from reference_impl.services.notification.tidying import tidy
from reference_impl.services.notification.views import (
    NotificationPage,
    NotificationView,
    SinkMessageView,
    SinkPage,
)
from reference_impl.shared.auth import Caller, Role, forbidden, needs
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.problems import responses
from reference_impl.shared.routes import gathered
from reference_impl.shared.runtime import Chore, Context, Service
from reference_impl.shared.types import NOT_NUL, After, IdentifierPath, PageSize

NAME = "notification"
DELIVER_EVERY_SECONDS = 0.5
TIDY_EVERY_SECONDS = 3600.0
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)

UserPath = Annotated[str, Path(min_length=1, max_length=64, pattern=NOT_NUL, description="The user's id.")]


def build(context: Context) -> Service:
    """The notification service on its own database."""
    settings = NotificationSettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    channels = open_channels(settings, context.faults, Sink(database, context.stopping))
    delivery = Delivery(database, OUTBOX, channels, settings, context.stopping)
    keep = timedelta(days=settings.keep_days)
    return Service(
        NAME,
        gathered(_notifications(database), _preferences(database)),
        database,
        Relay(OUTBOX, database, context.bus),
        Consumer(NAME, handlers(database, INBOX), bus=context.bus, database=database, inbox=INBOX),
        chores=(
            Chore("delivery", DELIVER_EVERY_SECONDS, delivery.run),
            Chore("tidying", TIDY_EVERY_SECONDS, lambda: tidy(database, keep)),
        ),
    )


def _notifications(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/notifications", tags=["notifications"])
    admin = Depends(needs(Role.ADMIN))

    @routes.get("", summary="List messages", responses=responses(401, 422))
    def list_notifications(
        who: Caller,
        state: Annotated[NotificationState | None, Query(description="Only those in this state.")] = None,
        fact: Annotated[
            str | None, Query(max_length=80, pattern=NOT_NUL, description="Only those about this.")
        ] = None,
        after: After = 0,
        limit: PageSize = 50,
    ) -> NotificationPage:
        """A customer's own; all for who is inside."""
        with database.read() as session:
            found = NotificationService(session).page(who, after=after, limit=limit, state=state, fact=fact)
        more = found[-1].number if len(found) == limit else None
        views = [NotificationView.model_validate(item) for item in found]
        return NotificationPage(notifications=views, next=more)

    @routes.get(
        "/sink",
        summary="What came out while there is no real mail server",
        dependencies=[admin],
        responses=responses(401, 403, 422),
    )
    def list_sink(
        channel: Annotated[Channel | None, Query(description="Only what went this way.")] = None,
        recipient: Annotated[
            str | None, Query(max_length=320, pattern=NOT_NUL, description="Only what went there.")
        ] = None,
        after: After = 0,
        limit: PageSize = 50,
    ) -> SinkPage:
        query = select(SinkMessage).where(SinkMessage.number > after).order_by(SinkMessage.number)
        if channel is not None:
            query = query.where(SinkMessage.channel == channel)
        if recipient is not None:
            query = query.where(SinkMessage.recipient == recipient)
        with database.read() as session:
            found = session.scalars(query.limit(limit)).all()
        more = found[-1].number if len(found) == limit else None
        return SinkPage(messages=[SinkMessageView.model_validate(item) for item in found], next=more)

    @routes.post(
        "/{notification_id}/retry",
        status_code=202,
        summary="Send a message again that was given up",
        dependencies=[admin],
        responses=responses(401, 403, 404, 409, 422),
    )
    def retry_notification(notification_id: IdentifierPath) -> NotificationView:
        with database.write() as session:
            return NotificationView.model_validate(NotificationService(session).send_again(notification_id))

    return routes


def _preferences(database: Database) -> APIRouter:
    routes = APIRouter(prefix="/preferences", tags=["notifications"])

    @routes.get("/{user_id}", summary="What a user chose", responses=responses(401, 403, 422))
    def get_preferences(user_id: UserPath, who: Caller) -> Preferences:
        if not who.owns(user_id):
            raise forbidden(Role.ADMIN)
        with database.read() as session:
            return NotificationService(session).preferences(user_id)

    @routes.put("/{user_id}", summary="Choose", responses=responses(401, 403, 413, 422))
    def put_preferences(user_id: UserPath, body: Preferences, who: Caller) -> Preferences:
        if not who.owns(user_id):
            raise forbidden(Role.ADMIN)
        with database.write() as session:
            NotificationService(session).choose(user_id, body)
        return body

    return routes
