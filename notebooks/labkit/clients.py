"""Clients of the lab's services, by the variables that say where they are; and the addresses for a proxy in front of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx
    import redis

    from labkit.chaos import Proxy

REDIS_CONNECTIONS = 128
KAFKA_SOCKET_MS = 5_000
KAFKA_MESSAGE_MS = 10_000
KAFKA_SESSION_MS = 2_000
"""A rebalance of the brokers that labs run on takes the session timeout less one second."""
KAFKA_HEARTBEAT_MS = 500


class NoService(Exception):
    """The lab has no such service; the message says what to do."""


def variable(name: str, what: str) -> str:
    """A variable that the lab's services set. Raises NoService."""
    value = os.environ.get(name)
    if not value:
        raise NoService(
            f"{what} is not running for this notebook: run its first cell, `lab.start(…)`, or see whether this lab has it at all."
        )
    return value


def meridian_client(timeout: float, through: Proxy | None = None) -> httpx.Client:
    """An HTTP client of the commerce platform."""
    import httpx

    if through is not None:
        return httpx.Client(base_url=f"http://{through.host}:{through.port}", timeout=timeout, trust_env=False)
    socket = variable("MERIDIAN_SOCKET", "Meridian")
    base_url = os.environ.get("MERIDIAN_URL", "http://meridian")
    # No TLS on a Unix socket; `verify=True` would read all certificates, 20 ms for each client.
    transport = httpx.HTTPTransport(uds=socket, verify=False)
    return httpx.Client(transport=transport, base_url=base_url, timeout=timeout)


def redis_client(timeout: float, *, text: bool, through: Proxy | None = None) -> redis.Redis:
    """A Redis client without hidden retries, so that what fails is seen to fail."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    url = f"redis://{through.host}:{through.port}/0" if through is not None else variable("REDIS_URL", "Redis")
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        decode_responses=text,
        max_connections=REDIS_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
    )
    return client


def kafka_configuration(group: str | None) -> dict[str, Any]:
    """What confluent_kafka's clients are made with: of a consumer in `group`, else of a producer or an admin client."""
    common = {
        "bootstrap.servers": variable("KAFKA_BOOTSTRAP_SERVERS", "Kafka"),
        "socket.timeout.ms": KAFKA_SOCKET_MS,
        "log_level": 3,
    }
    if group is None:
        return {**common, "message.timeout.ms": KAFKA_MESSAGE_MS}
    return {
        **common,
        "group.id": group,
        "session.timeout.ms": KAFKA_SESSION_MS,
        "heartbeat.interval.ms": KAFKA_HEARTBEAT_MS,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }


def address(service: str) -> tuple[str, int] | str:
    """Where a service listens: (host, port), or the path of its Unix socket. Raises NoService."""
    if service == "redis":
        if os.environ.get("REDIS_HOST") and os.environ.get("REDIS_PORT"):
            return os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"])
        return variable("REDIS_SOCKET", "Redis")
    if service == "postgres":
        return f"{variable('PGHOST', 'PostgreSQL')}/.s.PGSQL.5432"
    if service == "meridian":
        return variable("MERIDIAN_SOCKET", "Meridian")
    if service == "aws":
        parts = urlsplit(variable("AWS_ENDPOINT_URL", "AWS"))
        return parts.hostname or "127.0.0.1", parts.port or 80
    raise NoService(f"There is no proxy for {service!r}: lab.proxy takes aws, meridian, postgres or redis.")
