"""What both variants of the checkout offer to the rest of the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from reference_impl.services.order.catalogue import Price
from reference_impl.services.order.history.fold import OrderState
from reference_impl.services.order.history.recent import Recent
from reference_impl.services.order.service import OrderService, UnknownOrder
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Effect, Poison
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.types import Line

OVERDUE_AT_ONCE = 50


@dataclass(frozen=True)
class Terms:
    """The settings that a checkout goes by."""

    payment_window: timedelta | None
    """How long a declined order waits for another card; None: a consumer outside decides."""
    pending_timeout: timedelta
    """How long inventory has to answer."""
    step_timeout: timedelta
    """How long a service has to answer a command before it is sent again."""
    step_tries: int
    shipping: bool
    snapshot_every: int

    @property
    def payment_timeout(self) -> timedelta:
        """How long a payment has to come to an end."""
        return self.step_timeout * self.step_tries


class Checkout(ABC):
    """Leads orders through the other services, within sessions of the caller's."""

    def __init__(self, terms: Terms, outbox: Outbox) -> None:
        self._terms = terms
        self._outbox = outbox
        self._recent = Recent()

    def orders(self, session: Session) -> OrderService:
        """The orders that this checkout is about."""
        return OrderService(session, self._outbox, self._terms.snapshot_every, self._recent)

    @abstractmethod
    def place(
        self,
        session: Session,
        lines: Sequence[Line],
        prices: Mapping[str, Price],
        *,
        customer_id: str | None,
        card: str,
    ) -> OrderState:
        """A new order, and the first step of its checkout. Raises Problem 422."""

    @abstractmethod
    def pay_again(self, session: Session, order_id: str, card: str) -> OrderState:
        """Try another card after a decline. Raises Problem 404 and 409."""

    @abstractmethod
    def cancel(self, session: Session, order_id: str, reason: str, *, refund: bool) -> OrderState:
        """Cancel an order and undo what was done for it. Raises Problem 404 and 409."""

    @abstractmethod
    def replies(self) -> Mapping[str, Effect]:
        """What to do with which event of other services."""

    @abstractmethod
    def overdue(self, session: Session) -> int:
        """Look after some orders that have waited too long; how many."""


def known(effect: Effect) -> Effect:
    """An effect for which an unknown order is no reason to try again: the event can never be handled."""

    def handle(session: Session, event: Event) -> None:
        try:
            effect(session, event)
        except UnknownOrder as unknown:
            raise Poison(str(unknown)) from unknown

    return handle
