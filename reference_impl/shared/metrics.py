"""What every process counts and times, whatever services are in it. What a service counts of its business is in its `metrics.py`.

A label has few values, known beforehand: names of services, route templates, types of events. A path, an id or a customer
would make a time series each, and a monitoring system dies of those.

Counting is two dictionary look-ups and an addition under a lock, so it is always on. What has to be asked for (backlogs,
connections) is looked at when somebody scrapes: `scrape.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # they double what is scraped, and a restart is seen by the counter itself

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The route of a request that no route takes: whoever tries paths out makes one time series, not one a path."""
OTHER = "other"

HTTP_SECONDS = Histogram(
    "meridian_http_request_seconds",
    "Requests, from the head's arrival to the end of the answer, by route template and class of status.",
    ["service", "method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
HTTP_IN_FLIGHT = Gauge("meridian_http_requests_in_flight", "Requests being worked on now.", ["service"])
RELAYED = Counter("meridian_outbox_relayed_total", "Events that went from the outbox to the bus.", ["service"])
RELAY_FAILURES = Counter(
    "meridian_outbox_relay_failures_total",
    "Passes of the relay that failed: the bus did not take it.",
    ["service"],
)
DELIVERIES = Counter(
    "meridian_consumer_deliveries_total",
    "Deliveries by what became of them: handled, ignored, dead_lettered; failed counts each failed try, "
    "postponed each wait for a neighbour.",
    ["service", "type", "outcome"],
)
HANDLING_SECONDS = Histogram(
    "meridian_consumer_handling_seconds",
    "Handling one event, with its retries.",
    ["service", "type"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)
EVENT_AGE_SECONDS = Histogram(
    "meridian_consumer_event_age_seconds",
    "How old an event is when its handling begins: outbox, bus and queueing together.",
    ["service"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
CACHE_READS = Counter("meridian_cache_reads_total", "Reads of the cache: hit or miss.", ["result"])
_HITS, _MISSES = CACHE_READS.labels("hit"), CACHE_READS.labels("miss")
CACHE_UNAVAILABLE = Counter(
    "meridian_cache_unavailable_total",
    "Calls of the cache that failed or were not made, because it does not answer.",
)
BREAKER_STATE = Gauge(
    "meridian_breaker_state", "A circuit breaker: 0 is closed, 1 half open, 2 open.", ["breaker"]
)
BREAKER_CHANGES = Counter(
    "meridian_breaker_changes_total", "Changes of a circuit breaker.", ["breaker", "state"]
)
DATABASE_BUSY = Counter(
    "meridian_database_busy_total",
    "Transactions refused: no connection was free (pool), or a lock or statement took too long (lock).",
    ["reason"],
)
SCRAPE_FAILURES = Counter(
    "meridian_scrape_failures_total", "What could not be looked at for a scrape.", ["service", "metric"]
)
CHORE_FAILURES = Counter(
    "meridian_chore_failures_total", "Runs of work by the clock that failed.", ["service", "chore"]
)


@lru_cache(maxsize=4096)
def http_seconds(service: str, method: str, route: str, status: int) -> Histogram:
    """The time series of one kind of request; looked up once, because `labels` costs more than the observation."""
    known = method if method in METHODS else OTHER
    return HTTP_SECONDS.labels(service, known, route, f"{status // 100}xx")


@lru_cache(maxsize=64)
def http_in_flight(service: str) -> Gauge:
    """How many requests this service works on."""
    return HTTP_IN_FLIGHT.labels(service)


def route_of(scope: Mapping[str, Any]) -> str:
    """The template of the route that took this request, such as `/orders/{order_id}`."""
    return str(getattr(scope.get("route"), "path_format", UNMATCHED))


@lru_cache(maxsize=4096)
def deliveries(service: str, kind: str, outcome: str) -> Counter:
    """How many deliveries of one type of event came to this."""
    return DELIVERIES.labels(service, kind, outcome)


@lru_cache(maxsize=64)
def event_age(service: str) -> Histogram:
    """How old events are when a service begins to handle them."""
    return EVENT_AGE_SECONDS.labels(service)


@lru_cache(maxsize=1024)
def handling(service: str, kind: str) -> Histogram:
    """How long a service takes for one type of event."""
    return HANDLING_SECONDS.labels(service, kind)


def cache_read(hit: bool) -> None:
    """Count one read of the cache."""
    (_HITS if hit else _MISSES).inc()
