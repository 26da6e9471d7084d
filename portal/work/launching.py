"""Launching and stopping the sandboxes of lab sessions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import undefer

from labs.catalogue import Lab
from portal.models import LabSession, SessionState, Work, utcnow
from portal.settings import Settings
from portal.work import metrics, places
from portal.work.claims import Claim, claim
from portal.work.context import WorkContext
from portal.work.failures import note_failure
from sandboxes.interface import (
    Driver,
    Phase,
    Progress,
    SandboxError,
    SandboxGone,
    SandboxSpec,
    SandboxStatus,
)

log = structlog.get_logger("worker")
LOG_KEPT = 20_000


def launch(context: WorkContext, session_id: int) -> None:
    """Start the sandbox of a session that is STARTING, or QUEUED and next; does nothing for any other."""
    places.admit(context, only=session_id)
    owned = claim(
        context.database,
        LabSession,
        session_id,
        LabSession.state == SessionState.STARTING,
        stale_seconds=context.settings.stale_seconds,
        heartbeat_seconds=context.settings.heartbeat_seconds,
    )
    if owned is None:
        return
    with owned:
        with context.database.transaction() as db:
            row = db.scalars(select(LabSession).where(LabSession.id == session_id)).one()
        lab = context.content.lab(row.lab_id)
        if lab is None:
            _failed(owned, "This lab is not offered any more. Choose another one from the list of labs.")
            return
        context.starts[session_id] = (Phase.CREATING, time.monotonic())
        try:
            _start(context, owned, row, lab)
        except SandboxError as error:
            log.warning("launch failed", session=session_id, reason=error.reason, detail=error.detail)
            note_failure(context, Work.LAUNCH, lab.id, error)
            _failed(owned, error.learner, error.log)
        except Exception as error:
            log.exception("launch failed", session=session_id, exc_info=error)
            note_failure(context, Work.LAUNCH, lab.id, error)
            _failed(
                owned,
                "Something on our side went wrong while the sandbox started. Try again; the log has the details.",
            )
        finally:
            context.starts.pop(session_id, None)


def stop(context: WorkContext, session_id: int) -> None:
    """End the sandbox of a session that is STOPPING."""
    with context.database.transaction() as db:
        row = db.get(LabSession, session_id)
        if row is None or row.state != SessionState.STOPPING:
            return
        sandbox_id = row.sandbox_id
    if context.driver is not None:
        sandbox = context.driver.find(sandbox_id)
        if sandbox is not None:
            sandbox.stop()
    with context.database.transaction() as db:
        row = db.get(LabSession, session_id)
        if row is not None and row.state == SessionState.STOPPING:
            usage = context.workspaces.files.usage(row.user_id, row.lab_id)
            row.usage_bytes, row.usage_files = usage.bytes, usage.files
            row.state = SessionState.STOPPED
            row.ended_at = utcnow()


def session_spec(
    lab: Lab, settings: Settings, workspace: Path, labels: Mapping[str, str] | None = None
) -> SandboxSpec:
    """A learner's sandbox of the lab, without its own id and token: also what a pool keeps ready for it."""
    return SandboxSpec(
        workspace=workspace,
        services=lab.manifest.services,
        image=lab.manifest.image,
        limits=replace(lab.manifest.limits.sandbox(), workspace_mb=settings.workspace_mb),
        jupyter=True,
        environment={"LAB_SLUG": lab.id},
        labels={"purpose": "session", **(labels or {})},
    )


def services_of(status: SandboxStatus) -> list[dict[str, str]]:
    """The services of a status as the row keeps them."""
    return [{"name": s.name, "state": str(s.state), "detail": s.detail[:200]} for s in status.services]


def _start(context: WorkContext, owned: Claim, row: LabSession, lab: Lab) -> None:
    driver = context.require_driver()
    leftover = driver.find(row.sandbox_id)
    if leftover is not None:  # an earlier run of this launch was killed after the sandbox had started
        leftover.stop()
    driver.settle(context.workspaces.path(row.user_id, lab.id))
    workspace = context.workspaces.prepare(row.user_id, lab)
    owned.write(driver=driver.name, phase=str(Phase.CREATING), detail="")
    labels = {**context.labels, "session": str(row.id), "lab": lab.id, "learner": str(row.user_id)}
    spec = replace(
        session_spec(lab, context.settings, workspace, labels),
        sandbox_id=row.sandbox_id,
        access_token=row.access_token,
    )
    last_told = 0.0
    last_phase: Phase | None = None

    def tell(progress: Progress) -> None:
        nonlocal last_told, last_phase
        if context.starts.get(row.id, (None, 0.0))[0] != progress.phase:
            context.starts[row.id] = (progress.phase, time.monotonic())
        if progress.phase == last_phase and time.monotonic() - last_told < 0.5:
            return
        last_told, last_phase = time.monotonic(), progress.phase
        owned.write(phase=str(progress.phase), detail=progress.detail[:500])

    _make_room(context, driver, 1)  # one of those that wait may be the one that this launch takes
    sandbox = metrics.started(driver, spec, tell, lab.id)
    sandbox.open_notebook(f"{lab.id}.ipynb")
    _make_room(context, driver)
    usage = context.workspaces.files.usage(row.user_id, row.lab_id)
    now = utcnow()
    kept = owned.write(
        LabSession.state == SessionState.STARTING,
        state=SessionState.READY,
        sandbox_id=sandbox.id,
        access_token=sandbox.access_token,
        phase=str(Phase.READY),
        detail="",
        services=services_of(sandbox.status()),
        ready_at=now,
        last_active_at=now,
        expires_at=now + timedelta(hours=context.settings.session_hours),
        usage_bytes=usage.bytes,
        usage_files=usage.files,
        usage_at_start=usage.bytes,
    )
    if not kept:  # the learner pressed Stop meanwhile, or another run took over
        sandbox.stop()


def _make_room(context: WorkContext, driver: Driver, more: int = 0) -> None:
    """Let warm sandboxes go where they and the learners' together take more than the site's places, and `more`."""
    driver.make_room(places.free_places(context) + more)


def _failed(owned: Claim, message: str, text: str = "") -> None:
    owned.write(
        LabSession.state.in_([SessionState.STARTING, SessionState.STOPPING]),
        state=SessionState.FAILED,
        detail=message[:500],
        log=text[-LOG_KEPT:],
        ended_at=utcnow(),
    )


def ended_because(detail: str = "") -> str:
    """What a learner is told of a sandbox that ended by itself; `detail` is what it said of that."""
    why = detail.strip()[:300] or "The sandbox ended unexpectedly."
    return why if "files are kept" in why else f"{why} Your files are kept: launch the lab again to go on."


def fail_ended_session(context: WorkContext, session_id: int, text: str, detail: str) -> None:
    """Record that a READY session's sandbox is gone without having been stopped; `text` is its log."""
    lab_id = None
    with context.database.transaction() as db:
        row = db.get(LabSession, session_id, options=[undefer(LabSession.log)])
        if row is not None and row.state == SessionState.READY:
            lab_id = row.lab_id
            row.state = SessionState.FAILED
            row.detail = detail
            row.log = text[-LOG_KEPT:]
            row.ended_at = utcnow()
    if lab_id is not None:
        note_failure(context, Work.SESSION, lab_id, SandboxGone("The sandbox ended unexpectedly."))
