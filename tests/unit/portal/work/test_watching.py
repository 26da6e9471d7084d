"""Ends of sessions: by time, by idleness, by the room that files take; never of one that was just put off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from portal.models import EndReason, LabSession, SessionState, utcnow
from portal.work import watching
from portal.work.caretaker import Caretaker
from portal.work.context import WorkContext
from portal.work.watching import MB, end_expired_sessions, end_idle_sessions, look_at_use, takes_too_much
from sandboxes.interface import Usage
from tests.factories import lab_sessions, users
from tests.fixtures.portal import NotedJobs
from tests.unit.portal.work.conftest import UsedDriver


def ready(db: Session, quiet: float = 0, **columns: object) -> LabSession:
    """A session that began two hours ago and was used `quiet` minutes ago."""
    now = utcnow()
    values: dict[str, object] = {
        "ready_at": now - timedelta(hours=2),
        "last_active_at": now - timedelta(minutes=quiet),
        "expires_at": now + timedelta(hours=2),
        **columns,
    }
    row = lab_sessions.lab_session(db, users.user(db), **values)
    db.commit()
    return row


def fresh(db: Session, row: LabSession) -> LabSession:
    db.rollback()
    db.refresh(row)
    return row


def test_a_session_ends_when_its_time_is_over(site: WorkContext, db: Session) -> None:
    over, going_on = ready(db, expires_at=utcnow() - timedelta(seconds=1)), ready(db)
    end_expired_sessions(site)
    assert fresh(db, over).state == SessionState.STOPPING
    assert over.end_reason == EndReason.EXPIRED
    assert "time was over" in over.detail
    assert "files are kept" in over.detail
    assert fresh(db, going_on).state == SessionState.READY


def test_an_extension_that_came_just_in_time_holds(
    site: WorkContext, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ready(db, expires_at=utcnow() - timedelta(seconds=1))
    real = watching._due

    def extended_meanwhile(context: WorkContext, reason: EndReason) -> list[LabSession]:
        found = real(context, reason)
        with context.database.transaction() as other:
            other.get_one(LabSession, row.id).expires_at = utcnow() + timedelta(hours=1)
        return found

    monkeypatch.setattr(watching, "_due", extended_meanwhile)
    end_expired_sessions(site)
    assert fresh(db, row).state == SessionState.READY


def test_an_unused_session_ends_and_says_so(site: WorkContext, db: Session, used_driver: UsedDriver) -> None:
    idle, used = ready(db, quiet=61), ready(db, quiet=59)
    used_driver.run_for(idle).use(utcnow() - timedelta(minutes=61))
    end_idle_sessions(site)
    assert fresh(db, idle).state == SessionState.STOPPING
    assert idle.end_reason == EndReason.IDLE
    assert "60 minutes" in idle.detail
    assert fresh(db, used).state == SessionState.READY


@pytest.mark.parametrize(("last", "busy"), [(2, False), (300, True)])
def test_a_sandbox_is_asked_once_more_before_idleness_ends_it(
    site: WorkContext, db: Session, used_driver: UsedDriver, last: int, busy: bool
) -> None:
    row = ready(db, quiet=61)
    used_driver.run_for(row).use(utcnow() - timedelta(minutes=last), busy=busy)
    end_idle_sessions(site)
    assert fresh(db, row).state == SessionState.READY
    assert row.last_active_at is not None
    assert row.last_active_at > utcnow() - timedelta(minutes=3)


def test_a_tab_that_was_left_open_is_no_use(site: WorkContext, db: Session, used_driver: UsedDriver) -> None:
    row = ready(db, quiet=61)
    used_driver.run_for(row).use(utcnow() - timedelta(minutes=61), connections=3)
    end_idle_sessions(site)
    assert fresh(db, row).state == SessionState.STOPPING


def test_being_still_here_just_in_time_holds(
    site: WorkContext, db: Session, used_driver: UsedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ready(db, quiet=61)

    def pressed_meanwhile(context: WorkContext, _row: LabSession) -> bool:
        with context.database.transaction() as other:
            other.get_one(LabSession, row.id).last_active_at = utcnow()
        return False

    monkeypatch.setattr(watching, "_was_used_after_all", pressed_meanwhile)
    end_idle_sessions(site)
    assert fresh(db, row).state == SessionState.READY


def test_use_is_noted_and_never_goes_back(site: WorkContext, db: Session, used_driver: UsedDriver) -> None:
    used, busy, silent, earlier = (ready(db, quiet=30) for _ in range(4))
    used_driver.run_for(used).use(utcnow() - timedelta(minutes=5))
    used_driver.run_for(busy).use(utcnow() - timedelta(minutes=90), busy=True)
    used_driver.run_for(silent)
    used_driver.run_for(earlier).use(utcnow() - timedelta(minutes=45))
    look_at_use(site)
    minutes = [
        round((utcnow() - (fresh(db, row).last_active_at or utcnow())) / timedelta(minutes=1))
        for row in (used, busy, silent, earlier)
    ]
    assert minutes == [5, 0, 30, 30]


def test_a_clock_that_the_learner_set_forward_gains_nothing(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row = ready(db, quiet=30)
    used_driver.run_for(row).use(utcnow() + timedelta(days=9))
    look_at_use(site)
    last = fresh(db, row).last_active_at
    assert last is not None
    assert last <= utcnow()


def fill(site: WorkContext, row: LabSession, megabytes: int) -> Path:
    folder = site.workspaces.path(row.user_id, row.lab_id)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "data.bin").open("wb") as file:
        file.write(b"x" * (megabytes * MB))
    return folder


def test_the_room_that_files_take_is_written(site: WorkContext, db: Session, used_driver: UsedDriver) -> None:
    row = ready(db)
    fill(site, row, 3)
    used_driver.run_for(row)
    look_at_use(site)
    assert fresh(db, row).usage_files == 1
    assert row.usage_bytes is not None
    assert 3 * MB <= row.usage_bytes < 4 * MB


def test_far_too_many_files_end_the_session(site: WorkContext, db: Session, used_driver: UsedDriver) -> None:
    small = replace(site, settings=replace(site.settings, workspace_mb=2))
    warned, ended = ready(db, usage_at_start=0), ready(db, usage_at_start=0)
    fill(small, warned, 3 - 1)
    fill(small, ended, 4)
    for row in (warned, ended):
        used_driver.run_for(row)
    look_at_use(small)
    assert fresh(db, warned).state == SessionState.READY
    assert fresh(db, ended).state == SessionState.STOPPING
    assert ended.end_reason == EndReason.QUOTA
    assert "4 MB" in ended.detail
    assert "room for 2 MB" in ended.detail


@pytest.mark.parametrize(
    ("began_with_mb", "now_mb", "ends"),
    [
        (0, 384, False),
        (0, 385, True),
        (300, 428, False),
        (300, 429, True),
        (900, 1028, False),
        (900, 1029, True),
    ],
)
def test_who_began_with_too_much_is_let_in_to_tidy_up(
    site: WorkContext, db: Session, began_with_mb: int, now_mb: int, ends: bool
) -> None:
    row = ready(db, usage_at_start=began_with_mb * MB)
    assert takes_too_much(now_mb * MB, row, site.settings) is ends


def test_the_driver_s_own_measure_counts_where_there_is_one(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row = ready(db)
    used_driver.run_for(row).usage = lambda: Usage(5 * MB, 7)  # type: ignore[method-assign, attr-defined]
    look_at_use(site)
    assert (fresh(db, row).usage_bytes, row.usage_files) == (5 * MB, 7)


def test_a_sandbox_that_its_driver_ended_for_too_many_files_says_so(site: WorkContext, db: Session) -> None:
    small = replace(site, settings=replace(site.settings, workspace_mb=2))
    full, broken = ready(db, usage_at_start=0), ready(db, usage_at_start=0)
    fill(small, full, 4)
    fill(small, broken, 1)
    Caretaker(small, NotedJobs()).refresh_sessions()
    assert (fresh(db, full).state, full.end_reason) == (SessionState.STOPPING, EndReason.QUOTA)
    assert fresh(db, broken).state == SessionState.FAILED
    assert "files are kept" in broken.detail
