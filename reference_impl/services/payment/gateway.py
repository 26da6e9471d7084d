"""The payment gateway: a port, and a simulated one.

As with real gateways, every call names an idempotency key: asked twice under one key, it charges once and answers the same.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass

from reference_impl.shared.faults import Faults

DECLINED_CARDS = {
    "tok_declined": "card_declined",
    "tok_insufficient_funds": "insufficient_funds",
    "tok_expired": "expired_card",
}


@dataclass(frozen=True)
class Authorised:
    """The money is set aside."""

    reference: str


@dataclass(frozen=True)
class Declined:
    """The gateway refuses, for good."""

    code: str


class PaymentGateway(ABC):
    """Takes money in two steps. Any method may raise when the gateway can't be reached: try again under the same key."""

    @abstractmethod
    def authorise(self, *, key: str, card: str, amount_cents: int, currency: str) -> Authorised | Declined:
        """Set the amount aside on the card."""

    @abstractmethod
    def capture(self, reference: str, *, key: str) -> None:
        """Take what was set aside."""


class SimulatedGateway(PaymentGateway):
    """Answers by card token and fault flags; the same key always gets the same answer while the flags stay as they are."""

    def __init__(self, faults: Faults, stopping: threading.Event) -> None:
        self._faults = faults
        self._stopping = stopping

    def authorise(self, *, key: str, card: str, amount_cents: int, currency: str) -> Authorised | Declined:
        self._faults.delay("payment.delay", self._stopping)
        if card in DECLINED_CARDS:
            return Declined(DECLINED_CARDS[card])
        if self._faults.hits("payment.decline", key):
            return Declined("do_not_honor")
        return Authorised(hashlib.sha256(f"{key}|{amount_cents}|{currency}".encode()).hexdigest()[:24])

    def capture(self, reference: str, *, key: str) -> None:
        return None
