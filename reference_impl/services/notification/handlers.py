"""What follows from each event: which messages, about which fact, with which variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy.orm import Session

from reference_impl.services.notification import events, kinds
from reference_impl.services.notification.kinds import Kind
from reference_impl.services.notification.service import NotificationService
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, Reading
from reference_impl.shared.inbox import Inbox


@dataclass(frozen=True)
class AboutOrder:
    """An event about an order, and what its customer is told."""

    view: type[Reading]
    kinds: tuple[Kind, ...]
    fact: tuple[str, ...] = ("order_id",)
    """The fields that name the fact: a second event with the same ones tells nothing new."""


ABOUT_ORDERS: Mapping[str, AboutOrder] = {
    "OrderConfirmed": AboutOrder(events.OrderConfirmedView, (kinds.ORDER_CONFIRMED,)),
    "OrderCancelled": AboutOrder(events.OrderCancelledView, (kinds.ORDER_CANCELLED,)),
    "PaymentDeclined": AboutOrder(
        events.PaymentDeclinedView, (kinds.PAYMENT_DECLINED,), ("order_id", "attempt")
    ),
    "PaymentRefunded": AboutOrder(events.PaymentRefundedView, (kinds.PAYMENT_REFUNDED,)),
    "ShipmentDispatched": AboutOrder(
        events.ShipmentDispatchedView, (kinds.ORDER_DISPATCHED,), ("shipment_id",)
    ),
    "ShipmentDelivered": AboutOrder(
        events.ShipmentDeliveredView, (kinds.ORDER_DELIVERED, kinds.REVIEW_INVITATION), ("shipment_id",)
    ),
}


def handlers(database: Database, inbox: Inbox) -> dict[str, Callable[[Event], None]]:
    """The handlers of all events; each takes effect once."""
    effects: dict[str, Callable[[Session, Event], None]] = {
        "UserRegistered": _registered,
        "PasswordResetRequested": _password_reset,
        "OrderCreated": _order_created,
        **dict.fromkeys(ABOUT_ORDERS, _about_order),
    }
    return {name: inbox.once(database, effect) for name, effect in effects.items()}


def _registered(session: Session, event: Event) -> None:
    user = event.read(events.UserRegisteredView)
    service = NotificationService(session)
    service.register(user.user_id, user.email, user.name)
    service.plan(kinds.WELCOME, user.user_id, user.user_id, {})


def _password_reset(session: Session, event: Event) -> None:
    reset = event.read(events.PasswordResetRequestedView)
    expires = reset.expires_at.astimezone(UTC).strftime("%H:%M UTC on %-d %B %Y")
    # Each request is a fact of its own, and the event alone names it: the token is nothing to keep in a key.
    variables = {"token": reset.token, "expires": expires}
    service = NotificationService(session)
    service.plan(kinds.PASSWORD_RESET, reset.user_id, event.id, variables, not_after=reset.expires_at)


def _order_created(session: Session, event: Event) -> None:
    order = event.read(events.OrderCreatedView)
    for held in NotificationService(session).belongs(order.order_id, order.customer_id):
        _about_order(session, held)


def _about_order(session: Session, event: Event) -> None:
    """Tell the order's customer, or wait until it is known who that is. An order of nobody's concerns nobody."""
    about = ABOUT_ORDERS[event.type]
    variables = event.read(about.view).model_dump(mode="json")
    service = NotificationService(session)
    owner = service.owner(variables["order_id"])
    if not owner.known:
        service.hold(variables["order_id"], event)
    elif owner.customer_id is not None:
        fact = ":".join(str(variables[field]) for field in about.fact)
        for kind in about.kinds:
            service.plan(kind, owner.customer_id, fact, variables)
