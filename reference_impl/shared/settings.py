"""Meridian's settings: typed, frozen, and the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "MERIDIAN_"


class SettingsError(Exception):
    """A setting is unknown or can't be read; the message names it and says what is allowed."""


class Compensation(StrEnum):
    """Who undoes an order whose payment was declined."""

    BUILTIN = "builtin"
    """Meridian: it cancels the order and releases the stock when the payment window has passed."""
    EXTERNAL = "external"
    """A consumer outside: Meridian leaves the declined order as it is and its stock reserved."""


class Settings(BaseModel):
    """Everything that can be set, each as `MERIDIAN_<NAME>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Path("instance/meridian")
    """Directory of the SQLite files, one a service; made when missing."""
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
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log line that is written."""
    url: str | None = None
    """Where the command line finds a running Meridian."""
    socket: Path | None = None
    """The Unix socket at which the command line finds a running Meridian; wins over `url`."""

    @field_validator("seed", "url", "socket", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Settings from `MERIDIAN_*` variables; overrides that are not None win. Raises SettingsError."""
        source = os.environ if environment is None else environment
        found = {key[len(PREFIX) :].lower(): value for key, value in source.items() if key.startswith(PREFIX)}
        unknown = sorted(set(found) - set(cls.model_fields))
        if unknown:
            names = ", ".join(f"{PREFIX}{name.upper()}" for name in unknown)
            known = ", ".join(f"{PREFIX}{name.upper()}" for name in sorted(cls.model_fields))
            raise SettingsError(f"Unknown setting {names}. Known are: {known}.")
        values = found | {key: value for key, value in overrides.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"{PREFIX}{name.upper()} is not usable: {first['msg']}.") from error
