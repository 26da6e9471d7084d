"""The simulated gateway's own books.

They lie in the payment service's database so that there is no further one to run, but they are somebody else's: the service
never reads them, and the gateway writes them in transactions of its own. So a charge stays when the service forgets its
answer or dies before it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from reference_impl.services.payment.gateway.port import ChargeState
from reference_impl.services.payment.models import Base
from reference_impl.shared.database import UtcDateTime, stored_as_value


class GatewayCharge(Base):
    """One charge; its key is the caller's idempotency key."""

    __tablename__ = "gateway_charges"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    state: Mapped[ChargeState] = mapped_column(stored_as_value(ChargeState))
    reference: Mapped[str] = mapped_column(String(32))
    code: Mapped[str | None] = mapped_column(String(64))
    final: Mapped[bool]
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    captures: Mapped[int]
    """How often money was really taken: whatever is retried, never more than once."""


class GatewayNotice(Base):
    """A webhook that the gateway has still to deliver."""

    __tablename__ = "gateway_notices"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(32))
    """Names what is told; a second delivery carries the same."""
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    due: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int]
