"""What customers are told, and by which channels. The texts are in `templates/<language>/<name>.{txt,html}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LANGUAGE = "en"
"""The one that there is; a second one is a second folder and a column of the contacts."""


class Channel(StrEnum):
    """How a message reaches somebody."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Category(StrEnum):
    """Why somebody gets a message."""

    TRANSACTIONAL = "transactional"
    """About something that he did: it belongs to it, and can't be declined altogether."""
    MARKETING = "marketing"
    """Because we would like something: he may decline."""


@dataclass(frozen=True)
class Kind:
    """One kind of message; the name is its template's."""

    name: str
    channels: tuple[Channel, ...] = (Channel.EMAIL,)
    category: Category = Category.TRANSACTIONAL


_EMAIL_PUSH = (Channel.EMAIL, Channel.PUSH)
_ALL = (Channel.EMAIL, Channel.SMS, Channel.PUSH)

WELCOME = Kind("welcome")
PASSWORD_RESET = Kind("password_reset")
ORDER_CONFIRMED = Kind("order_confirmed", _EMAIL_PUSH)
ORDER_CANCELLED = Kind("order_cancelled", _EMAIL_PUSH)
PAYMENT_DECLINED = Kind("payment_declined", _ALL)
PAYMENT_REFUNDED = Kind("payment_refunded")
ORDER_DISPATCHED = Kind("order_dispatched", _ALL)
ORDER_DELIVERED = Kind("order_delivered", _EMAIL_PUSH)
REVIEW_INVITATION = Kind("review_invitation", _EMAIL_PUSH, Category.MARKETING)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        WELCOME,
        PASSWORD_RESET,
        ORDER_CONFIRMED,
        ORDER_CANCELLED,
        PAYMENT_DECLINED,
        PAYMENT_REFUNDED,
        ORDER_DISPATCHED,
        ORDER_DELIVERED,
        REVIEW_INVITATION,
    )
}
