"""Which labs have sandboxes waiting: those that people use or look at, the most recent first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from portal.content import Content, ContentSource
from portal.database import Database
from portal.models import LabSession, SessionState, User, utcnow
from portal.settings import Settings
from portal.work.context import WorkContext
from portal.work.launching import launch
from portal.work.reporter import Reporter
from portal.work.warming import RECENT, Warming
from portal.work.workspaces import Workspaces
from portal.worker import Work, with_pool
from sandboxes.pool import Pool
from tests.factories import lab_sessions, submissions, users
from tests.unit.labs.fake_driver import FakeDriver

A, B = "never-oversell", "saga-compensation"


@pytest.fixture
def user(db: Session) -> User:
    made = users.user(db)
    db.commit()
    return made


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def make(
    settings: Settings, database: Database, content: Content, driver: FakeDriver
) -> Iterator[Callable[..., Warming]]:
    pools: list[Pool] = []

    def warming(now: Callable[[], datetime] = utcnow, **knobs: Any) -> Warming:
        changed = replace(settings, **knobs)
        pools.append(Pool(driver, total=changed.pool_total))
        return Warming(pools[-1], database, content, changed, now)

    yield warming
    for pool in pools:
        pool.close()


def wanted(warming: Warming) -> dict[tuple[str, str], int]:
    flavours = warming.pool.status()["flavours"]
    return {(one["lab"], one["purpose"]): one["wanted"] for one in flavours if one["wanted"]}


def test_nothing_waits_where_nobody_is(make: Callable[..., Warming], db: Session, user: User) -> None:
    long_ago = utcnow() - RECENT - timedelta(minutes=1)
    lab_sessions.lab_session(db, user, lab_id=A, state=SessionState.STOPPED, requested_at=long_ago)
    submissions.submission(db, user, lab_id=A, created_at=long_ago)
    db.commit()
    warming = make()
    warming.refresh()
    assert wanted(warming) == {}


def test_who_has_a_lab_open_will_check_soon(make: Callable[..., Warming], db: Session, user: User) -> None:
    long_ago = utcnow() - timedelta(hours=2)
    lab_sessions.lab_session(db, user, lab_id=A, state=SessionState.READY, requested_at=long_ago)
    db.commit()
    warming = make()
    warming.refresh()
    assert wanted(warming) == {(A, "grading"): 1}


def test_who_looks_at_a_lab_may_launch_it(make: Callable[..., Warming]) -> None:
    clock = [utcnow()]
    warming = make(lambda: clock[0], pool_learners=2)
    warming.looked_at(A)
    warming.looked_at("no-such-lab")
    assert wanted(warming) == {(A, "session"): 2}
    clock[0] += RECENT
    warming.refresh()
    assert wanted(warming) == {}


def test_a_launch_brings_more_launches_and_gradings(
    make: Callable[..., Warming], db: Session, user: User
) -> None:
    lab_sessions.lab_session(db, user, lab_id=A, state=SessionState.STOPPED, requested_at=utcnow())
    db.commit()
    warming = make()
    warming.refresh()
    assert wanted(warming) == {(A, "grading"): 1, (A, "session"): 1}


def test_the_latest_use_wins_when_not_all_can_wait(
    make: Callable[..., Warming], db: Session, user: User
) -> None:
    now = utcnow()
    warming = make(lambda: now, pool_total=3, pool_learners=2)
    lab_sessions.lab_session(
        db, user, lab_id=A, state=SessionState.STOPPED, requested_at=now - timedelta(minutes=9)
    )
    db.commit()
    warming.looked_at(B)
    assert wanted(warming)[(B, "session")] == 2
    assert sum(wanted(warming).values()) == 3


def test_who_is_asked_for_a_program_has_a_sandbox_waiting_for_half_an_hour(
    make: Callable[..., Warming],
) -> None:
    clock = [utcnow()]
    warming = make(lambda: clock[0])
    warming.programs_in("go")
    assert wanted(warming) == {("programs in go", "grading"): 1}
    assert [one["image"] for one in warming.pool.status()["flavours"]] == ["go"]
    clock[0] += timedelta(minutes=31)
    warming.refresh()
    assert wanted(warming) == {}
    none = make(pool_programs=0)
    none.programs_in("go")
    assert wanted(none) == {}


def test_a_pool_of_none_wants_none(make: Callable[..., Warming], db: Session, user: User) -> None:
    lab_sessions.lab_session(db, user, lab_id=A, state=SessionState.READY)
    db.commit()
    warming = make(pool_total=0)
    warming.looked_at(A)
    warming.refresh()
    assert wanted(warming) == {}


def test_a_launch_takes_the_sandbox_that_waits_and_its_row_names_it(
    settings: Settings, database: Database, content: Content, driver: FakeDriver, db: Session, user: User
) -> None:
    context = with_pool(
        WorkContext(
            settings=replace(settings, run_dir=settings.instance_dir),
            database=database,
            source=ContentSource(content),
            driver=driver,
            driver_reason="for the test",
            workspaces=Workspaces(settings.workspaces_dir),
        )
    )
    assert context.warming is not None
    pool = context.warming.pool
    Work(context, Reporter(context)).warm(A)
    pool.tend()
    (blank,) = driver.sandboxes
    assert blank.spec.workspace.parent == settings.workspaces_dir / ".blank"
    assert blank.spec.labels == {**context.labels, "purpose": "pool"}
    row = lab_sessions.lab_session(db, user, lab_id=A, state=SessionState.STARTING)
    db.commit()
    launch(context, row.id)
    db.rollback()
    ready = db.get_one(LabSession, row.id, populate_existing=True)
    assert (ready.state, ready.sandbox_id) == (SessionState.READY, blank.id)
    assert blank.opened == [f"{A}.ipynb"]
    assert '"hits": 1' in (settings.instance_dir / "pool.json").read_text()
    pool.close()
