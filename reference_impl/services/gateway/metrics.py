"""What the gateway counts. Labels are routes of the table, never paths that callers made up."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("meridian_gateway_requests_total", "Requests by route and status.", ["route", "status"])
SECONDS = Histogram(
    "meridian_gateway_upstream_seconds",
    "Time until an upstream's answer began, for each try.",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
FAILURES = Counter(
    "meridian_gateway_upstream_failures_total", "Tries that failed, by reason.", ["service", "reason"]
)
RETRIES = Counter(
    "meridian_gateway_retries_total",
    "Tries after the first by outcome: sent, or refused by the budget.",
    ["service", "outcome"],
)
BREAKER = Gauge(
    "meridian_gateway_breaker_open", "1 while the circuit to an upstream is not closed.", ["service"]
)
LIMITED = Counter(
    "meridian_gateway_limited_total", "Requests refused by a rate limit, a plan or a quota.", ["limit"]
)
SHED = Counter("meridian_gateway_shed_total", "Requests refused because too many were in flight.")
IN_FLIGHT = Gauge("meridian_gateway_in_flight", "Requests that are being handled.")
CACHE = Counter(
    "meridian_gateway_cache_total",
    "Reads that may be cached by outcome: hit, revalidated, stale, miss, stored.",
    ["outcome"],
)
DEGRADED = Counter(
    "meridian_gateway_degraded_pages_total", "Pages answered without one of their parts.", ["page", "part"]
)
LIMITER_FALLBACKS = Counter(
    "meridian_gateway_limiter_fallbacks_total",
    "Limits counted by this process alone, because Redis did not answer.",
)
