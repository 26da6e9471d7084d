"""The reporter: what the worker tells the operator's page, and what it removes on demand."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import Content, ContentSource
from portal.database import Database
from portal.jobs import QueuedJobs, make_huey
from portal.models import Failure, SessionState, SubmissionState, Work, WorkerStatus, utcnow
from portal.reports import ChecksReport, PoolReport, SandboxesReport
from portal.settings import Settings
from portal.tasks import register
from portal.work import reporter as reporting
from portal.work.caretaker import Caretaker
from portal.work.context import WorkContext
from portal.work.failures import forget_old_failures, note_failure
from portal.work.reporter import Reporter
from portal.work.workspaces import Workspaces
from sandboxes.doctor import Finding, State
from sandboxes.drivers import presence
from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.interface import DriverUnavailable, SandboxSpec, StartFailed
from tests.factories import lab_sessions, submissions, users
from tests.fixtures.portal import NotedJobs
from tests.unit.labs.fake_driver import FakeDriver

LAB = "never-oversell"


@pytest.fixture
def run_dir() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="pgu-"))
    RunDirectory(root).prepare()
    yield root
    shutil.rmtree(root)


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def context(
    settings: Settings, database: Database, content: Content, driver: FakeDriver, run_dir: Path
) -> WorkContext:
    made = WorkContext(
        settings=replace(settings, run_dir=run_dir),
        database=database,
        source=ContentSource(content),
        driver=driver,
        driver_reason="for the test",
        workspaces=Workspaces(settings.workspaces_dir),
    )
    Caretaker(made, NotedJobs()).tell()
    return made


@pytest.fixture
def reporter(context: WorkContext) -> Reporter:
    return Reporter(context)


def run(context: WorkContext, driver: FakeDriver, sandbox_id: str, **labels: str) -> None:
    """Something that runs, with a record as a driver writes it."""
    spec = SandboxSpec(
        workspace=context.settings.instance_dir,
        labels={**context.labels, **labels},
        sandbox_id=sandbox_id,
        access_token="very-secret-token",
    )
    driver.start(spec, lambda _progress: None)
    RunDirectory(context.settings.run_dir).save(Record.of(spec, "fake"))


def told(database: Database) -> WorkerStatus:
    with database.transaction() as db:
        status = db.get_one(WorkerStatus, 1)
        assert status.heartbeat_at is not None
        _ = status.sandboxes, status.pool, status.checks
        return status


def test_what_runs_is_written_without_its_secret(
    reporter: Reporter, context: WorkContext, driver: FakeDriver, database: Database
) -> None:
    run(context, driver, "mine", purpose="session", session="41", lab=LAB, learner="7")
    run(context, driver, "grades", purpose="grading", lab=LAB)
    foreign = SandboxSpec(workspace=context.settings.instance_dir, labels={"instance": "another portal"})
    driver.start(foreign, lambda _progress: None)
    reporter.report()
    status = told(database)
    report = SandboxesReport.parse(status.sandboxes)
    assert report is not None
    assert [(line.id, line.purpose, line.session, line.lab) for line in report.lines] == [
        ("mine", "session", 41, LAB),
        ("grades", "grading", None, LAB),
    ]
    assert report.lines[0].started_at == pytest.approx(time.time(), abs=60)
    assert status.pool is None
    assert "very-secret-token" not in json.dumps(status.sandboxes)
    assert (status.driver, status.reason) == ("fake", "for the test"), "the caretaker's words stay"


def test_the_pool_s_note_is_passed_on(reporter: Reporter, run_dir: Path, database: Database) -> None:
    note = {
        "total": 3,
        "warm": 1,
        "hits": 2,
        "misses": 0,
        "flavours": [{"lab": LAB, "purpose": "session", "warm": 1}],
    }
    (run_dir / "pool.json").write_text(json.dumps(note))
    reporter.report()
    report = PoolReport.parse(told(database).pool)
    assert report is not None
    assert (report.total, report.lines[0].lab, report.lines[0].warm) == (3, LAB, 1)
    (run_dir / "pool.json").write_text('{"total": 3, "flavours": [{"warm": "many"}]}')
    reporter.report()
    assert told(database).pool is None


def test_the_checks_are_written(
    reporter: Reporter, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        reporting, "examine", lambda _s: [Finding("engine", State.PROBLEM, "None.", "Start one.", ("docker",))]
    )
    reporter.examine()
    report = ChecksReport.parse(told(database).checks)
    assert report is not None
    assert [(line.name, line.state, line.todo) for line in report.lines] == [
        ("engine", "problem", "Start one.")
    ]


def test_a_reaping_ends_what_nobody_is_left_for_and_nothing_else(
    reporter: Reporter, context: WorkContext, driver: FakeDriver, db: Session, database: Database
) -> None:
    open_one = lab_sessions.lab_session(db, users.user(db), state=SessionState.STARTING)
    ended = lab_sessions.lab_session(db, users.user(db), state=SessionState.FAILED)
    db.commit()
    # One from a pool has an identity of its own until its row is READY.
    run(context, driver, "just-adopted", purpose="session", session=str(open_one.id))
    run(context, driver, "abandoned", purpose="session", session=str(ended.id))
    run(context, driver, "grades", purpose="grading")
    run(context, driver, "forgotten", purpose="pool")  # those that do wait, the pool itself keeps
    run(context, driver, "neighbour", instance="lives")
    run(context, driver, "deserted", instance="gone")
    records = RunDirectory(context.settings.run_dir)
    for record in records.all_records():
        records.save(replace(record, starter=""))
    presence.announce(context.settings.run_dir, "lives", "fake", time.time())
    reporter.reap()
    assert {sandbox_id for sandbox_id, _labels in driver.running()} == {"just-adopted", "grades", "neighbour"}
    report = SandboxesReport.parse(told(database).sandboxes)
    assert report is not None
    assert report.reaped == 3
    assert report.reaped_at is not None


def test_a_session_that_starts_during_a_reaping_is_kept(
    reporter: Reporter,
    context: WorkContext,
    driver: FakeDriver,
    db: Session,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = driver.running

    def meanwhile() -> list[tuple[str, Mapping[str, str]]]:
        monkeypatch.setattr(driver, "running", real)
        with database.transaction() as other:
            row = lab_sessions.lab_session(other, users.user(other), state=SessionState.STARTING).id
        run(context, driver, "just-started", purpose="session", session=str(row))
        return real()

    monkeypatch.setattr(driver, "running", meanwhile)
    reporter.reap()
    assert driver.find("just-started") is not None


def test_a_worker_is_noted_from_its_beginning_to_its_end(
    reporter: Reporter, context: WorkContext, run_dir: Path
) -> None:
    reporter.begin()
    assert [worker.instance for worker in presence.living_workers(run_dir)] == [context.labels["instance"]]
    reporter.stop()
    reporter.announce()
    assert presence.living_workers(run_dir) == [], "a round that was under way does not bring it back"


def test_an_engine_that_fails_does_not_end_the_reporter(
    reporter: Reporter, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Semaphore(0)

    def fails() -> list[object]:
        failed.release()
        raise DriverUnavailable("The engine is gone.")

    monkeypatch.setattr(driver, "running", fails)
    monkeypatch.setattr(reporting, "REPORT_EVERY", 0.01)
    reporter.start()
    for _ in range(3):
        assert failed.acquire(timeout=60), "it ended with the first failure"
    assert reporter.is_alive()
    reporter.stop()
    reporter.join(60)
    assert not reporter.is_alive()


def test_without_a_driver_there_is_nothing_to_reap_and_a_report_all_the_same(
    context: WorkContext, database: Database
) -> None:
    reporter = Reporter(replace(context, driver=None))
    reporter.reap()
    reporter.report()
    report = SandboxesReport.parse(told(database).sandboxes)
    assert report is not None
    assert report.lines == ()


def test_what_waits_is_counted(reporter: Reporter, db: Session) -> None:
    lab_sessions.lab_session(db, users.user(db), state=SessionState.STARTING)
    lab_sessions.lab_session(db, users.user(db), state=SessionState.STARTING, run_token="claimed")
    lab_sessions.lab_session(db, users.user(db), state=SessionState.READY)
    for state in (SubmissionState.QUEUED, SubmissionState.QUEUED, SubmissionState.RUNNING):
        submissions.submission(db, users.user(db), state=state)
    db.commit()
    assert reporter._waiting() == {"launch": 1, "grading": 2, "program": 0}


def test_failures_are_kept_for_a_week_in_words_that_can_be_counted(context: WorkContext, db: Session) -> None:
    from sandboxes.interface import Phase

    note_failure(context, Work.LAUNCH, LAB, StartFailed("Postgres did not answer.", phase=Phase.CREATING))
    note_failure(context, Work.GRADING, LAB, RuntimeError("a path, a token, anything"))
    db.add(Failure(at=utcnow() - timedelta(days=8), work=Work.LAUNCH, reason="start_failed"))
    db.commit()
    forget_old_failures(context)
    rows = db.execute(select(Failure.work, Failure.reason, Failure.message).order_by(Failure.id)).all()
    assert [tuple(row) for row in rows] == [
        ("launch", "start_failed", "Postgres did not answer."),
        ("grading", "internal_error", "RuntimeError: the worker's log has the details."),
    ]


def test_a_database_that_fails_does_not_hide_the_failure_itself(context: WorkContext, tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'without-tables.db'}")
    note_failure(replace(context, database=empty), Work.LAUNCH, LAB, RuntimeError("x"))
    empty.close()


def test_orders_reach_the_worker_through_the_queue(tmp_path: Path) -> None:
    done: list[str] = []

    class Handler:
        def launch(self, session_id: int) -> None: ...

        def stop(self, session_id: int) -> None: ...

        def grade(self, submission_id: int) -> None: ...

        def reap(self) -> None:
            done.append("reap")

        def examine(self) -> None:
            done.append("examine")

    jobs = QueuedJobs(lambda: register(make_huey(tmp_path)))
    jobs.reap()
    jobs.examine()
    huey = make_huey(tmp_path)
    register(huey, Handler())
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    assert sorted(done) == ["examine", "reap"]
