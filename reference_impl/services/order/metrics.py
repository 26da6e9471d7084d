"""What the order service counts. Everything is counted after the commit: what was rolled back did not happen."""

from __future__ import annotations

from prometheus_client import Counter, Histogram
from sqlalchemy.orm import Session

from reference_impl.services.order.history.fold import OrderState, OrderStatus
from reference_impl.shared.database import when_committed

PLACED = Counter("meridian_order_placed_total", "Orders that customers have placed.")
CONFIRMED = Counter("meridian_order_confirmed_total", "Orders that were paid.")
CANCELLED = Counter("meridian_order_cancelled_total", "Orders that were cancelled, by why.", ["reason"])
CHECKOUT_SECONDS = Histogram(
    "meridian_order_checkout_seconds",
    "From placing an order until it is confirmed.",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
CONFLICTS = Counter(
    "meridian_order_append_conflicts_total", "Appends that found a newer history and were decided again."
)
RESENT = Counter(
    "meridian_order_saga_resent_total", "Commands that were sent again because nobody answered.", ["step"]
)
GIVEN_UP = Counter(
    "meridian_order_saga_given_up_total", "Checkouts that took the way back after silence.", ["step"]
)
PROJECTED = Counter("meridian_order_projected_total", "Orders that the slower projections have taken up.")

_OWN_REASONS = ("out_of_stock", "timed_out", "payment_timeout")


def changed(session: Session, before: OrderState | None, after: OrderState) -> None:
    """Count what this change means, once it is committed."""
    if before is None:
        when_committed(session, PLACED.inc)
    elif after.status is OrderStatus.CONFIRMED and before.status is not OrderStatus.CONFIRMED:
        seconds = (after.updated_at - after.created_at).total_seconds()
        when_committed(session, CONFIRMED.inc)
        when_committed(session, lambda: CHECKOUT_SECONDS.observe(seconds))
    elif after.status is OrderStatus.CANCELLED and before.status is not OrderStatus.CANCELLED:
        when_committed(session, CANCELLED.labels(_label(after)).inc)


def resent(session: Session, step: str) -> None:
    """A command was sent again."""
    when_committed(session, RESENT.labels(step).inc)


def given_up(session: Session, step: str) -> None:
    """A checkout takes the way back because nobody answered."""
    when_committed(session, GIVEN_UP.labels(step).inc)


def projected(session: Session, orders: int) -> None:
    """The slower projections have taken up some orders."""
    when_committed(session, lambda: PROJECTED.inc(orders))


def _label(state: OrderState) -> str:
    """Few values, because each is a time series: what customers write as their reason is not one."""
    if state.reason in _OWN_REASONS:
        return str(state.reason)
    return "declined" if state.after_decline else "asked_for"
