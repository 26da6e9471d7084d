"""The services that a lab can ask for, by name."""

from __future__ import annotations

from collections.abc import Mapping

from sandboxes.services.aws import Aws
from sandboxes.services.base import Service
from sandboxes.services.envoy import Envoy
from sandboxes.services.go import Go
from sandboxes.services.kafka import Kafka
from sandboxes.services.meridian import Meridian
from sandboxes.services.postgres import Postgres
from sandboxes.services.prometheus import Prometheus
from sandboxes.services.redis import Redis
from sandboxes.services.terraform import Terraform

SERVICES: Mapping[str, type[Service]] = {
    service.name: service
    for service in (
        Postgres,
        Redis,
        Kafka,
        Prometheus,
        Meridian,
        Aws,
        Terraform,
        Envoy,
        Go,
    )
}


def check_services(wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Raise ValueError for a service or an option that does not exist, or an order that can't work."""
    before: list[str] = []
    for name, options in wanted.items():
        if name not in SERVICES:
            raise ValueError(f"there is no service {name}; there are {', '.join(sorted(SERVICES))}")
        SERVICES[name].check_options(options)
        late = [used for used in SERVICES[name].uses if used in wanted and used not in before]
        if late:
            raise ValueError(f"the service {name} makes use of {late[0]}: name {late[0]} before it")
        before.append(name)
    for name in wanted:
        exposed = sorted(SERVICES[name].never_beside & set(wanted))
        if exposed:
            raise ValueError(
                f"the service {name} can't run beside {exposed[0]}: it reads and writes files as the learner tells it, with the "
                f"rights that {exposed[0]} has"
            )


def wanted_image(wanted: Mapping[str, Mapping[str, str]]) -> str | None:
    """The image that has what the services are asked for and the lab's own may lack; None when none is needed."""
    for name, options in wanted.items():
        image = SERVICES[name].image(options)
        if image is not None:
            return image
    return None


__all__ = ["SERVICES", "Service", "check_services", "wanted_image"]
