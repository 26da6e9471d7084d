"""What is there for a lab: one sentence for each service that answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Collection
from urllib.request import ProxyHandler, build_opener

from labkit import clients
from labkit.pool import open_connection

SECONDS = 10.0
GO_SECONDS = 60.0
"""The first start of the Go toolchain on a busy machine."""


class NotThere(Exception):
    """A service of the lab does not answer; the message says which."""


def services(variables: Collection[str]) -> list[str]:
    """A few words for each service that has one of these variables. Raises NotThere for one that does not answer."""
    said = []
    for variable, name, look in _LOOKS:
        if variable in variables:
            try:
                said.append(look())
            except Exception as error:  # each client has errors of its own
                raise NotThere(
                    f"{name} does not answer ({type(error).__name__}: {error}). Restart the kernel and run the first cell again."
                ) from None
    return said


def _postgres() -> str:
    with open_connection(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT current_database(), split_part(version(), ' ', 2)").fetchone()
    assert row is not None
    return f"PostgreSQL {row[1]}, database {row[0]}"


def _redis() -> str:
    client = clients.redis_client(SECONDS, text=True)
    try:
        return f"Redis {client.info('server')['redis_version']}"
    finally:
        client.close()


def _kafka() -> str:
    from confluent_kafka.admin import AdminClient

    seen = AdminClient(clients.kafka_configuration(None)).list_topics(timeout=SECONDS)
    topics = ", ".join(sorted(name for name in seen.topics if not name.startswith("__"))) or "no topics yet"
    brokers = f"{len(seen.brokers)} broker{'s' if len(seen.brokers) != 1 else ''}"
    return f"Kafka, {brokers}, topics: {topics}"


def _meridian() -> str:
    with clients.meridian_client(SECONDS) as client:
        client.get("/health/readiness").raise_for_status()
    return "Meridian, the commerce platform"


def _aws() -> str:
    _get(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/")
    return f"AWS, region {os.environ.get('AWS_REGION', 'eu-central-1')}"


def _prometheus() -> str:
    _get(f"{os.environ['PROMETHEUS_URL']}/-/ready")
    return "Prometheus"


def _envoy() -> str:
    _get(f"{os.environ['ENVOY_ADMIN_URL']}/ready")
    return "Envoy"


def _go() -> str:
    words = _said("go", "version").split()
    return f"Go {words[2].removeprefix('go')}"


def _terraform() -> str:
    return _said("terraform", "version").splitlines()[0]


def _get(url: str) -> None:
    # Straight to this machine, whatever proxy is set for the internet.
    with build_opener(ProxyHandler({})).open(url, timeout=SECONDS) as answer:
        answer.read(1)


def _said(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        raise FileNotFoundError(f"the program {program} is not on the PATH")
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=GO_SECONDS,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return done.stdout.strip()


_LOOKS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("DATABASE_URL", "PostgreSQL", _postgres),
    ("REDIS_URL", "Redis", _redis),
    ("KAFKA_BOOTSTRAP_SERVERS", "Kafka", _kafka),
    ("MERIDIAN_SOCKET", "Meridian", _meridian),
    ("AWS_ENDPOINT_URL", "AWS", _aws),
    ("PROMETHEUS_URL", "Prometheus", _prometheus),
    ("ENVOY_ADMIN_URL", "Envoy", _envoy),
    ("GOTOOLCHAIN", "Go", _go),
    ("TF_CLI_CONFIG_FILE", "Terraform", _terraform),
)
"""The variable by which a service is known, its name, and how to look."""
