"""The site's places: how many sandboxes of learners may run at once, and who gets the next one.

A launch is a row in QUEUED. It gets a place, oldest first, when fewer sessions hold one than there are places. One worker serves
an instance, so a lock in its process is enough for nobody to be let in twice.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from portal.models import PLACE_STATES, EndReason, LabSession, SessionState, utcnow
from portal.settings import Settings
from portal.work.context import WorkContext
from portal.work.memory import usable_memory_mb

log = structlog.get_logger("worker")
RESERVE_MB = 2048
"""Memory that is not given to learners' sandboxes: the system, the portal, and what is being graded."""
PATIENCE = timedelta(hours=12)
"""A row that stands in the queue for longer belongs to somebody who has left."""
_admitting = threading.Lock()


def site_places(settings: Settings, memory_mb: int | None = None) -> int:
    """How many learners' sandboxes may run at once: the setting, or (memory - reserve) / place, and at least one."""
    if settings.sandbox_places:
        return settings.sandbox_places
    memory = usable_memory_mb() if memory_mb is None else memory_mb
    return max(1, (memory - RESERVE_MB) // settings.sandbox_place_mb)


def free_places(context: WorkContext) -> int:
    """How many places no learner holds now."""
    with context.database.transaction() as db:
        return _free(db, context.settings)


def _free(db: Session, settings: Settings) -> int:
    taken = db.scalar(select(func.count()).select_from(LabSession).where(LabSession.state.in_(PLACE_STATES)))
    return max(0, site_places(settings) - (taken or 0))


def admit(context: WorkContext, only: int | None = None) -> list[int]:
    """Give free places to the oldest in the queue; ids of the sessions that are STARTING now.

    With `only`, that session gets its place if it is its turn, and nobody else does: its launch is at hand, the others' are not.
    """
    with _admitting, context.database.transaction() as db:
        free = _free(db, context.settings)
        if not free:
            return []
        next_ones = db.scalars(
            select(LabSession.id)
            .where(LabSession.state == SessionState.QUEUED)
            .order_by(LabSession.requested_at, LabSession.id)
            .limit(free)
        ).all()
        admitted = []
        for session_id in next_ones:
            if only is not None and session_id != only:
                continue
            # Conditional: the learner may be leaving the queue at this moment.
            result: CursorResult[Any] = db.execute(  # type: ignore[assignment]
                update(LabSession)
                .where(LabSession.id == session_id, LabSession.state == SessionState.QUEUED)
                .values(state=SessionState.STARTING, admitted_at=utcnow())
                .execution_options(synchronize_session=False)
            )
            if result.rowcount == 1:
                admitted.append(session_id)
    return admitted


def forget_the_patient(context: WorkContext) -> None:
    """Take those out of the queue who have stood in it for longer than anybody waits."""
    with context.database.transaction() as db:
        db.execute(
            update(LabSession)
            .where(LabSession.state == SessionState.QUEUED, LabSession.requested_at < utcnow() - PATIENCE)
            .values(
                state=SessionState.STOPPED,
                end_reason=EndReason.WAITED,
                ended_at=utcnow(),
                detail=f"No place became free within {PATIENCE // timedelta(hours=1)} hours. Launch the lab again to wait anew.",
            )
            .execution_options(synchronize_session=False)
        )
