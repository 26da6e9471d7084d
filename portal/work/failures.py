"""Keeping in mind what failed on our side: counted for Prometheus, and a row for the operator's page."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from portal.models import Failure, Work, utcnow
from portal.work import metrics
from portal.work.context import WorkContext
from sandboxes.interface import SandboxError

log = structlog.get_logger("worker")
KEPT = timedelta(days=7)
INTERNAL = "internal_error"
"""The reason of an exception that is a bug of ours."""


def note_failure(context: WorkContext, work: Work, lab_id: str, error: Exception) -> None:
    """Note one failure. Never raises: whoever calls it is busy with the failure itself."""
    told = isinstance(error, SandboxError)
    reason = error.reason if isinstance(error, SandboxError) else INTERNAL
    metrics.failed(work, reason)
    message = str(error) if told else f"{type(error).__name__}: the worker's log has the details."
    try:
        with context.database.transaction() as db:
            db.add(Failure(work=work, reason=reason[:40], message=message[:300], lab_id=lab_id[:80]))
    except SQLAlchemyError as problem:
        log.warning("a failure was not noted", work=str(work), reason=reason, error=str(problem))


def forget_old_failures(context: WorkContext) -> None:
    """Remove those that are older than a week."""
    with context.database.transaction() as db:
        db.execute(delete(Failure).where(Failure.at < utcnow() - KEPT))
