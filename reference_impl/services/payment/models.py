"""The payment service's tables: payment attempts, closed orders, and the ledger."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reference_impl.shared.database import UtcDateTime, stored_as_value
from reference_impl.shared.events import now

_MONEY_TAKEN = text("status IN ('captured', 'refunded')")
_TO_BE_ASKED = text("ask_again_at IS NOT NULL")


class Base(DeclarativeBase):
    """Everything this service owns."""


class PaymentStatus(StrEnum):
    """How far a payment attempt got, as far as we know; `plan.py` says what is asked next."""

    REQUESTED = "requested"
    """The gateway was asked, or is about to be; after a crash it is asked again under the same key."""
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


class Payment(Base):
    """One attempt to take the money of one order."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "attempt", name="one_row_an_attempt"),
        Index(
            "one_charge_an_order",
            "order_id",
            unique=True,
            sqlite_where=_MONEY_TAKEN,
            postgresql_where=_MONEY_TAKEN,
        ),
        Index(
            "payments_to_ask_about", "ask_again_at", sqlite_where=_TO_BE_ASKED, postgresql_where=_TO_BE_ASKED
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts up; the cursor of pages."""
    order_id: Mapped[str] = mapped_column(String(32), index=True)
    attempt: Mapped[int]
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    card: Mapped[str] = mapped_column(String(64))
    """The card's token; who asks again has to name it again."""
    status: Mapped[PaymentStatus] = mapped_column(
        stored_as_value(PaymentStatus), default=PaymentStatus.REQUESTED
    )
    capture_wanted: Mapped[bool] = mapped_column(default=False)
    """Whether the money shall be taken once it is set aside."""
    ask_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the gateway is asked (again) about this charge; None when there is nothing to ask."""
    asked: Mapped[int] = mapped_column(default=0)
    """How often the gateway did not answer about the operation under way."""
    gateway_reference: Mapped[str | None] = mapped_column(String(64))
    """The gateway's name for the charge."""
    decline_code: Mapped[str | None] = mapped_column(String(64))
    decline_final: Mapped[bool] = mapped_column(default=False)
    """Whether the card will be declined whenever it is tried."""
    correlation_id: Mapped[str] = mapped_column(String(64))
    """The request that set it in motion, for the events that are told when nobody waits any more."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now)

    @property
    def key(self) -> str:
        """The idempotency key under which the gateway knows this attempt."""
        return f"{self.order_id}:{self.attempt}"


class ClosedOrder(Base):
    """An order that was cancelled: whatever was or will be taken for it goes back, also when it is heard of later."""

    __tablename__ = "closed_orders"

    order_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    closed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Account(StrEnum):
    """The accounts of the ledger. A positive posting is a debit, a negative one a credit."""

    CUSTOMER_RECEIVABLE = "customer_receivable"
    """What customers owe us."""
    GATEWAY_CLEARING = "gateway_clearing"
    """What the gateway has taken for us and has still to pay out."""
    REVENUE = "revenue"
    REFUNDS = "refunds"
    """What was sold and given back; kept apart from revenue, so that both can be seen."""


class EntryKind(StrEnum):
    """Why money moved."""

    SALE = "sale"
    CAPTURE = "capture"
    REFUND = "refund"


class JournalEntry(Base):
    """One movement of money, as postings that add up to zero. Written once, never changed."""

    __tablename__ = "journal_entries"
    __table_args__ = (UniqueConstraint("payment_number", "kind", name="one_entry_a_payment_and_kind"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    payment_number: Mapped[int] = mapped_column(ForeignKey("payments.number"))
    kind: Mapped[EntryKind] = mapped_column(stored_as_value(EntryKind))
    postings: Mapped[int]
    """How many postings it has: with the last of them they have to add up."""
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Posting(Base):
    """One side of a movement on one account."""

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("amount_cents <> 0", name="posting_not_zero"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("journal_entries.id"), index=True)
    account: Mapped[Account] = mapped_column(stored_as_value(Account))
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    """Debit positive, credit negative."""
    currency: Mapped[str] = mapped_column(String(3))


# The database itself refuses an entry that does not add up: PostgreSQL when the transaction ends, SQLite with the last posting.
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION entry_adds_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM postings WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(amount_cents) <> 0) THEN
    RAISE EXCEPTION 'the postings of entry %% do not add up to zero', NEW.entry_id;
  END IF;
  RETURN NULL;
END $$
"""
_POSTGRES_TRIGGER = """
CREATE CONSTRAINT TRIGGER entry_adds_up AFTER INSERT OR UPDATE ON postings
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION entry_adds_up()
"""
_SQLITE_TRIGGER = """
CREATE TRIGGER entry_adds_up AFTER INSERT ON postings
WHEN (SELECT count(*) FROM postings WHERE entry_id = NEW.entry_id)
     >= (SELECT postings FROM journal_entries WHERE id = NEW.entry_id)
BEGIN
  SELECT RAISE(ABORT, 'the postings of an entry do not add up to zero')
  WHERE EXISTS (SELECT 1 FROM postings WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(amount_cents) <> 0);
END
"""
for dialect, statement in (
    ("postgresql", _POSTGRES_FUNCTION),
    ("postgresql", _POSTGRES_TRIGGER),
    ("sqlite", _SQLITE_TRIGGER),
):
    event.listen(Posting.__table__, "after_create", DDL(statement).execute_if(dialect=dialect))
