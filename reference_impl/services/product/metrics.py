"""What the product service counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

CACHE_READS = Counter(
    "meridian_product_cache_reads_total",
    "Reads of one product through the cache, by how they ended: hit, miss, early, shared or unprotected.",
    ["result"],
)
REQUESTS = Counter(
    "meridian_product_api_requests_total",
    "Requests by version of the API; v1 may go when nobody asks for it any more.",
    ["version"],
)
CHANGES = Counter(
    "meridian_product_changes_total",
    "Changes of products: created, updated, retired, or refused because the product had changed meanwhile.",
    ["outcome"],
)
SEARCHES = Histogram(
    "meridian_product_search_seconds",
    "Full-text searches, by how the database went about it: indexed or scan.",
    ["plan"],
)
