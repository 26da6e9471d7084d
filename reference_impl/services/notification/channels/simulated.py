"""SMS and push messages by providers that exist only here, and fail as real ones do: now and then, and for some for good."""

from __future__ import annotations

from reference_impl.services.notification.channels.port import (
    OUTAGE,
    ChannelPort,
    Message,
    Permanent,
    Temporary,
)
from reference_impl.services.notification.kinds import Channel
from reference_impl.services.notification.settings import NotificationSettings
from reference_impl.services.notification.sink import Sink
from reference_impl.shared.faults import Faults

UNKNOWN_NUMBER = "0000"
"""Telephone numbers that end like this are not in service."""
GONE_DEVICE = "gone"
"""Devices whose token begins like this have deleted the app."""


class SimulatedProvider(ChannelPort):
    """A provider of one channel; what it takes lies in the sink. Asked twice under one id, it takes a message once."""

    def __init__(self, channel: Channel, settings: NotificationSettings, faults: Faults, sink: Sink) -> None:
        self._channel = channel
        self._settings = settings
        self._faults = faults
        self._sink = sink

    def send(self, message: Message) -> None:
        token = f"{message.id}:{message.attempt}"
        if self._faults.hits(OUTAGE, token):
            raise Temporary("the provider is away")
        if self._faults.dice(f"notification.{self._channel}", token) < self._settings.simulated_failures:
            raise Temporary("the provider is busy")
        if self._channel is Channel.SMS and message.recipient.endswith(UNKNOWN_NUMBER):
            raise Permanent("the number is not in service")
        if self._channel is Channel.PUSH and message.recipient.startswith(GONE_DEVICE):
            raise Permanent("the device does not know us any more")
        self._sink.take(
            self._channel,
            message_id=message.id,
            sender="Meridian",
            recipient=message.recipient,
            subject="",
            text=message.content.short,
            html=None,
            once=True,
        )

    def close(self) -> None:
        """Nothing was kept open."""
