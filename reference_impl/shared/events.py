"""The event envelope, identical for every service, and the base of the payloads inside it.

A service declares the payloads that it emits as `Payload` classes in its own `events.py`, and reads those of others
through small models of its own that name only the fields it needs. So a producer may add a field without asking anyone.
"""

from __future__ import annotations

import builtins
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from reference_impl.shared import schemas

View = TypeVar("View", bound=BaseModel)


def new_id() -> str:
    """A fresh identifier: 32 lower-case hexadecimal digits."""
    return uuid4().hex


_ahead = timedelta(0)


def now() -> datetime:
    """The time now by this process's clock, in UTC."""
    return datetime.now(UTC) + _ahead


def set_clock_ahead(seconds: float) -> None:
    """Let the clock of this process run ahead: a fault."""
    global _ahead
    _ahead = timedelta(seconds=seconds)


class Payload(BaseModel):
    """What one type of event says. The class name is the event's type."""

    model_config = ConfigDict(frozen=True)

    version: ClassVar[int] = 1
    """Goes up when a field is removed or changes its meaning; an added field keeps it."""


class Reading(BaseModel):
    """A consumer's own view of somebody else's payload: the fields it needs, the rest ignored.

    It is named after the event: `OrderCreatedView` reads OrderCreated.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    reads_version: ClassVar[int] = 1
    """The version of the payload that it is written for; older ones are lifted to it (`schemas.upcast`)."""


class Event(BaseModel):
    """One fact that happened in one service, as every consumer receives it."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[
        str, Field(max_length=64, description="Identifies this fact; a duplicate carries the same id.")
    ]
    type: Annotated[str, Field(max_length=64, description="What happened, e.g. PaymentDeclined.")]
    version: Annotated[int, Field(ge=1, description="Version of the payload's schema.")]
    source: Annotated[str, Field(max_length=32, description="The service that says so.")]
    key: Annotated[
        str, Field(max_length=64, description="The order the event is about; order is only ever kept per key.")
    ]
    sequence: Annotated[
        int, Field(ge=1, description="Counts this source's events of this key: 1, 2, 3, without gaps.")
    ]
    occurred_at: datetime
    correlation_id: Annotated[
        str, Field(max_length=64, description="The request that set all of this in motion.")
    ]
    causation_id: Annotated[
        str | None, Field(max_length=64, description="The event that caused this one, if one did.")
    ]
    traceparent: Annotated[
        str | None,
        Field(
            max_length=64,
            description="The span in which it was written (W3C Trace Context), while traces are on.",
        ),
    ] = None
    payload: dict[str, Any]

    def read(self, view: builtins.type[View]) -> View:
        """The payload through a consumer's own view of it, lifted if it is older. Raises schemas.Unreadable."""
        return schemas.read(view, self.type, self.version, self.payload)
