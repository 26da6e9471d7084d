"""What the shipping service counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

SHIPMENTS = Counter(
    "meridian_shipping_shipments_total",
    "Shipments by the state that they came to: created, dispatched, in_transit, delivered or cancelled.",
    ["state"],
)
BOOKINGS = Counter(
    "meridian_shipping_bookings_total",
    "Questions to a carrier, by how they ended: booked or away.",
    ["carrier", "outcome"],
)
TOO_LATE = Counter(
    "meridian_shipping_cancellations_refused_total",
    "Cancelled orders whose parcel had left already: somebody has to have it sent back.",
)
DELIVERY_SECONDS = Histogram(
    "meridian_shipping_delivery_seconds",
    "From the order to send a parcel to its arrival, by zone.",
    ["zone"],
    buckets=(10, 30, 60, 120, 300, 900, 3600, 86_400, 7 * 86_400),
)
