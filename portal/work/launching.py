"""Launching and stopping the sandboxes of lab sessions."""

from __future__ import annotations

import time
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import undefer

from labs.catalogue import Lab
from portal.models import LabSession, SessionState, Work, utcnow
from portal.work import metrics
from portal.work.claims import Claim, claim
from portal.work.context import WorkContext
from portal.work.failures import note_failure
from sandboxes.interface import Phase, Progress, SandboxError, SandboxGone, SandboxSpec, SandboxStatus

log = structlog.get_logger("worker")
LOG_KEPT = 20_000


def launch(context: WorkContext, session_id: int) -> None:
    """Start the sandbox of a session that is STARTING; does nothing for any other."""
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
            row.state = SessionState.STOPPED
            row.ended_at = utcnow()


def services_of(status: SandboxStatus) -> list[dict[str, str]]:
    """The services of a status as the row keeps them."""
    return [{"name": s.name, "state": str(s.state), "detail": s.detail[:200]} for s in status.services]


def _start(context: WorkContext, owned: Claim, row: LabSession, lab: Lab) -> None:
    driver = context.require_driver()
    leftover = driver.find(row.sandbox_id)
    if leftover is not None:  # an earlier run of this launch was killed after the sandbox had started
        leftover.stop()
    workspace = context.workspaces.prepare(row.user_id, lab)
    owned.write(driver=driver.name, phase=str(Phase.CREATING), detail="")
    spec = SandboxSpec(
        workspace=workspace,
        services=lab.manifest.services,
        image=lab.manifest.image,
        limits=lab.manifest.limits.sandbox(),
        jupyter=True,
        environment={"LAB_SLUG": lab.id},
        labels={
            **context.labels,
            "purpose": "session",
            "session": str(row.id),
            "lab": lab.id,
            "learner": str(row.user_id),
        },
        sandbox_id=row.sandbox_id,
        access_token=row.access_token,
    )
    last_told = 0.0
    last_phase: Phase | None = None

    def tell(progress: Progress) -> None:
        nonlocal last_told, last_phase
        if progress.phase == last_phase and time.monotonic() - last_told < 0.5:
            return
        last_told, last_phase = time.monotonic(), progress.phase
        owned.write(phase=str(progress.phase), detail=progress.detail[:500])

    sandbox = metrics.started(driver, spec, tell, lab.id)
    now = utcnow()
    kept = owned.write(
        LabSession.state == SessionState.STARTING,
        state=SessionState.READY,
        phase=str(Phase.READY),
        detail="",
        services=services_of(sandbox.status()),
        ready_at=now,
        expires_at=now + timedelta(hours=context.settings.session_hours),
    )
    if not kept:  # the learner pressed Stop meanwhile, or another run took over
        sandbox.stop()


def _failed(owned: Claim, message: str, text: str = "") -> None:
    owned.write(
        LabSession.state.in_([SessionState.STARTING, SessionState.STOPPING]),
        state=SessionState.FAILED,
        detail=message[:500],
        log=text[-LOG_KEPT:],
        ended_at=utcnow(),
    )


def fail_ended_session(context: WorkContext, session_id: int, text: str) -> None:
    """Record that a READY session's sandbox is gone without having been stopped."""
    lab_id = None
    with context.database.transaction() as db:
        row = db.get(LabSession, session_id, options=[undefer(LabSession.log)])
        if row is not None and row.state == SessionState.READY:
            lab_id = row.lab_id
            row.state = SessionState.FAILED
            row.detail = "The sandbox ended unexpectedly. Your files are kept: launch the lab again to go on."
            row.log = text[-LOG_KEPT:]
            row.ended_at = utcnow()
    if lab_id is not None:
        note_failure(context, Work.SESSION, lab_id, SandboxGone("The sandbox ended unexpectedly."))
