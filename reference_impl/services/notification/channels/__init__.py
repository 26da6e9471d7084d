"""The ways out of the house, each behind the same port."""

from __future__ import annotations

from collections.abc import Mapping

from reference_impl.services.notification.channels.email import EmailChannel
from reference_impl.services.notification.channels.port import ChannelPort
from reference_impl.services.notification.channels.simulated import SimulatedProvider
from reference_impl.services.notification.kinds import Channel
from reference_impl.services.notification.settings import NotificationSettings
from reference_impl.services.notification.sink import Sink
from reference_impl.shared.faults import Faults


def open_channels(settings: NotificationSettings, faults: Faults, sink: Sink) -> Mapping[Channel, ChannelPort]:
    """A way out for each channel, as the settings say."""
    return {
        Channel.EMAIL: EmailChannel(settings, faults, sink.address),
        Channel.SMS: SimulatedProvider(Channel.SMS, settings, faults, sink),
        Channel.PUSH: SimulatedProvider(Channel.PUSH, settings, faults, sink),
    }
