"""What goes on in running sessions: use, room that files take, and the ends that follow from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from portal.lifetime import due_end
from portal.models import EndReason, LabSession, SessionState, utcnow
from portal.settings import Settings
from portal.work.context import WorkContext
from sandboxes.interface import Sandbox, Usage

log = structlog.get_logger("worker")
KEPT = "Your files are kept: launch the lab again to go on."
BEYOND = 0.5
"""A session whose files take so much of their room more than they may, or than it began with, is ended; before, it is warned."""
MB = 1024 * 1024


def look_at_use(context: WorkContext) -> None:
    """Ask each running sandbox what its learner did last and what the files take; end those that took far too much.

    A running cell is use. An open tab is not: it may have been left open.
    """
    if context.driver is None:
        return
    with context.database.transaction() as db:
        rows = db.scalars(select(LabSession).where(LabSession.state == SessionState.READY)).all()
    for row in rows:
        sandbox = context.driver.find(row.sandbox_id)
        if sandbox is not None:
            _look_at(context, row, sandbox)


def end_expired_sessions(context: WorkContext) -> None:
    """Sessions whose time is over go to STOPPING."""
    for row in _due(context, EndReason.EXPIRED):
        _end_now(context, row, EndReason.EXPIRED, f"The session's time was over. {KEPT}")


def end_idle_sessions(context: WorkContext) -> None:
    """Sessions that nobody used for too long go to STOPPING; each is asked once more before."""
    why = f"Nothing was run or saved for {context.settings.session_idle_minutes} minutes. {KEPT}"
    for row in _due(context, EndReason.IDLE):
        if not _was_used_after_all(context, row):
            _end_now(context, row, EndReason.IDLE, why)


def takes_too_much(bytes_now: int, row: LabSession, settings: Settings) -> bool:
    """Whether a session is to be ended for the room that its files take. What was there at its start is never the reason."""
    room = settings.workspace_mb * MB
    return bytes_now > max(room, row.usage_at_start or 0) + BEYOND * room


def _due(context: WorkContext, reason: EndReason) -> list[LabSession]:
    now = utcnow()
    with context.database.transaction() as db:
        rows = db.scalars(select(LabSession).where(LabSession.state == SessionState.READY)).all()
    return [row for row in rows if due_end(row, context.settings, now) is reason]


def _end_now(context: WorkContext, row: LabSession, reason: EndReason, detail: str) -> None:
    with context.database.transaction() as db:
        if _end(db, row, reason, detail):
            log.info("session ends", session=row.id, reason=reason)


def _look_at(context: WorkContext, row: LabSession, sandbox: Sandbox) -> None:
    if not end_if_too_full(context, row, sandbox):
        _note_use(context, row, sandbox)


def end_if_too_full(context: WorkContext, row: LabSession, sandbox: Sandbox | None = None) -> bool:
    """Write what the files of a READY session take; whether that is far too much, so that it ends (or has ended) for it."""
    usage = _usage(context, row, sandbox)
    with context.database.transaction() as db:
        db.execute(
            update(LabSession)
            .where(LabSession.id == row.id, LabSession.state == SessionState.READY)
            .values(usage_bytes=usage.bytes, usage_files=usage.files)
            .execution_options(synchronize_session=False)
        )
        return takes_too_much(usage.bytes, row, context.settings) and _end(
            db,
            row,
            EndReason.QUOTA,
            f"Your files took {usage.bytes // MB} MB, and there is room for {context.settings.workspace_mb} MB. Nothing was "
            "deleted: launch the lab again and delete what you don't need, or reset the files.",
        )


def _usage(context: WorkContext, row: LabSession, sandbox: Sandbox | None) -> Usage:
    """As the sandbox's driver measures it, where it does; else as we do."""
    told = sandbox.usage() if sandbox is not None else None
    return told if told is not None else context.workspaces.files.usage(row.user_id, row.lab_id)


def _note_use(context: WorkContext, row: LabSession, sandbox: Sandbox) -> datetime | None:
    """Write when the sandbox was used last, never going back; that moment, or None when it does not say."""
    activity = sandbox.activity()
    if activity is None:
        return None
    used = utcnow() if activity.busy else min(activity.last, utcnow())
    with context.database.transaction() as db:
        db.execute(
            update(LabSession)
            .where(
                LabSession.id == row.id,
                (LabSession.last_active_at.is_(None)) | (LabSession.last_active_at < used),
            )
            .values(last_active_at=used)
            .execution_options(synchronize_session=False)
        )
    return used


def _was_used_after_all(context: WorkContext, row: LabSession) -> bool:
    """Ask once more before idleness ends a session: what is on its row may be a minute old."""
    sandbox = context.driver.find(row.sandbox_id) if context.driver is not None else None
    if sandbox is None:
        return False
    used = _note_use(context, row, sandbox)
    if used is None:
        return False
    row.last_active_at = max(filter(None, (row.last_active_at, used)))
    return due_end(row, context.settings, utcnow()) is not EndReason.IDLE


def _end(db: Session, row: LabSession, reason: EndReason, detail: str) -> bool:
    """READY to STOPPING, unless the learner has put the end off since the row was read; whether it was done."""
    same = [LabSession.id == row.id, LabSession.state == SessionState.READY]
    if reason is EndReason.EXPIRED:
        same.append(LabSession.expires_at == row.expires_at)
    if reason is EndReason.IDLE:
        same.append(
            LabSession.last_active_at.is_(None)
            if row.last_active_at is None
            else LabSession.last_active_at <= row.last_active_at
        )
    result: CursorResult[Any] = db.execute(  # type: ignore[assignment]
        update(LabSession)
        .where(*same)
        .values(state=SessionState.STOPPING, end_reason=reason, detail=detail[:500])
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1
