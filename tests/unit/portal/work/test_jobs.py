"""The worker's jobs: every launch and grading ends in a clear state, and none is lost or done twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy.orm import Session, selectinload, undefer

from portal.content import Content, ContentSource
from portal.database import Database
from portal.features.lab_sessions import queries, views
from portal.models import LabSession, SessionState, Submission, SubmissionState, User, WorkerStatus, utcnow
from portal.settings import Settings
from portal.work import grading
from portal.work.caretaker import Caretaker
from portal.work.context import WorkContext
from portal.work.grading import grade
from portal.work.launching import launch, stop
from portal.work.reaping import clean_up_after_crash, stop_everything
from portal.work.watching import end_expired_sessions
from portal.work.workspaces import Workspaces
from sandboxes.interface import (
    Driver,
    Phase,
    Progress,
    ProgressListener,
    Sandbox,
    SandboxSpec,
    SandboxState,
    SandboxStatus,
    ServiceState,
    ServiceStatus,
    StartFailed,
)
from tests.factories import lab_sessions, submissions, users
from tests.fixtures.portal import NotedJobs
from tests.unit.labs.fake_driver import FakeDriver, FakeSandbox

LAB = "never-oversell"


class QuietDriver(FakeDriver):
    """Remembers what runs, tells its phases, and fails when told to."""

    name = "quiet"
    isolated = False

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[str, Sandbox] = {}
        self.labels: dict[str, Mapping[str, str]] = {}
        self.fail: Exception | None = None
        self.pause: threading.Event | None = None
        self.paused = threading.Event()

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        progress(Progress(Phase.CREATING, "making it", 0.1))
        if self.fail is not None:
            raise self.fail
        progress(Progress(Phase.STARTING_SERVICES, "starting postgres", 0.5))
        if self.pause is not None:
            self.paused.set()
            assert self.pause.wait(60)
        sandbox = FakeSandbox(spec, self)
        self.alive[spec.sandbox_id] = sandbox
        self.labels[spec.sandbox_id] = spec.labels
        return sandbox

    def find(self, sandbox_id: str) -> Sandbox | None:
        sandbox = self.alive.get(sandbox_id)
        return sandbox if sandbox is not None and sandbox.status().state == SandboxState.READY else None

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        return [(key, self.labels[key]) for key in self.alive if self.find(key) is not None]


@pytest.fixture
def driver() -> QuietDriver:
    return QuietDriver()


@pytest.fixture
def context(settings: Settings, database: Database, content: Content, driver: Driver) -> WorkContext:
    return WorkContext(
        settings=settings,
        database=database,
        source=ContentSource(content),
        driver=driver,
        driver_reason="for the test",
        workspaces=Workspaces(settings.workspaces_dir),
    )


@pytest.fixture
def user(db: Session) -> User:
    made = users.user(db)
    db.commit()
    return made


def session_row(db: Session, session_id: int) -> LabSession:
    db.rollback()
    row = db.get_one(LabSession, session_id, options=[undefer(LabSession.log)], populate_existing=True)
    return row


def submission_row(db: Session, submission_id: int) -> Submission:
    db.rollback()
    options = [
        selectinload(Submission.results),
        undefer(Submission.notebook),
        undefer(Submission.executed_html),
        undefer(Submission.report),
    ]
    return db.get_one(Submission, submission_id, options=options, populate_existing=True)


def starting(db: Session, user: User, **columns: object) -> LabSession:
    made = lab_sessions.lab_session(db, user, lab_id=LAB, state=SessionState.STARTING, **columns)
    db.commit()
    return made


def queued(db: Session, user: User, **columns: object) -> Submission:
    made = submissions.submission(db, user, lab_id=LAB, state=SubmissionState.QUEUED, **columns)
    db.commit()
    return made


def hand_in(context: WorkContext, user: User) -> None:
    context.workspaces.prepare(user.id, context.content.labs.labs[LAB])


class TestLaunching:
    def test_a_launch_becomes_ready_with_files_and_an_end(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        row = starting(db, user)
        launch(context, row.id)
        ready = session_row(db, row.id)
        assert ready.state == SessionState.READY
        assert ready.driver == "quiet"
        assert ready.expires_at is not None
        assert ready.expires_at > utcnow() + timedelta(hours=3)
        assert (context.workspaces.path(user.id, LAB) / f"{LAB}.ipynb").exists()
        assert driver.labels[row.sandbox_id]["session"] == str(row.id)

    def test_a_failed_start_says_why_and_shows_the_log(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        driver.fail = StartFailed(
            "Postgres did not answer.", phase=Phase.STARTING_SERVICES, log="FATAL: no space"
        )
        row = starting(db, user)
        launch(context, row.id)
        failed = session_row(db, row.id)
        assert failed.state == SessionState.FAILED
        assert failed.detail == "Postgres did not answer."
        assert "no space" in failed.log

    def test_a_bug_in_a_driver_is_no_endless_wait(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        driver.fail = RuntimeError("oops")
        row = starting(db, user)
        launch(context, row.id)
        failed = session_row(db, row.id)
        assert failed.state == SessionState.FAILED
        assert "oops" not in failed.detail

    def test_no_driver_says_what_to_do(self, context: WorkContext, db: Session, user: User) -> None:
        row = starting(db, user)
        launch(replace(context, driver=None, driver_reason="Start a Docker engine."), row.id)
        assert session_row(db, row.id).detail == "Start a Docker engine."

    def test_stop_during_the_start_wins(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        driver.pause = threading.Event()
        row = starting(db, user)
        thread = threading.Thread(target=launch, args=(context, row.id))
        thread.start()
        assert driver.paused.wait(60)
        with context.database.transaction() as other:
            other.get_one(LabSession, row.id).state = SessionState.STOPPING
        stop(context, row.id)
        driver.pause.set()
        thread.join(60)
        assert session_row(db, row.id).state == SessionState.STOPPED
        assert driver.running() == []

    def test_a_second_run_of_a_launch_does_nothing(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        row = starting(db, user, run_token="another", heartbeat_at=utcnow())
        launch(context, row.id)
        assert driver.alive == {}

    def test_a_launch_after_a_crash_ends_the_half_made_sandbox(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        row = starting(db, user)
        launch(context, row.id)
        first = driver.alive[row.sandbox_id]
        with context.database.transaction() as other:
            again = other.get_one(LabSession, row.id)
            again.state, again.heartbeat_at = SessionState.STARTING, utcnow() - timedelta(minutes=5)
        launch(context, row.id)
        assert first.status().state == SandboxState.STOPPED
        assert session_row(db, row.id).state == SessionState.READY

    def test_a_lab_that_is_gone_says_so(self, context: WorkContext, db: Session, user: User) -> None:
        row = lab_sessions.lab_session(db, user, lab_id="withdrawn", state=SessionState.STARTING)
        db.commit()
        launch(context, row.id)
        assert "not offered any more" in session_row(db, row.id).detail


class TestGrading:
    def test_a_result_is_recorded_with_every_task(self, context: WorkContext, db: Session, user: User) -> None:
        hand_in(context, user)
        row = queued(db, user)
        grade(context, row.id)
        graded = submission_row(db, row.id)
        assert graded.state == SubmissionState.GRADED
        assert [r.task_id for r in graded.results] == [t.id for t in context.content.labs.labs[LAB].tasks]
        assert graded.notebook is not None
        assert graded.executed_html
        assert graded.run_token is None

    def test_a_result_is_there_before_its_notebook_is_rendered(
        self, context: WorkContext, db: Session, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        def killed(_notebook: dict[str, object]) -> str:
            raise Killed

        hand_in(context, user)
        row = queued(db, user)
        with monkeypatch.context() as patch:
            patch.setattr(grading, "render_notebook", killed)
            with pytest.raises(Killed):
                grade(context, row.id)
        graded = submission_row(db, row.id)
        assert graded.state == SubmissionState.GRADED
        assert len(graded.results) == len(context.content.labs.labs[LAB].tasks)
        assert graded.executed_html is None
        # The page shows it all the same, and needs nothing more from the database, where it may be rendered meanwhile.
        db.expunge_all()
        shown = queries.attempt(db, user.id, row.id)
        assert shown is not None
        db.expunge_all()
        assert "Never oversell" in views.executed_html(shown)

    def test_a_notebook_that_can_not_be_shown_does_not_cost_the_result(
        self, context: WorkContext, db: Session, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(_notebook: dict[str, object]) -> str:
            raise ValueError("what a notebook")

        monkeypatch.setattr(grading, "render_notebook", failing)
        hand_in(context, user)
        row = queued(db, user)
        grade(context, row.id)
        graded = submission_row(db, row.id)
        assert (graded.state, graded.executed_html) == (SubmissionState.GRADED, "")
        assert graded.report is not None
        assert "executed" not in graded.report

    def test_grading_again_changes_nothing(self, context: WorkContext, db: Session, user: User) -> None:
        hand_in(context, user)
        row = queued(db, user)
        grade(context, row.id)
        finished = submission_row(db, row.id).finished_at
        grade(context, row.id)
        again = submission_row(db, row.id)
        assert again.runs == 1
        assert again.finished_at == finished

    def test_a_missing_notebook_is_the_learner_s_to_mend(
        self, context: WorkContext, db: Session, user: User
    ) -> None:
        row = queued(db, user)
        grade(context, row.id)
        refused = submission_row(db, row.id)
        assert refused.state == SubmissionState.ERROR
        assert "renamed" in refused.error

    def test_the_notebook_is_taken_once(
        self, context: WorkContext, db: Session, user: User, driver: QuietDriver
    ) -> None:
        hand_in(context, user)
        row = queued(db, user)
        driver.fail = StartFailed("no room", phase=Phase.CREATING)
        grade(context, row.id)
        first = submission_row(db, row.id)
        assert first.state == SubmissionState.QUEUED
        handed_in = first.notebook
        (context.workspaces.path(user.id, LAB) / f"{LAB}.ipynb").write_text("changed since")
        driver.fail = None
        grade(context, row.id)
        second = submission_row(db, row.id)
        assert second.state == SubmissionState.GRADED
        assert second.notebook == handed_in
        assert second.runs == 2

    def test_our_fault_ends_after_three_tries(
        self, context: WorkContext, db: Session, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_arguments: object, **_options: object) -> None:
            raise RuntimeError("a bug of ours")

        monkeypatch.setattr(grading, "grade_notebook", broken)
        hand_in(context, user)
        row = queued(db, user)
        for _ in range(5):
            grade(context, row.id)
        given_up = submission_row(db, row.id)
        assert given_up.state == SubmissionState.ERROR
        assert given_up.runs == 3
        assert "our side" in given_up.error
        assert "bug" not in given_up.error

    def test_a_run_that_was_replaced_writes_no_result(
        self, context: WorkContext, db: Session, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hand_in(context, user)
        row = queued(db, user)
        real = grading.grade_notebook

        def slow(*arguments: object, **options: object) -> object:
            report = real(*arguments, **options)  # type: ignore[arg-type]
            with context.database.transaction() as other:
                other.get_one(Submission, row.id).run_token = "the successor"
            return report

        monkeypatch.setattr(grading, "grade_notebook", slow)
        grade(context, row.id)
        untouched = submission_row(db, row.id)
        assert untouched.state == SubmissionState.RUNNING
        assert untouched.results == []


class TestCaretaker:
    @pytest.fixture
    def jobs(self) -> NotedJobs:
        return NotedJobs()

    @pytest.fixture
    def caretaker(self, context: WorkContext, jobs: NotedJobs) -> Caretaker:
        return Caretaker(context, jobs)

    @pytest.fixture
    def stopped_clock(self) -> Iterator[None]:
        """A message is lost after five seconds; a busy machine may take as long between two lines of a test."""
        with freeze_time(utcnow()):
            yield

    @pytest.mark.usefixtures("stopped_clock")
    def test_lost_messages_are_sent_again_and_fresh_ones_are_not(
        self, caretaker: Caretaker, jobs: NotedJobs, db: Session
    ) -> None:
        long_ago = utcnow() - timedelta(minutes=1)
        lost = starting(db, users.user(db), requested_at=long_ago)
        starting(db, users.user(db))
        waiting = queued(db, users.user(db), created_at=long_ago)
        queued(db, users.user(db))
        silent = submissions.submission(
            db, users.user(db), state=SubmissionState.RUNNING, run_token="x", heartbeat_at=long_ago
        )
        submissions.submission(
            db, users.user(db), state=SubmissionState.RUNNING, run_token="y", heartbeat_at=utcnow()
        )
        stopping = lab_sessions.lab_session(db, users.user(db), state=SessionState.STOPPING)
        db.commit()
        caretaker.find_lost_work()
        assert jobs.launched == [lost.id]
        assert sorted(jobs.graded) == sorted([waiting.id, silent.id])
        assert jobs.stopped == [stopping.id]
        caretaker.find_lost_work()
        assert jobs.launched == [lost.id], "asked again before the first request could be answered"

    def test_after_a_crash_work_goes_on_and_orphans_end(
        self, context: WorkContext, db: Session, driver: QuietDriver
    ) -> None:
        kept, ended = starting(db, users.user(db)), starting(db, users.user(db))
        launch(context, kept.id)
        launch(context, ended.id)
        foreign = SandboxSpec(workspace=context.settings.instance_dir, labels={"instance": "another portal"})
        driver.start(foreign, lambda _progress: None)
        with context.database.transaction() as other:
            other.get_one(LabSession, ended.id).state = SessionState.STOPPED
            interrupted = submissions.submission(
                other, users.user(other), state=SubmissionState.RUNNING, run_token="dead", heartbeat_at=utcnow()
            ).id
        clean_up_after_crash(context)
        alive = {sandbox_id for sandbox_id, _labels in driver.running()}
        assert alive == {kept.sandbox_id, foreign.sandbox_id}
        assert submission_row(db, interrupted).state == SubmissionState.QUEUED
        assert session_row(db, kept.id).state == SessionState.READY

    def test_an_expired_session_is_asked_to_stop(self, context: WorkContext, db: Session) -> None:
        over = lab_sessions.lab_session(db, users.user(db), expires_at=utcnow() - timedelta(seconds=1))
        going_on = lab_sessions.lab_session(db, users.user(db), expires_at=utcnow() + timedelta(hours=1))
        db.commit()
        end_expired_sessions(context)
        assert session_row(db, over.id).state == SessionState.STOPPING
        assert session_row(db, going_on.id).state == SessionState.READY

    def test_a_sandbox_that_ended_by_itself_is_found(
        self, caretaker: Caretaker, context: WorkContext, db: Session, driver: QuietDriver, user: User
    ) -> None:
        row = starting(db, user)
        launch(context, row.id)
        driver.alive[row.sandbox_id].stop()
        caretaker.refresh_sessions()
        ended = session_row(db, row.id)
        assert ended.state == SessionState.FAILED
        assert "files are kept" in ended.detail

    def test_services_are_shown_as_they_are(
        self,
        caretaker: Caretaker,
        context: WorkContext,
        db: Session,
        driver: QuietDriver,
        user: User,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        row = starting(db, user)
        launch(context, row.id)
        status = SandboxStatus(
            SandboxState.READY, Phase.READY, (ServiceStatus("postgres", ServiceState.FAILED, "out of memory"),)
        )
        monkeypatch.setattr(driver.alive[row.sandbox_id], "status", lambda: status)
        caretaker.refresh_sessions()
        assert session_row(db, row.id).services == [
            {"name": "postgres", "state": "failed", "detail": "out of memory"}
        ]

    def test_it_tells_the_pages_what_runs_labs_here(self, caretaker: Caretaker, db: Session) -> None:
        caretaker.tell()
        caretaker.tell()
        told = db.get_one(WorkerStatus, 1)
        assert (told.driver, told.isolated, told.reason) == ("quiet", False, "for the test")

    def test_a_clean_end_stops_this_portal_s_sandboxes(
        self, context: WorkContext, db: Session, driver: QuietDriver, user: User
    ) -> None:
        row = starting(db, user)
        launch(context, row.id)
        stop_everything(context)
        assert driver.running() == []
        assert session_row(db, row.id).state == SessionState.STOPPED
