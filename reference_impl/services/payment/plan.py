"""What is asked of the gateway next: a pure function of what we know and what we want, so that a restart needs nothing else.

REQUESTED ──authorise──► AUTHORISED ──capture──► CAPTURED ──refund──► REFUNDED
    │  └───────────────► DECLINED ◄───┘ │            only when the order is closed
    └────────void (order closed)────────┴──► VOIDED
"""

from __future__ import annotations

from enum import StrEnum

from reference_impl.services.payment.models import PaymentStatus


class Operation(StrEnum):
    """What the gateway can be asked to do."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


def next_operation(status: PaymentStatus, *, closed: bool, capture_wanted: bool) -> Operation | None:
    """What to ask for a payment; None when it is where it shall be.

    `closed`: the order is cancelled, so nothing may stay taken or set aside.
    """
    match status:
        case PaymentStatus.REQUESTED:
            return Operation.VOID if closed else Operation.AUTHORISE
        case PaymentStatus.AUTHORISED if closed:
            return Operation.VOID
        case PaymentStatus.AUTHORISED if capture_wanted:
            return Operation.CAPTURE
        case PaymentStatus.CAPTURED if closed:
            return Operation.REFUND
        case _:
            return None
