"""Meridian's settings: typed, frozen, and the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "MERIDIAN_"
SECTIONS = ("user", "product", "inventory", "order", "payment", "shipping", "notification", "gateway")
"""Whose settings `MERIDIAN_<SECTION>_<NAME>` may be: the names of the services, and nothing more is known of them here."""


class SettingsError(Exception):
    """A setting is unknown or can't be read; the message names it and says what is allowed."""


class Compensation(StrEnum):
    """Who undoes an order whose payment was declined."""

    BUILTIN = "builtin"
    """Meridian: it cancels the order and releases the stock when the payment window has passed."""
    EXTERNAL = "external"
    """A consumer outside: Meridian leaves the declined order as it is and its stock reserved."""


class BusKind(StrEnum):
    """What carries events between services."""

    IN_PROCESS = "in-process"
    """A log in a file, for services that share one process."""
    KAFKA = "kafka"
    SNS_SQS = "sns-sqs"
    """Region, credentials and AWS_ENDPOINT_URL are read from the environment, as by any client of AWS."""


class Traces(StrEnum):
    """Where spans go."""

    OFF = "off"
    """Nowhere: nothing is recorded."""
    FILE = "file"
    """`<data>/traces/<process>.jsonl`, which `python -m reference_impl trace` reads."""
    OTLP = "otlp"
    """A collector, over HTTP, at OTEL_EXPORTER_OTLP_ENDPOINT."""


class Saga(StrEnum):
    """Who leads a checkout through its steps."""

    ORCHESTRATED = "orchestrated"
    """The order service: it tells the others what to do, and keeps how far it has come."""
    CHOREOGRAPHED = "choreographed"
    """Nobody: each service knows which event it answers with what."""


class Settings(BaseModel):
    """What concerns the whole platform, each as `MERIDIAN_<NAME>`. What concerns one service is in a `Section` of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Path("instance/meridian")
    """Directory of the SQLite files, one a service, and of what a topology keeps; made when missing."""
    database_url: str = ""
    """A PostgreSQL server, as `postgresql://user:password@host:port`; empty: SQLite files below `data`."""
    database_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")] = "meridian"
    """On PostgreSQL each service has the database `<prefix>_<service>`."""
    database_pool: Annotated[int, Field(ge=1, le=200)] = 20
    """The most connections that one service holds to PostgreSQL; who comes when all are busy waits five seconds for one."""
    bus: BusKind = BusKind.IN_PROCESS
    """What carries events."""
    kafka_bootstrap_servers: str = ""
    """Where the Kafka cluster is, as `host:port,host:port`."""
    kafka_partitions: Annotated[int, Field(ge=1, le=64)] = 6
    """Partitions of a topic that is made; as many processes of one service can share its events."""
    redis_url: str = ""
    """Where the cache is, as `redis://host:port/0`; empty: in the memory of each process."""
    saga: Saga = Saga.ORCHESTRATED
    """Who leads a checkout through its steps."""
    shipping: bool = True
    """Whether confirmed orders are sent (`on` or `off`). When not, an order is finished when it is confirmed."""
    compensation: Compensation = Compensation.BUILTIN
    """Who compensates a declined payment."""
    payment_window: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """Seconds in which a declined order may be paid with another card before it is cancelled (builtin compensation only)."""
    pending_timeout: Annotated[float, Field(gt=0, le=86_400)] = 30.0
    """Seconds after which an order that inventory has not answered for is cancelled."""
    faults: str = ""
    """Fault flags set at the start, as `name=value,name=value`."""
    seed: int | None = None
    """Seed of the fault flags' dice; none means another one at each start."""
    trust_network: bool = True
    """Whether a request without a token is an internal one that may do everything; the public door refuses it all the same."""
    traces: Traces = Traces.OFF
    """Where spans go."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of traces that are recorded; who comes with a trace of their own has decided already."""
    host: str = "127.0.0.1"
    """The address that ports are opened on; 0.0.0.0 in a container."""
    base_port: Annotated[int, Field(ge=1, le=65_000)] = 8080
    """The gateway's port in the topology `services`; the services have the ports behind it."""
    peer_url: str = "http://127.0.0.1:{port}"
    """Where a service finds another in the topology `services`; `{service}` and `{port}` are filled in."""
    patience: Annotated[float, Field(ge=0.1, le=100)] = 1.0
    """By what the seconds that services wait for each other are multiplied: more than 1 on a machine that has much else to do."""
    restart: bool = True
    """Whether the topology `services` starts a service again that ended by itself."""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    """How long a process that was told to end says it is not ready and serves all the same: a load balancer's time to look."""
    grace_seconds: Annotated[int, Field(ge=1, le=60)] = 3
    """How long requests that are being worked on may then still take."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log line that is written."""
    url: str | None = None
    """Where the command line finds a running Meridian."""
    socket: Path | None = None
    """The Unix socket at which the command line finds a running Meridian; wins over `url`."""
    sections: Mapping[str, str] = {}
    """What was set for single services, as `order_<name>`; a `Section` reads it."""

    @field_validator("seed", "url", "socket", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Settings from `MERIDIAN_*` variables; overrides that are not None win. Raises SettingsError."""
        source = os.environ if environment is None else environment
        found = {key[len(PREFIX) :].lower(): value for key, value in source.items() if key.startswith(PREFIX)}
        platform = set(cls.model_fields) - {"sections"}
        sections = {
            name: value
            for name, value in found.items()
            if name not in platform and name.partition("_")[0] in SECTIONS and "_" in name
        }
        _refuse_unknown(set(found) - platform - set(sections), platform)
        values = {name: value for name, value in found.items() if name in platform} | {"sections": sections}
        return _validated(cls, values | {key: value for key, value in overrides.items() if value is not None})


class Section(BaseModel):
    """The settings of one service, each as `MERIDIAN_<SECTION>_<NAME>`; a service declares its own below its folder::

    class OrderSettings(Section):
        section = "order"
        snapshot_every: Annotated[int, Field(ge=1)] = 20

    OrderSettings.of(context.settings)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: ClassVar[str]
    """One of SECTIONS."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What was set for this service, and the defaults of the rest. Raises SettingsError."""
        prefix = f"{cls.section}_"
        found = {
            name[len(prefix) :]: value for name, value in settings.sections.items() if name.startswith(prefix)
        }
        _refuse_unknown(set(found) - set(cls.model_fields), set(cls.model_fields), prefix)
        return _validated(cls, found, prefix)


Model = TypeVar("Model", bound=BaseModel)


def _refuse_unknown(unknown: Collection[str], known: Collection[str], prefix: str = "") -> None:
    if unknown:
        names = ", ".join(_variable(name, prefix) for name in sorted(unknown))
        raise SettingsError(
            f"Unknown setting {names}. Known are: {', '.join(_variable(name, prefix) for name in sorted(known))}."
        )


def _validated(model: type[Model], values: Mapping[str, Any], prefix: str = "") -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = _variable(".".join(str(part) for part in first["loc"]), prefix)
        raise SettingsError(f"{name} is not usable: {first['msg']}.") from error


def _variable(name: str, prefix: str) -> str:
    return f"{PREFIX}{prefix}{name}".upper()
