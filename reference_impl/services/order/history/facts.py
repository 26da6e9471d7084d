"""What can happen to an order. A fact is written once and never changed; the class name is its type in the table.

These are the order service's own words, for its own table. What it tells the others is in `events.py`: that is a contract
with them, this may change whenever `upcast.py` can still read what was written before.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """One thing that happened to one order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    """Goes up when a field is added, removed or changes its meaning; `upcast.py` then learns to read the older one."""


class OrderedLine(BaseModel):
    """Some units of one product at the price of the day."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    sku: str
    quantity: int
    unit_price_cents: int


class Placed(Fact):
    """A customer wants this. The first fact of every order."""

    customer_id: str | None
    lines: tuple[OrderedLine, ...]
    total_cents: int
    currency: str
    card: str


class StockReserved(Fact):
    """Inventory holds all of its units."""


class PaymentAsked(Fact):
    """The money was asked for, with this card."""

    attempt: int
    card: str


class PaymentAuthorised(Fact):
    """The card's bank has set the money aside. Only the orchestrated saga hears of it."""

    attempt: int


class PaymentTaken(Fact):
    """The money is ours."""

    attempt: int


class PaymentRefused(Fact):
    """The card was declined."""

    version: ClassVar[int] = 2
    """2 added `final`: a first version knew only the code, see `upcast.py`."""

    attempt: int
    code: str
    final: bool
    """Whether this card will be declined for ever (stolen, expired), so that trying it again is refused here."""
    pay_by: datetime | None
    """Until when another card may be tried; None when somebody outside decides."""


class Confirmed(Fact):
    """The order is paid: its units are the customer's."""


class ShipmentStopAsked(Fact):
    """A paid order shall be cancelled: shipping was asked to keep it in the house."""

    reason: str


class Cancelled(Fact):
    """The order is off, for good. What was taken or reserved for it is given back from here on."""

    reason: str


class MoneyReturned(Fact):
    """Payment has given back whatever was set aside or taken."""


class StockReturned(Fact):
    """Inventory has put the units back."""


class Shipped(Fact):
    """The parcel has left the house: from here on nothing can be undone by an event."""


class Delivered(Fact):
    """The parcel has arrived."""


TYPES: dict[str, type[Fact]] = {
    fact.__name__: fact
    for fact in (
        Placed,
        StockReserved,
        PaymentAsked,
        PaymentAuthorised,
        PaymentTaken,
        PaymentRefused,
        Confirmed,
        ShipmentStopAsked,
        Cancelled,
        MoneyReturned,
        StockReturned,
        Shipped,
        Delivered,
    )
}


class Recorded(BaseModel):
    """A fact in its place in an order's history."""

    model_config = ConfigDict(frozen=True)

    order_id: str
    sequence: int
    """Counts an order's facts: 1, 2, 3, without gaps."""
    occurred_at: datetime
    fact: Fact
