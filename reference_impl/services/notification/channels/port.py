"""What a channel is: it takes a message, or says why not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from reference_impl.services.notification.rendering import Rendered

OUTAGE = "notification.provider-outage"
"""The fault flag that every channel plays."""


class Temporary(Exception):
    """Not now, perhaps later. The message is a short reason, with nothing of the receiver in it: it is logged."""


class Permanent(Exception):
    """Not now and not later. The message is likewise."""


@dataclass(frozen=True)
class Message:
    """One message on its way out."""

    id: str
    """The same at every try."""
    attempt: int
    recipient: str
    """An email address, a telephone number or a device's token."""
    name: str
    content: Rendered


class ChannelPort(ABC):
    """Carries messages. Belongs to the one thread that sends."""

    @abstractmethod
    def send(self, message: Message) -> None:
        """Return when the other side has taken it. Raises Temporary and Permanent, within a bounded time.

        After a Temporary it is not known whether the other side has it: sending it again may deliver it twice.
        """

    @abstractmethod
    def close(self) -> None:
        """End of a batch: let go of what was kept open."""
