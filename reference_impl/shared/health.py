"""Health over HTTP: alive (restart me when not) and ready (send me traffic only when so)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from fastapi import APIRouter, Response
from pydantic import BaseModel

from reference_impl.shared.events import new_id
from reference_impl.shared.faults import Faults


class HealthState(StrEnum):
    """The state of one part or of the whole."""

    UP = "up"
    DOWN = "down"


class PartHealth(BaseModel):
    """One part of the process."""

    name: str
    state: HealthState
    detail: str = ""
    backlog: int = 0
    """Events that wait in its outbox or before its consumer."""


class Health(BaseModel):
    """The whole process."""

    state: HealthState
    parts: list[PartHealth] = []


def router(inspect: Callable[[], list[PartHealth]], faults: Faults) -> APIRouter:
    """The two health routes; `inspect` looks at every part and never raises."""
    routes = APIRouter(prefix="/health", tags=["health"])

    @routes.get("/liveness", summary="Is the process alive?")
    async def liveness() -> Health:
        return Health(state=HealthState.UP)

    @routes.get("/readiness", summary="Can it do its work?", responses={503: {"model": Health}})
    def readiness(response: Response) -> Health:
        parts = inspect()
        if faults.hits("health.flapping", new_id()):
            parts.append(PartHealth(name="process", state=HealthState.DOWN, detail="flapping, by a fault"))
        ready = all(part.state is HealthState.UP for part in parts)
        if not ready:
            response.status_code = 503
        return Health(state=HealthState.UP if ready else HealthState.DOWN, parts=parts)

    return routes
