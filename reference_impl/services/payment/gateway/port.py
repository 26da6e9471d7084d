"""What the payment service needs of a gateway.

Every call names an idempotency key, and the key names the charge: asked twice under one key, a gateway acts once and
answers the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum


class ChargeState(StrEnum):
    """How far a charge has come at the gateway."""

    AUTHORISED = "authorised"
    """The money is set aside on the card."""
    DECLINED = "declined"
    CAPTURED = "captured"
    """The money is ours."""
    VOIDED = "voided"
    """What was set aside is free again; nothing can be taken under this key any more."""
    REFUNDED = "refunded"


@dataclass(frozen=True)
class Charge:
    """A charge as the gateway knows it."""

    key: str
    state: ChargeState
    reference: str
    """The gateway's own name for it."""
    code: str | None = None
    """Why it was declined."""
    final: bool = False
    """Whether this card will be declined whenever it is tried (a hard decline)."""


class OutcomeUnknown(Exception):
    """No answer: the gateway may have done it or not. Find out before anything else is done with this charge."""


class PaymentGateway(ABC):
    """Takes money in two steps, and gives it back. Each method answers with the charge as it is then.

    Any of them may raise OutcomeUnknown: the call may have taken effect.
    """

    @abstractmethod
    def authorise(self, key: str, *, card: str, amount_cents: int, currency: str) -> Charge:
        """Set the amount aside on the card, or decline."""

    @abstractmethod
    def capture(self, key: str) -> Charge:
        """Take what was set aside. A charge that is not authorised stays as it is."""

    @abstractmethod
    def void(self, key: str) -> Charge:
        """Free what was set aside, and refuse to set it aside later. A captured charge stays captured."""

    @abstractmethod
    def refund(self, key: str) -> Charge:
        """Give back what was taken, all of it. A charge that is not captured stays as it is."""

    @abstractmethod
    def find(self, key: str) -> Charge | None:
        """The charge under this key, None when the gateway never heard of it."""
