"""Messages as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from reference_impl.services.notification.kinds import Channel
from reference_impl.services.notification.models import NotificationState
from reference_impl.shared.types import View


class NotificationView(View):
    """One message to one user by one channel; what it says is only the receiver's to read."""

    id: Annotated[str, Field(description="The same at every try; an email's Message-ID is made from it.")]
    user_id: str
    template: str
    fact: Annotated[str, Field(description="What it is about, such as an order's id.")]
    channel: Channel
    state: NotificationState
    attempts: int
    due_at: Annotated[datetime, Field(description="When it is tried next, or was last.")]
    last_error: str | None
    created_at: datetime
    sent_at: datetime | None


class NotificationPage(View):
    """Some messages, and where to go on."""

    notifications: list[NotificationView]
    next: int | None


class SinkMessageView(View):
    """A message that came out, as its receiver would see it."""

    channel: Channel
    message_id: Annotated[str, Field(description="Two with the same one are one message that was sent twice.")]
    sender: str
    recipient: str
    subject: str
    text: str
    html: str | None
    received_at: datetime


class SinkPage(View):
    """Some of what came out, and where to go on."""

    messages: list[SinkMessageView]
    next: int | None
