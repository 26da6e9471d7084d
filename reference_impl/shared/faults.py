"""Fault flags: named ways to break Meridian while it runs, so that one can watch what holds."""

from __future__ import annotations

import hashlib
import math
import secrets
import threading
import time
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from reference_impl.shared.problems import Problem, responses
from reference_impl.shared.types import NOT_NUL

_SLICE_SECONDS = 0.02

FlagName = Annotated[
    str, Path(max_length=64, pattern=NOT_NUL, description="The name of a fault flag, e.g. payment.decline.")
]


class Unit(StrEnum):
    """What a flag's value counts."""

    FRACTION = "fraction"
    """0 is never, 1 is always, 0.3 is three in ten."""
    SECONDS = "seconds"


class FaultFlag(BaseModel):
    """One fault and how strong it is now."""

    name: str
    description: str
    owner: Annotated[str, Field(description="The service that plays it; `every`: each of them.")]
    unit: Unit
    maximum: float
    value: Annotated[float, Field(description="0 is off.")] = 0.0


FLAGS = (
    FaultFlag(
        name="payment.decline",
        description="The gateway declines this share of payment attempts, whatever the card.",
        owner="payment",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="payment.delay",
        description="The gateway takes this long to answer an authorisation. Clearing the flag ends the wait.",
        owner="payment",
        unit=Unit.SECONDS,
        maximum=60,
    ),
    FaultFlag(
        name="payment.lost-answers",
        description="The gateway does what it was asked, and this share of its answers is lost on the way.",
        owner="payment",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="payment.double-webhook",
        description="The gateway tells this share of its outcomes by webhook, twice and in no order.",
        owner="payment",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="events.lose",
        description="This share of events never enters the bus, though their publisher is told that they did.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="events.duplicate",
        description="This share of events enters the bus a second time, 50 to 400 ms after the first.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="events.reorder",
        description="This share of events is held back for 50 to 400 ms, so that later ones overtake them.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="events.poison",
        description="Behind this share of events enters a twin that no consumer can read.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="consumer.lag",
        description="Every consumer waits this long before each event. Clearing the flag ends the wait.",
        owner="every",
        unit=Unit.SECONDS,
        maximum=10,
    ),
    FaultFlag(
        name="order.lag",
        description="The order service waits this long before it handles an event. Clearing the flag ends the wait.",
        owner="order",
        unit=Unit.SECONDS,
        maximum=10,
    ),
    FaultFlag(
        name="order.chatty",
        description="When not 0, listing orders asks the database for the lines of each order by itself (N+1 queries).",
        owner="order",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="inventory.latency",
        description="Every request to the inventory service waits this long before it is looked at.",
        owner="inventory",
        unit=Unit.SECONDS,
        maximum=5,
    ),
    FaultFlag(
        name="inventory.unavailable",
        description="This share of stock adjustments is refused with 503 before anything has happened.",
        owner="inventory",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="inventory.lost-answers",
        description="This share of stock adjustments is applied, and then answered with 504 all the same.",
        owner="inventory",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="inventory.hot-row",
        description="Every reservation keeps the rows of its SKUs locked this much longer: others who want the same wait.",
        owner="inventory",
        unit=Unit.SECONDS,
        maximum=1,
    ),
    FaultFlag(
        name="product.stampede",
        description="This share of product reads goes without single flight and jitter: whoever misses the cache loads.",
        owner="product",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="product.slow-query",
        description="This share of searches goes without the full-text index: every product is read and parsed again.",
        owner="product",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="database.pool-exhaustion",
        description="This share of each service's database connections is taken and not given back.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="process.memory-leak",
        description="This share of requests leaves 64 KiB behind, up to 256 MiB a process. Clearing the flag frees it.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="health.flapping",
        description="This share of looks at the readiness says that the process is not ready.",
        owner="every",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="clock.skew",
        description="The clock of the process with the order service is this much ahead.",
        owner="order",
        unit=Unit.SECONDS,
        maximum=60,
    ),
    FaultFlag(
        name="user.expired-key",
        description="The active signing key is missing from the public keys: its tokens are refused where those are read anew.",
        owner="user",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="gateway.retry-storm",
        description="The gateway tries this share of failed requests five times more, at once, without a budget or a breaker.",
        owner="gateway",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="shipping.carrier-outage",
        description="This share of questions to a carrier is not answered; they are asked again, and in the end another one is.",
        owner="shipping",
        unit=Unit.FRACTION,
        maximum=1,
    ),
    FaultFlag(
        name="notification.provider-outage",
        description="This share of tries to hand over an email, an SMS or a push message fails; they are repeated.",
        owner="notification",
        unit=Unit.FRACTION,
        maximum=1,
    ),
)


class Faults:
    """The fault flags of one process; any thread may read and change them. They are gone after a restart."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = secrets.randbits(64) if seed is None else seed
        self._lock = threading.Lock()
        self._flags = {flag.name: flag for flag in FLAGS}

    def all(self) -> list[FaultFlag]:
        """Every flag, set or not, by name."""
        with self._lock:
            return [self._flags[name] for name in sorted(self._flags)]

    def get(self, name: str) -> FaultFlag:
        """One flag. Raises Problem 404."""
        flag = self._flags.get(name)
        if flag is None:
            raise Problem(
                404,
                "unknown-fault",
                "There is no such fault flag",
                f"Known are: {', '.join(sorted(self._flags))}.",
            )
        return flag

    def set(self, name: str, value: float) -> FaultFlag:
        """Set one flag. Raises Problem 404 and 422."""
        flag = self.get(name)
        if not math.isfinite(value) or not 0 <= value <= flag.maximum:
            raise Problem(
                422,
                "fault-out-of-range",
                "The value is out of range",
                f"{name} takes {flag.unit} from 0 to {flag.maximum:g}.",
            )
        with self._lock:
            self._flags[name] = flag.model_copy(update={"value": value})
            return self._flags[name]

    def set_from(self, text: str) -> None:
        """Set what `name=value,name=value` says. Raises Problem."""
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, value = part.partition("=")
            try:
                self.set(name.strip(), float(value))
            except ValueError:
                raise Problem(422, "fault-out-of-range", "The value is not a number", f"In {part!r}.") from None

    def clear(self, names: Iterable[str] | None = None) -> None:
        """Switch these flags off, or all of them. Raises Problem 404."""
        for name in [flag.name for flag in FLAGS] if names is None else list(names):
            self.set(name, 0.0)

    def value(self, name: str) -> float:
        """How strong a fault is now."""
        return self._flags[name].value

    def dice(self, name: str, token: str) -> float:
        """A number in [0, 1) that depends on the seed, the name and the token only: the same token always falls the same way."""
        digest = hashlib.blake2b(f"{self._seed}|{name}|{token}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def hits(self, name: str, token: str) -> bool:
        """Whether a fault that is a fraction hits this token."""
        value = self.value(name)
        return value > 0 and self.dice(name, token) < value

    def delay(self, name: str, stop: threading.Event | None = None) -> None:
        """Sit through a fault that is a time; ends early when the flag is lowered or `stop` is set."""
        started = time.monotonic()
        while time.monotonic() - started < self.value(name):
            if stop is None:
                time.sleep(_SLICE_SECONDS)
            elif stop.wait(_SLICE_SECONDS):
                return


class FaultValue(BaseModel):
    """How strong a fault shall be."""

    value: Annotated[float, Field(strict=True, ge=0, le=60, description="A fraction from 0 to 1, or seconds.")]


def router(faults: Faults) -> APIRouter:
    """The fault flags over HTTP."""
    routes = APIRouter(prefix="/faults", tags=["faults"])

    @routes.get("", summary="List the fault flags")
    def list_faults() -> list[FaultFlag]:
        return faults.all()

    @routes.put("/{name}", summary="Set a fault flag", responses=responses(404, 422))
    def set_fault(name: FlagName, body: FaultValue) -> FaultFlag:
        return faults.set(name, body.value)

    @routes.delete("/{name}", status_code=204, summary="Clear a fault flag", responses=responses(404))
    def clear_fault(name: FlagName) -> None:
        faults.clear([name])

    @routes.delete("", status_code=204, summary="Clear every fault flag")
    def clear_all() -> None:
        faults.clear()

    return routes
