"""`GET /metrics`: what was counted, and what is looked at only now, because it costs a question to a database or the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from reference_impl.shared import metrics
from reference_impl.shared.bus import EventBus
from reference_impl.shared.runtime import Service


class ServicesCollector(Collector):
    """Looks at the services of one process at each scrape."""

    def __init__(self, services: Sequence[Service], bus: EventBus) -> None:
        self._services = services
        self._bus = bus

    def describe(self) -> list[GaugeMetricFamily]:
        """The metrics without values."""
        return list(_families())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask every part. What can't be told is left out and counted: a gap in a chart, not a wrong number."""
        backlog, lag, connections, limit = _families()
        for service in self._services:
            pool = service.database.connections() if service.database is not None else None
            if pool is not None:
                connections.add_metric([service.name, "in_use"], pool.in_use)
                connections.add_metric([service.name, "idle"], pool.idle)
                limit.add_metric([service.name], pool.limit)
            # Without a free connection the question would wait for one, and the scrape with it.
            if service.relay is not None and (pool is None or not pool.exhausted):
                _ask(backlog, service.name, service.relay.backlog)
            if service.consumer is not None:
                _ask(lag, service.name, partial(self._bus.lag, service.consumer.group))
        yield from (backlog, lag, connections, limit)


def router(services: Sequence[Service], bus: EventBus) -> APIRouter:
    """The metrics of one process over HTTP."""
    registry = CollectorRegistry()
    registry.register(ServicesCollector(services, bus))
    routes = APIRouter(tags=["metrics"])

    @routes.get(
        "/metrics",
        summary="Metrics in the text format of Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def read_metrics() -> Response:
        looked_at = generate_latest(registry)
        return Response(generate_latest(REGISTRY) + looked_at, media_type=CONTENT_TYPE_LATEST)

    return routes


def _ask(family: GaugeMetricFamily, service: str, question: Callable[[], int]) -> None:
    try:
        family.add_metric([service], question())
    except Exception:
        metrics.SCRAPE_FAILURES.labels(service, family.name).inc()


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    def family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"meridian_{name}", text, labels=["service", *labels])

    return (
        family("outbox_backlog", "Events that wait for the relay."),
        family("consumer_lag", "Deliveries not acknowledged yet, as far as the bus can tell."),
        family("database_connections", "Connections to the service's database: in_use or idle.", "state"),
        family("database_connections_limit", "The most connections that the service may have at once."),
    )
