"""What the inventory service counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RESERVATIONS = Counter(
    "meridian_inventory_reservations_total",
    "What became of reservations: reserved, rejected, sold, released, restocked or expired.",
    ["outcome"],
)
RETRIES = Counter(
    "meridian_inventory_adjustment_retries_total",
    "Corrections that began again, because the counters had changed between the look and the write.",
)
LOW_STOCK = Gauge(
    "meridian_inventory_low_stock_products",
    "SKUs of which no more units are available than MERIDIAN_INVENTORY_LOW_STOCK_UNITS.",
)
OUT_OF_STOCK = Gauge("meridian_inventory_out_of_stock_products", "SKUs of which nothing is available.")
