"""The events that the shipping service emits, and its own view of those it reads. All have the order's id as their key."""

from __future__ import annotations

from reference_impl.shared.events import Payload, Reading
from reference_impl.shared.types import Line


class ShipmentCreated(Payload):
    """The order is being packed."""

    order_id: str
    shipment_id: str
    customer_id: str | None


class ShipmentDispatched(Payload):
    """The parcel has left the house: from here on nobody can hold it back."""

    order_id: str
    shipment_id: str
    customer_id: str | None
    carrier: str
    tracking_number: str


class ShipmentDelivered(Payload):
    """The parcel has arrived."""

    order_id: str
    shipment_id: str
    customer_id: str | None
    carrier: str
    tracking_number: str


class ShipmentCancelled(Payload):
    """Nothing was sent for this order, and nothing will be."""

    order_id: str
    shipment_id: str
    customer_id: str | None


class CreateShipmentView(Reading):
    """What shipping needs of CreateShipment."""

    order_id: str
    customer_id: str | None
    lines: list[Line]


class OrderConfirmedView(Reading):
    """What shipping needs of OrderConfirmed."""

    order_id: str
    customer_id: str | None
    lines: list[Line]


class CancelShipmentView(Reading):
    """What shipping needs of CancelShipment."""

    order_id: str


class OrderCancelledView(Reading):
    """What shipping needs of OrderCancelled."""

    order_id: str
