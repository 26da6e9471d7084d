"""The worker's metrics, scraped over HTTP as Prometheus does it, after real work by a driver without processes."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from portal.content import Content, ContentSource
from portal.database import Database
from portal.models import SessionState, SubmissionState, User, utcnow
from portal.reports import FlavourLine, PoolReport
from portal.settings import Settings
from portal.work import metrics
from portal.work.context import WorkContext
from portal.work.grading import grade
from portal.work.launching import fail_ended_session, launch
from portal.work.workspaces import Workspaces
from sandboxes.interface import Phase, ProgressListener, Sandbox, SandboxSpec, StartFailed
from tests.factories import lab_sessions, submissions, users
from tests.unit.labs.fake_driver import FakeDriver

LAB = "never-oversell"
PREFIX = "proving_ground_"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def driver() -> FakeDriver:
    return FakeDriver()


@pytest.fixture
def context(settings: Settings, database: Database, content: Content, driver: FakeDriver) -> WorkContext:
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


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the metrics are served. The port is one that the system gives, so that nobody can take it before."""
    ports: list[int] = []
    real = metrics.start_http_server

    def anywhere(_port: int, **options: Any) -> tuple[Any, threading.Thread]:
        server, thread = real(0, **options)
        ports.append(server.server_port)
        return server, thread

    monkeypatch.setattr(metrics, "start_http_server", anywhere)
    end = metrics.serve("127.0.0.1", 1)
    yield f"http://127.0.0.1:{ports[0]}/metrics"
    end()


def scrape(url: str) -> Samples:
    """Every sample: (name, labels) → value."""
    text = httpx.get(url, timeout=60).text
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """By how much a counter grew: other tests of this process count too."""
    key = (name, tuple(sorted(labels.items())))
    return after.get(key, 0.0) - before.get(key, 0.0)


def starting(db: Session, user: User) -> int:
    row = lab_sessions.lab_session(db, user, lab_id=LAB, state=SessionState.STARTING)
    db.commit()
    return row.id


def test_a_launch_is_counted_and_timed(url: str, context: WorkContext, db: Session, user: User) -> None:
    before = scrape(url)
    launch(context, starting(db, user))
    after = scrape(url)
    assert grown(before, after, "launches_total", lab=LAB, result="ready", start="cold") == 1
    assert grown(before, after, "launch_duration_seconds_count", start="cold") == 1
    assert grown(before, after, "launches_total", lab=LAB, result="failed", start="cold") == 0


def test_one_that_waited_counts_as_warm(
    url: str, context: WorkContext, db: Session, user: User, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = driver.start

    def from_a_pool(spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        return real(replace(spec, sandbox_id="its-own"), progress)

    monkeypatch.setattr(driver, "start", from_a_pool)
    before = scrape(url)
    launch(context, starting(db, user))
    assert grown(before, scrape(url), "launches_total", lab=LAB, result="ready", start="warm") == 1


def test_phases_are_timed(url: str, user: User, content: Content) -> None:
    class Slow(FakeDriver):
        def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
            from sandboxes.interface import Progress

            for phase in (Phase.CREATING, Phase.CREATING, Phase.STARTING_SERVICES, Phase.STARTING_JUPYTER):
                progress(Progress(phase, "going on", 0.0))
            return super().start(spec, progress)

    heard = []
    before = scrape(url)
    metrics.started(Slow(), SandboxSpec(workspace=content.labs.labs[LAB].path), heard.append, LAB)
    after = scrape(url)
    assert len(heard) == 5, "whoever waits hears every step"
    for phase in ("creating", "starting_services", "starting_jupyter"):
        assert grown(before, after, "launch_phase_duration_seconds_count", phase=phase) == 1
    assert grown(before, after, "launch_phase_duration_seconds_count", phase="ready") == 0


def test_failures_are_counted_by_the_word_of_their_class(
    url: str, context: WorkContext, db: Session, user: User, driver: FakeDriver
) -> None:
    before = scrape(url)
    driver.start_error = StartFailed("Postgres did not answer.", phase=Phase.STARTING_SERVICES)
    launch(context, starting(db, user))
    driver.start_error = RuntimeError("a bug")
    launch(context, starting(db, user))
    after = scrape(url)
    assert grown(before, after, "failures_total", work="launch", reason="start_failed") == 1
    assert grown(before, after, "failures_total", work="launch", reason="internal_error") == 1
    assert grown(before, after, "launches_total", lab=LAB, result="failed", start="cold") == 2


def test_a_session_that_ended_by_itself_is_a_failure_once(
    url: str, context: WorkContext, db: Session, user: User
) -> None:
    before = scrape(url)
    session = lab_sessions.lab_session(db, user, lab_id=LAB)
    db.commit()
    fail_ended_session(context, session.id, "", "It ended.")
    fail_ended_session(context, session.id, "", "It ended.")
    assert grown(before, scrape(url), "failures_total", work="session", reason="sandbox_gone") == 1


def test_gradings_are_counted_and_timed(
    url: str, context: WorkContext, db: Session, user: User, driver: FakeDriver
) -> None:
    before = scrape(url)
    context.workspaces.prepare(user.id, context.content.labs.labs[LAB])
    for error in (None, StartFailed("No room.", phase=Phase.CREATING)):
        driver.start_error = error
        submission = submissions.submission(
            db, user, lab_id=LAB, state=SubmissionState.QUEUED, created_at=utcnow()
        )
        db.commit()
        grade(context, submission.id)
    after = scrape(url)
    assert grown(before, after, "gradings_total", result="graded") == 1
    assert grown(before, after, "gradings_total", result="failed") == 1
    assert grown(before, after, "grading_duration_seconds_count") == 1
    assert grown(before, after, "failures_total", work="grading", reason="start_failed") == 1


def test_the_pool_s_counts_are_those_of_the_moment(url: str) -> None:
    lines = [
        FlavourLine(LAB, "session", 2, 1, 0, hits=7, misses=2, failure=""),
        FlavourLine(LAB, "session", 0, 1, 0, hits=1, misses=0, failure="an older one of the same lab"),
        FlavourLine(LAB, "grading", 1, 0, 1, hits=0, misses=4, failure=""),
    ]
    end = metrics.watch_pool(lambda: PoolReport(utcnow(), 4, 2, 8, 6, tuple(lines)))
    try:
        seen = scrape(url)
    finally:
        end()
    of_sessions = (("lab", LAB), ("purpose", "session"))
    assert seen["pool_hits_total", of_sessions] == 8
    assert seen["pool_warm", of_sessions] == 2
    assert seen["pool_wanted", of_sessions] == 2
    assert seen["pool_misses_total", (("lab", LAB), ("purpose", "grading"))] == 4
    assert ("pool_hits_total", of_sessions) not in scrape(url)


def test_what_runs_is_counted_by_few_purposes(url: str) -> None:
    metrics.running(["session", "session", "waiting", "whatever a label says"], 1_000)
    metrics.waiting({"launch": 3, "grading": 0})
    seen = scrape(url)
    counts = {purpose: seen["sandboxes_running", (("purpose", purpose),)] for purpose in metrics.PURPOSES}
    assert counts == {"session": 2, "grading": 0, "program": 0, "waiting": 1, "other": 1}
    assert seen["queue_length", (("work", "launch"),)] == 3
    assert seen["sandboxes_memory_bytes", ()] == 1_000


def test_names_follow_the_conventions_and_nothing_names_a_learner(
    url: str, context: WorkContext, db: Session, user: User, driver: FakeDriver
) -> None:
    launch(context, starting(db, user))
    text = httpx.get(url, timeout=60).text
    ours = [f for f in text_string_to_metric_families(text) if f.name.startswith(PREFIX)]
    assert len(ours) >= 9
    for family in ours:
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) <= {
                "lab",
                "result",
                "start",
                "work",
                "reason",
                "phase",
                "purpose",
                "language",
                "le",
            }
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        if family.type == "counter":
            assert f"{family.name}_total" in text
    spec = driver.sandboxes[-1].spec
    for secret in (spec.access_token, spec.sandbox_id, user.email, user.display_name):
        assert not re.search(re.escape(secret), text)


def test_no_port_serves_nothing_and_a_taken_one_stops_nobody() -> None:
    metrics.serve("127.0.0.1", 0)()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        metrics.serve("127.0.0.1", holder.getsockname()[1])()
