"""Sandboxes and rows brought to agree: after a crash, every minute, and at a clean end."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path

import structlog
from sqlalchemy import select, update

from portal.models import (
    PLACE_STATES,
    CodeRun,
    EndReason,
    LabSession,
    RunState,
    SessionState,
    Submission,
    SubmissionState,
    utcnow,
)
from portal.work import metrics
from portal.work.context import WorkContext
from portal.work.launching import fail_ended_session
from sandboxes.drivers import DRIVERS, open_driver, presence
from sandboxes.drivers.inventory import kept
from sandboxes.interface import Driver, DriverUnavailable, Phase, SandboxError

log = structlog.get_logger("worker")
GRACE_SECONDS = 60.0
"""What was begun less long ago is left alone: another process may be starting it."""
WORKER_SECONDS = 600.0
"""A worker of another portal that was killed less long ago may be coming back for its sandboxes."""
PHASE_SECONDS = 300.0
BUILD_SECONDS = 2700.0
"""How long a start may stay in one phase: a wedged one must not keep the queue waiting. Building an image takes its time."""


def clean_up_after_crash(context: WorkContext) -> None:
    """At the start: adopt what still runs, end what a killed worker left behind, and take up again what it was doing.

    One worker serves an instance, so nothing that a row claims can really be under way yet.
    """
    with context.database.transaction() as db:
        db.execute(
            update(LabSession)
            .where(LabSession.state.in_(PLACE_STATES))
            .values(run_token=None)
            .execution_options(synchronize_session=False)
        )
        db.execute(
            update(Submission)
            .where(Submission.state == SubmissionState.RUNNING)
            .values(run_token=None, state=SubmissionState.QUEUED)
            .execution_options(synchronize_session=False)
        )
        db.execute(
            update(CodeRun)
            .where(CodeRun.state == RunState.RUNNING)
            .values(run_token=None, state=RunState.QUEUED)
            .execution_options(synchronize_session=False)
        )
        ready = db.scalars(select(LabSession).where(LabSession.state == SessionState.READY)).all()
    driver = context.driver
    if driver is None:
        return
    wanted = {row.sandbox_id for row in ready if row.driver in ("", driver.name)}
    for sandbox_id, labels in driver.running():
        if labels.get("instance") == context.labels["instance"] and sandbox_id not in wanted:
            orphan = driver.find(sandbox_id)
            if orphan is not None:
                log.info("ending an orphan", sandbox=sandbox_id, purpose=labels.get("purpose"))
                orphan.stop()
    try:
        driver.settle(context.settings.workspaces_dir)
        _reap(context, driver, wanted | _others(context, driver.running()))
    except (
        SandboxError,
        OSError,
    ) as error:  # each launch settles its own again; the next reaping is in a minute
        log.warning("what a crash left could not be tidied up yet", error=str(error))
    for row in ready:
        if row.driver not in ("", driver.name):
            fail_ended_session(
                context,
                row.id,
                "",
                f"The portal was started anew and now runs labs another way ({driver.name} instead of {row.driver}), so your "
                "sandbox is gone. Your files are kept: launch the lab again to go on.",
            )
        elif driver.find(row.sandbox_id) is None:
            fail_ended_session(
                context,
                row.id,
                "",
                "The sandbox did not outlive a restart of the portal. Your files are kept: launch the lab again to go on.",
            )


def clear_other_drivers(run_dir: Path, chosen: str | None, instance: str) -> list[str]:
    """End what this instance left running under a driver that it does not use any more; ids of what was ended.

    A driver that does not work here (an engine that is off) can't be asked; it removes its leftovers when it is chosen again.
    """
    ended = []
    for name in DRIVERS:
        if name == chosen:
            continue
        try:
            driver = open_driver(name, run_dir)
        except DriverUnavailable:
            continue
        try:
            for sandbox_id, labels in driver.running():
                sandbox = driver.find(sandbox_id) if labels.get("instance") == instance else None
                if sandbox is not None:
                    sandbox.stop()
                    ended.append(sandbox_id)
        except SandboxError as error:
            log.warning("another driver's sandboxes can't be listed", driver=name, reason=error.learner)
        finally:
            driver.close()
    if ended:
        log.info("ended sandboxes of another driver", sandboxes=ended, chosen=chosen)
    return ended


def reap(context: WorkContext, *, abandoned: bool = False) -> list[str]:
    """End sandboxes that no row speaks of, and remove what a crash left; ids of what was removed.

    What grades is kept: its job ends it. So is another portal's on the same run directory; with `abandoned` only when its worker
    lives or ended less than ten minutes ago, or the process that started it lives. Raises SandboxError, OSError, SQLAlchemyError.
    """
    if context.driver is None:
        return []
    # In this order: a row is older than its sandbox, so that what runs now and is wanted is among the rows read next.
    running = context.driver.running()
    with context.database.transaction() as db:
        keep = set(db.scalars(select(LabSession.sandbox_id).where(LabSession.state.in_(PLACE_STATES))))
        launching = set(
            map(str, db.scalars(select(LabSession.id).where(LabSession.state == SessionState.STARTING)))
        )
    for sandbox_id, labels in running:
        # One from a pool has an id that its row learns when it is ready; those that still wait there the pool keeps itself.
        if labels.get("purpose") not in ("session", "pool") or labels.get("session") in launching:
            keep.add(sandbox_id)
    others = _others(context, running)
    if abandoned:
        run_dir = context.settings.run_dir
        used = kept(run_dir, running, presence.recent_workers(run_dir, WORKER_SECONDS))
        keep, others = keep - others, others.intersection(used)
    return _reap(context, context.driver, keep | others)


def end_wedged_starts(context: WorkContext) -> None:
    """Fail starts that stay in one phase for far longer than it takes; whatever they bring up later is ended by `launch`."""
    now = time.monotonic()
    wedged = [
        session_id
        for session_id, (phase, since) in list(context.starts.items())
        if now - since > (BUILD_SECONDS if phase == Phase.BUILDING_IMAGE else PHASE_SECONDS)
    ]
    if not wedged:
        return
    log.warning("starts are wedged", sessions=wedged)
    with context.database.transaction() as db:
        db.execute(
            update(LabSession)
            .where(LabSession.id.in_(wedged), LabSession.state == SessionState.STARTING)
            .values(
                state=SessionState.FAILED,
                ended_at=utcnow(),
                detail="The sandbox did not start in time. Your files are kept: launch the lab again.",
            )
            .execution_options(synchronize_session=False)
        )


def stop_everything(context: WorkContext) -> None:
    """At a clean end: stop this instance's sandboxes; sessions say so. Who waits in the queue keeps the place."""
    if context.driver is not None:
        for sandbox_id, labels in context.driver.running():
            if labels.get("instance") == context.labels["instance"]:
                sandbox = context.driver.find(sandbox_id)
                if sandbox is not None:
                    sandbox.stop()
    with context.database.transaction() as db:
        for session in db.scalars(select(LabSession).where(LabSession.state.in_(PLACE_STATES))):
            if session.state != SessionState.STOPPING:
                session.end_reason = EndReason.PORTAL
                session.detail = "The portal was stopped. Your files are kept: launch the lab again to go on."
            session.state = SessionState.STOPPED
            session.ended_at = utcnow()


def _others(context: WorkContext, running: Collection[tuple[str, Mapping[str, str]]]) -> set[str]:
    """Those that belong to another portal, which runs on the same engine, or to nobody's portal."""
    return {
        sandbox_id for sandbox_id, labels in running if labels.get("instance") != context.labels["instance"]
    }


def _reap(context: WorkContext, driver: Driver, keep: set[str]) -> list[str]:
    """Let the driver remove all but these and what is young."""
    removed = driver.reap(keep, GRACE_SECONDS)
    metrics.reaped(len(removed))
    if removed:
        log.info("reaped", sandboxes=removed)
    return removed
