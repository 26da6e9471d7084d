"""Places: oldest first, never more than there are, and one wedged start holds up nobody else."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from portal.models import EndReason, LabSession, SessionState, WorkerStatus, utcnow
from portal.settings import Settings
from portal.work import places
from portal.work.caretaker import Caretaker
from portal.work.context import WorkContext
from portal.work.launching import launch
from portal.work.reaping import end_wedged_starts
from sandboxes.interface import Phase, SandboxSpec
from tests.factories import lab_sessions, users
from tests.fixtures.portal import NotedJobs
from tests.unit.portal.work.conftest import UsedDriver


def queue(db: Session, minutes_ago: float, **columns: object) -> LabSession:
    row = lab_sessions.lab_session(
        db,
        users.user(db),
        state=SessionState.QUEUED,
        requested_at=utcnow() - timedelta(minutes=minutes_ago),
        **columns,
    )
    db.commit()
    return row


def with_places(context: WorkContext, count: int) -> WorkContext:
    return replace(context, settings=replace(context.settings, sandbox_places=count))


def state(db: Session, row: LabSession) -> str:
    db.rollback()
    db.refresh(row)
    return row.state


@pytest.mark.parametrize(
    ("memory_mb", "place_mb", "expected"),
    [(8192, 1024, 6), (8192, 512, 12), (32_768, 1024, 30), (3071, 1024, 1), (1024, 1024, 1), (512, 64, 1)],
)
def test_places_come_from_memory(memory_mb: int, place_mb: int, expected: int) -> None:
    assert places.site_places(Settings(sandbox_place_mb=place_mb), memory_mb) == expected


def test_a_number_of_places_that_is_set_is_taken() -> None:
    assert places.site_places(Settings(sandbox_places=7), 1024) == 7


def test_the_oldest_get_the_free_places(site: WorkContext, db: Session) -> None:
    late, first, second = queue(db, 1), queue(db, 9), queue(db, 5)
    lab_sessions.lab_session(db, users.user(db), state=SessionState.STOPPED)
    db.commit()
    assert places.admit(with_places(site, 2)) == [first.id, second.id]
    assert [state(db, row) for row in (first, second, late)] == ["starting", "starting", "queued"]
    assert first.admitted_at is not None
    assert places.admit(with_places(site, 2)) == []


@pytest.mark.parametrize("holding", [SessionState.STARTING, SessionState.READY, SessionState.STOPPING])
def test_every_session_with_a_sandbox_holds_a_place(
    site: WorkContext, db: Session, holding: SessionState
) -> None:
    lab_sessions.lab_session(db, users.user(db), state=holding)
    row = queue(db, 1)
    assert places.admit(with_places(site, 1)) == []
    assert state(db, row) == SessionState.QUEUED


def test_lowering_the_cap_ends_nobody_and_lets_nobody_in(site: WorkContext, db: Session) -> None:
    running = [lab_sessions.lab_session(db, users.user(db)) for _ in range(3)]
    waiting = queue(db, 1)
    assert places.admit(with_places(site, 1)) == []
    assert {state(db, row) for row in running} == {SessionState.READY}
    assert state(db, waiting) == SessionState.QUEUED


def test_a_launch_takes_its_place_only_when_it_is_its_turn(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    first, second = queue(db, 5), queue(db, 1)
    one = with_places(site, 1)
    launch(one, second.id)
    assert (state(db, first), state(db, second)) == (SessionState.QUEUED, SessionState.QUEUED)
    launch(one, first.id)
    assert state(db, first) == SessionState.READY
    assert [box.id for box in used_driver.sandboxes] == [first.sandbox_id]


def test_two_at_once_do_not_get_the_same_place(site: WorkContext, db: Session) -> None:
    rows = [queue(db, 9 - number) for number in range(6)]
    got: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: got.append(places.admit(with_places(site, 2)))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row for each in got for row in each] == [rows[0].id, rows[1].id]


def test_the_caretaker_asks_for_the_launches_it_admits(site: WorkContext, db: Session) -> None:
    row, waiting = queue(db, 2), queue(db, 1)
    jobs = NotedJobs()
    Caretaker(with_places(site, 1), jobs).admit()
    assert jobs.launched == [row.id]
    assert state(db, waiting) == SessionState.QUEUED


def test_the_pages_are_told_how_many_places_there_are(site: WorkContext, db: Session) -> None:
    Caretaker(with_places(site, 5), NotedJobs()).tell()
    assert db.get_one(WorkerStatus, 1).places == 5


def test_nobody_waits_for_ever(site: WorkContext, db: Session) -> None:
    forgotten, waiting = queue(db, 13 * 60), queue(db, 11 * 60)
    places.forget_the_patient(site)
    assert state(db, forgotten) == SessionState.STOPPED
    assert forgotten.end_reason == EndReason.WAITED
    assert "12 hours" in forgotten.detail
    assert state(db, waiting) == SessionState.QUEUED


def test_a_wedged_start_gives_its_place_up(
    site: WorkContext, db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    wedged, building, fine = (
        lab_sessions.lab_session(db, users.user(db), state=SessionState.STARTING) for _ in range(3)
    )
    waiting = queue(db, 1)
    monkeypatch.setattr("portal.work.reaping.time.monotonic", lambda: 1000.0)
    site.starts.update(
        {
            wedged.id: (Phase.STARTING_SERVICES, 1000.0 - 301),
            building.id: (Phase.BUILDING_IMAGE, 1000.0 - 301),
            fine.id: (Phase.STARTING_SERVICES, 1000.0 - 299),
        }
    )
    assert places.admit(with_places(site, 3)) == []
    end_wedged_starts(site)
    assert [state(db, row) for row in (wedged, building, fine)] == ["failed", "starting", "starting"]
    assert "Your files are kept" in wedged.detail
    assert places.admit(with_places(site, 3)) == [waiting.id]


def test_a_launch_notes_its_phase_and_forgets_it(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row = queue(db, 1)
    seen: list[object] = []
    real = used_driver.start

    def start(spec, progress):  # type: ignore[no-untyped-def]
        seen.append(site.starts.get(row.id, (None,))[0])
        return real(spec, progress)

    used_driver.start = start  # type: ignore[method-assign]
    launch(site, row.id)
    assert seen == [Phase.CREATING]
    assert site.starts == {}


def test_a_sandbox_from_a_pool_is_known_by_its_own_id_and_secret(
    site: WorkContext, db: Session, used_driver: UsedDriver
) -> None:
    row = queue(db, 1)
    before = (row.sandbox_id, row.access_token)
    used_driver.pooled = SandboxSpec(site.settings.instance_dir)
    launch(with_places(site, 4), row.id)
    assert state(db, row) == SessionState.READY
    assert used_driver.pooled is not None
    assert (row.sandbox_id, row.access_token) == (
        used_driver.pooled.sandbox_id,
        used_driver.pooled.access_token,
    )
    assert row.sandbox_id != before[0]
    assert used_driver.room == [4, 3], "before the start one of those that wait may be the one; after it none"
