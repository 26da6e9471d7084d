"""The events that the inventory service emits, and its own view of those it reads."""

from __future__ import annotations

from reference_impl.shared.events import Payload, Reading
from reference_impl.shared.types import Line


class InventoryReserved(Payload):
    """All lines of the order are reserved."""

    order_id: str
    lines: list[Line]


class InventoryRejected(Payload):
    """There is too little of at least one line; nothing is reserved."""

    order_id: str
    short: list[str]


class InventorySold(Payload):
    """The order was paid: its units have left the stock."""

    order_id: str
    lines: list[Line]


class InventoryReleased(Payload):
    """The order was cancelled and Meridian gave its units back: reserved ones, or sold ones that had not been shipped."""

    order_id: str
    lines: list[Line]


class ReservationExpired(Payload):
    """Nobody confirmed or cancelled the order in time: what was reserved for it is available again."""

    order_id: str
    lines: list[Line]


class InventoryAdjusted(Payload):
    """Units arrived, went back, or were corrected by hand."""

    sku: str
    reason: str
    order_id: str | None
    """Whose reserved units were corrected, if it was an order's."""
    delta_available: int
    delta_reserved: int
    available: int
    stock_version: int


class OrderCreatedView(Reading):
    """What inventory needs of OrderCreated."""

    order_id: str
    lines: list[Line]


class OrderConfirmedView(Reading):
    """What inventory needs of OrderConfirmed."""

    order_id: str


class OrderCancelledView(Reading):
    """What inventory needs of OrderCancelled."""

    order_id: str
    after_decline: bool


class ReserveInventoryView(Reading):
    """What inventory needs of ReserveInventory."""

    order_id: str
    lines: list[Line]


class ReleaseInventoryView(Reading):
    """What inventory needs of ReleaseInventory."""

    order_id: str
