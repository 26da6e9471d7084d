"""The services that a lab can ask for, by name."""

from __future__ import annotations

from collections.abc import Mapping

from sandboxes.services.base import Service
from sandboxes.services.kafka import Kafka
from sandboxes.services.meridian import Meridian
from sandboxes.services.postgres import Postgres
from sandboxes.services.prometheus import Prometheus
from sandboxes.services.redis import Redis

SERVICES: Mapping[str, type[Service]] = {
    service.name: service
    for service in (
        Postgres,
        Redis,
        Kafka,
        Prometheus,
        Meridian,
    )
}


def check_services(wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raise ValueError for a service or an option that does not exist."""
    for name, options in wanted.items():
        if name not in SERVICES:
            raise ValueError(f"there is no service {name}; there are {', '.join(sorted(SERVICES))}")
        SERVICES[name].check_options(options)


__all__ = ["SERVICES", "Service", "check_services"]
