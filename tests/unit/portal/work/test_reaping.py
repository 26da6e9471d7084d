"""Rows and sandboxes agree again after a crash, after a change of driver, every minute, and after a clean end."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from portal.models import EndReason, LabSession, SessionState
from portal.work import reaping
from portal.work.context import WorkContext
from portal.work.launching import launch
from portal.work.reaping import (
    GRACE_SECONDS,
    clean_up_after_crash,
    clear_other_drivers,
    reap,
    stop_everything,
)
from sandboxes.interface import Driver, DriverUnavailable, SandboxError
from tests.factories import lab_sessions, users
from tests.unit.portal.work.conftest import UsedDriver


def row_in(db: Session, state: SessionState, **columns: object) -> LabSession:
    row = lab_sessions.lab_session(db, users.user(db), state=state, **columns)
    db.commit()
    return row


def fresh(db: Session, row: LabSession) -> LabSession:
    db.rollback()
    db.refresh(row)
    return row


def test_what_still_runs_is_adopted_and_what_does_not_says_so(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    kept, gone = row_in(db, SessionState.READY, driver="fake"), row_in(db, SessionState.READY, driver="fake")
    queued = row_in(db, SessionState.QUEUED)
    used_driver.run_for(kept, site.labels)
    foreign = used_driver.run_for(lab_sessions.lab_session(db, users.user(db)), {"instance": "another"})
    db.rollback()
    clean_up_after_crash(site)
    assert fresh(db, kept).state == SessionState.READY
    assert fresh(db, gone).state == SessionState.FAILED
    assert "files are kept" in gone.detail
    assert fresh(db, queued).state == SessionState.QUEUED
    assert used_driver.kept == [({kept.sandbox_id, gone.sandbox_id, foreign.id}, GRACE_SECONDS)]


def test_files_that_were_being_moved_are_put_back_at_the_start_and_before_each_launch(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row = row_in(db, SessionState.STARTING)
    clean_up_after_crash(site)
    assert [below for below, _ in used_driver.settled] == [site.settings.workspaces_dir]
    workspace = site.workspaces.path(row.user_id, row.lab_id)
    launch(site, row.id)
    assert used_driver.settled[1:] == [(workspace, False)], "before the lab's files are put there"
    assert fresh(db, row).state == SessionState.READY


def test_files_that_can_not_be_put_back_keep_the_learner_out_and_nobody_else(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row, kept = row_in(db, SessionState.STARTING), row_in(db, SessionState.READY, driver="fake")
    used_driver.run_for(kept, site.labels)
    used_driver.settle_error = SandboxError("Your files are kept. Try again.")
    clean_up_after_crash(site)
    launch(site, row.id)
    assert fresh(db, row).state == SessionState.FAILED
    assert row.detail == "Your files are kept. Try again."
    assert not site.workspaces.path(row.user_id, row.lab_id).exists()
    assert fresh(db, kept).state == SessionState.READY


def test_sessions_of_a_driver_that_is_not_used_any_more_say_so(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row = row_in(db, SessionState.READY, driver="docker")
    clean_up_after_crash(site)
    assert fresh(db, row).state == SessionState.FAILED
    assert "fake instead of docker" in row.detail
    assert "files are kept" in row.detail


def test_another_driver_s_sandboxes_of_this_portal_are_ended(
    site: WorkContext, db: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = UsedDriver()
    mine = other.run_for(row_in(db, SessionState.READY), {"instance": "me"})
    other.run_for(row_in(db, SessionState.READY), {"instance": "not me"})
    opened: list[str] = []

    def open_driver(name: str, _run_dir: Path) -> Driver:
        opened.append(name)
        if name == "docker":
            raise DriverUnavailable("no engine")
        return other

    monkeypatch.setattr(reaping, "open_driver", open_driver)
    monkeypatch.setattr(other, "close", lambda: None)
    assert clear_other_drivers(tmp_path, "somewhere else", "me") == [mine.id]
    assert opened == ["docker", "local"]
    assert mine.stops == 1
    opened.clear()
    clear_other_drivers(tmp_path, "local", "me")
    assert opened == ["docker"]


def test_every_minute_only_what_a_row_or_a_grading_needs_is_kept(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    ready = row_in(db, SessionState.READY)
    starting = row_in(db, SessionState.STARTING)
    ended = row_in(db, SessionState.STOPPED)
    mine = dict(site.labels)
    used_driver.run_for(ready, {**mine, "purpose": "session", "session": str(ready.id)})
    used_driver.run_for(ended, {**mine, "purpose": "session", "session": str(ended.id)})
    spare = [lab_sessions.lab_session(db, users.user(db), state=SessionState.STOPPED) for _ in range(4)]
    from_pool = used_driver.run_for(spare[0], {**mine, "purpose": "session", "session": str(starting.id)})
    grader = used_driver.run_for(spare[1], {**mine, "purpose": "grading"})
    used_driver.run_for(spare[2], {**mine, "purpose": "pool"})
    foreign = used_driver.run_for(spare[3], {"instance": "another", "purpose": "session"})
    db.rollback()
    reap(site)
    assert used_driver.kept == [
        ({ready.sandbox_id, starting.sandbox_id, from_pool.id, grader.id, foreign.id}, GRACE_SECONDS)
    ]


def test_a_clean_end_says_so_and_the_queue_keeps_its_places(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    ready, queued = row_in(db, SessionState.READY), row_in(db, SessionState.QUEUED)
    expiring = row_in(db, SessionState.STOPPING, end_reason=EndReason.EXPIRED, detail="time")
    running = used_driver.run_for(ready, site.labels)
    stop_everything(site)
    assert running.stops == 1
    assert fresh(db, ready).state == SessionState.STOPPED
    assert (ready.end_reason, "The portal was stopped" in ready.detail) == (EndReason.PORTAL, True)
    assert fresh(db, expiring).end_reason == EndReason.EXPIRED
    assert expiring.state == SessionState.STOPPED
    assert fresh(db, queued).state == SessionState.QUEUED
