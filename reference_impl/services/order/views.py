"""What the order service's HTTP interface takes and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from reference_impl.services.order.history.decisions import REASON_LENGTH
from reference_impl.services.order.history.facts import Recorded
from reference_impl.services.order.history.fold import OrderStatus
from reference_impl.shared.types import MOST_LINES, NOT_NUL, Command, Flag, Line, View, each_sku_once

Card = Annotated[
    str, Field(pattern=r"^tok_[a-z0-9_]{1,60}$", description="A card token; tok_declined is always declined.")
]


class NewOrder(Command):
    """What a customer wants."""

    items: Annotated[
        list[Line],
        Field(min_length=1, max_length=MOST_LINES),
        each_sku_once("a SKU stands in two lines: add their quantities up"),
    ]
    customer_id: Annotated[
        str | None,
        Field(max_length=64, pattern=NOT_NUL, description="Whose order it is; a customer may leave it out."),
    ] = None
    card: Card = "tok_visa"


class AnotherCard(Command):
    """Another card for a declined order."""

    card: Card


class Cancellation(Command):
    """Why an order shall be cancelled."""

    reason: Annotated[str, Field(min_length=1, max_length=REASON_LENGTH, pattern=NOT_NUL)]
    refund: Annotated[
        Flag,
        Field(description="Cancel it also when it is paid, and give the money back. Not once it is shipped."),
    ] = False


class OrderLineView(View):
    """One line of an order."""

    sku: str
    quantity: int
    unit_price_cents: int


class OrderView(View):
    """An order as others see it."""

    id: str
    status: OrderStatus
    version: Annotated[int, Field(description="How many facts its history has.")]
    attempt: Annotated[
        int, Field(description="The payment attempt under way or last made; 0 before the first.")
    ]
    reason: Annotated[str | None, Field(description="Why it was declined or cancelled.")]
    pay_by: Annotated[
        datetime | None, Field(description="Until when another card may be tried; null: nobody watches.")
    ]
    customer_id: str | None
    lines: list[OrderLineView]
    total_cents: int
    currency: str
    money_returned: Annotated[bool, Field(description="Whether a cancelled order's money is back.")]
    stock_returned: Annotated[bool, Field(description="Whether a cancelled order's units are back.")]
    created_at: datetime
    updated_at: datetime


class OrderPage(View):
    """Some orders, and where to go on."""

    orders: list[OrderView]
    next: int | None


class FactView(View):
    """One thing that happened to an order."""

    sequence: int
    type: str
    version: int
    occurred_at: datetime
    payload: dict[str, Any]

    @classmethod
    def of(cls, recorded: Recorded) -> FactView:
        """A fact as others see it, in the words of today's version."""
        return cls(
            sequence=recorded.sequence,
            type=type(recorded.fact).__name__,
            version=recorded.fact.version,
            occurred_at=recorded.occurred_at,
            payload=recorded.fact.model_dump(mode="json"),
        )


class HistoryView(View):
    """Everything that happened to an order, oldest first."""

    order_id: str
    events: list[FactView]


class SagaView(View):
    """How far an order's checkout has come with the other services."""

    order_id: str
    step: str
    state: str
    attempt: Annotated[int, Field(description="How often the command of this step was sent.")]
    deadline: datetime | None
    last_error: str | None
    updated_at: datetime


class CustomerOrderView(View):
    """One order in a customer's history."""

    order_id: str
    customer_id: str | None
    placed_at: datetime
    status: OrderStatus
    currency: str
    total_cents: int
    units: int
    paid: bool
    refunded: bool


class CustomerHistoryPage(View):
    """Some orders of a customer, newest first, and where to go on. May miss the last seconds."""

    orders: list[CustomerOrderView]
    next: Annotated[str | None, Field(description="Pass it as `before` to go on with older ones.")]


class DailySalesView(View):
    """What was sold on one day, counted by when the orders were placed (UTC). May miss the last seconds."""

    day: date
    currency: str
    orders: int
    units: int
    revenue_cents: int
    refunded_cents: int


class RebuildView(View):
    """A rebuild that has begun."""

    orders: Annotated[int, Field(description="How many orders are replayed in the background.")]


class DifferenceView(View):
    """A row that is not what the history makes of it."""

    order_id: str
    column: str
    projected: str
    replayed: str


class AuditPage(View):
    """Some orders, replayed and compared with their rows."""

    checked: int
    behind: Annotated[int, Field(description="Orders that the slower projections have still to take up.")]
    differences: list[DifferenceView]
    next: int | None
