"""The order service's tables.

`order_events` is the truth; `order_snapshots` only makes reading it shorter. The rest is made from it: `orders` and
`order_lines` in the transaction that appends, `customer_orders` and `daily_sales` a moment later (see `projections.py`).
`sagas` is not made from it: how far a checkout has come with the other services is a matter of its own.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from reference_impl.services.order.history.fold import OrderStatus
from reference_impl.shared.database import UtcDateTime, stored_as_value

Document = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """Everything this service owns."""


class OrderEvent(Base):
    """One fact of one order's history: inserted once, never updated or deleted.

    On PostgreSQL the table is partitioned by month. A unique key of a partitioned table has to contain the partition key,
    because each partition has an index of its own. Were that the month of each event, two writers could both append fact 7
    of one order, one just before midnight on the last of the month and one after. So the key is the month in which the
    *order* was placed: it is the same for all of its facts, (order_id, sequence) is unique again, and one order's history
    lies in one partition. The month is in the order's id (`ids.py`), so whoever knows the id looks into one partition only.
    """

    __tablename__ = "order_events"
    __table_args__ = (
        PrimaryKeyConstraint("order_id", "sequence", "month"),
        {"postgresql_partition_by": "RANGE (month)"},
    )

    month: Mapped[date] = mapped_column(Date)
    """The first day of the month in which the order was placed: the partition key."""
    order_id: Mapped[str] = mapped_column(String(32))
    sequence: Mapped[int]
    """Counts an order's facts: 1, 2, 3, without gaps. Who appends one that is there already has read an old history."""
    type: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    """Version of the payload's schema."""
    payload: Mapped[dict[str, Any]] = mapped_column(Document)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OrderSnapshot(Base):
    """What an order was after some of its facts. May be deleted at any time."""

    __tablename__ = "order_snapshots"

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sequence: Mapped[int]
    """The last fact in it."""
    schema: Mapped[int]
    """The version of the code's idea of an order; a snapshot of another one is not used."""
    state: Mapped[dict[str, Any]] = mapped_column(Document)


class Order(Base):
    """An order as it is now: a projection, kept in the transaction that appends the facts."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("total_cents >= 0", name="total_not_negative"),
        Index("orders_of_a_customer", "customer_id", "number"),
        Index(
            "orders_not_projected",
            "number",
            sqlite_where=text("projected < version"),
            postgresql_where=text("projected < version"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts up; the cursor of pages."""
    id: Mapped[str] = mapped_column(String(32), unique=True)
    """What everybody else calls the order; the key of its events."""
    version: Mapped[int]
    """The sequence of the last fact in this row."""
    projected: Mapped[int] = mapped_column(default=0)
    """The last fact that the slower projections have seen."""
    customer_id: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[OrderStatus] = mapped_column(stored_as_value(OrderStatus), index=True)
    attempt: Mapped[int]
    """The payment attempt under way or last made; 0 before the first."""
    total_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str | None] = mapped_column(String(100))
    """Why it was declined or cancelled."""
    pay_by: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """Until when a declined order may still be paid; None when nobody here watches the clock."""
    money_returned: Mapped[bool]
    stock_returned: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lines: Mapped[list[OrderLine]] = relationship(back_populates="order", order_by="OrderLine.id", lazy="raise")


class OrderLine(Base):
    """Some units of one product at the price of the day."""

    __tablename__ = "order_lines"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_number: Mapped[int] = mapped_column(ForeignKey("orders.number"), index=True)
    sku: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[int]
    unit_price_cents: Mapped[int] = mapped_column(BigInteger)
    order: Mapped[Order] = relationship(back_populates="lines", lazy="raise")


class CustomerOrder(Base):
    """One order in its customer's history, and what it adds to the sales of its day. Projected a moment later."""

    __tablename__ = "customer_orders"
    __table_args__ = (Index("history_of_a_customer", "customer_id", "placed_at"),)

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(String(64))
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[OrderStatus] = mapped_column(stored_as_value(OrderStatus))
    currency: Mapped[str] = mapped_column(String(3))
    total_cents: Mapped[int] = mapped_column(BigInteger)
    units: Mapped[int]
    paid: Mapped[bool]
    refunded: Mapped[bool]


class DailySales(Base):
    """What was sold on one day, counted by the day on which the orders were placed (UTC). Projected a moment later."""

    __tablename__ = "daily_sales"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    orders: Mapped[int]
    """Paid orders, also those that were given back since."""
    units: Mapped[int]
    revenue_cents: Mapped[int] = mapped_column(BigInteger)
    refunded_cents: Mapped[int] = mapped_column(BigInteger)


class Saga(Base):
    """How far one order's checkout has come with the other services. Only the orchestrated variant has these."""

    __tablename__ = "sagas"
    __table_args__ = (
        Index(
            "sagas_by_deadline",
            "deadline",
            sqlite_where=text("deadline IS NOT NULL"),
            postgresql_where=text("deadline IS NOT NULL"),
        ),
    )

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    step: Mapped[str] = mapped_column(String(32))
    """Whose answer it waits for, see `saga/machine.py`."""
    state: Mapped[str] = mapped_column(String(32))
    """running, compensating or finished."""
    attempt: Mapped[int]
    """How often this step's command was sent."""
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the step is overdue; None when nobody is waited for."""
    last_error: Mapped[str | None] = mapped_column(String(200))
    """Why the step had to be repeated, or the way back was taken."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
