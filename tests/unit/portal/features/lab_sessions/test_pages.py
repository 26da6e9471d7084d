"""What a learner sees of a session in each of its states, and what the buttons do."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from freezegun import freeze_time
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.features.lab_sessions import files as files_module
from portal.features.lab_sessions import service as service_module
from portal.models import EndReason, LabSession, SessionState, SubmissionState, User, WorkerStatus, utcnow
from portal.settings import Settings
from tests.factories import lab_sessions, submissions, users
from tests.fixtures.portal import Client, NotedJobs, signed_in

LAB = "never-oversell"
PAGE = f"/labs/{LAB}"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.fixture
def one_place(db: Session) -> None:
    """A worker that answers, for as long as a test takes on whatever machine, and has one place."""
    db.merge(WorkerStatus(id=1, driver="local", places=1, heartbeat_at=utcnow() + timedelta(hours=1)))
    db.commit()


def running(db: Session, user: User, left: float = 120, quiet: float = 0, **columns: Any) -> LabSession:
    """A session with `left` minutes to go that was used `quiet` minutes ago."""
    now = utcnow()
    values: dict[str, Any] = {
        "ready_at": now - minutes(180),
        "last_active_at": now - minutes(quiet),
        "expires_at": now + minutes(left),
        **columns,
    }
    row = lab_sessions.lab_session(db, user, **values)
    db.commit()
    return row


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace(" ,", ",").replace(" .", ".")


def shown(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.text)


def now_of(db: Session, row: LabSession) -> LabSession:
    db.rollback()
    db.refresh(row)
    return row


def newest(db: Session, user: User) -> LabSession:
    db.rollback()
    return db.scalars(
        select(LabSession).where(LabSession.user_id == user.id).order_by(LabSession.id.desc())
    ).first()  # type: ignore[return-value]


@pytest.fixture
def workspace(settings: Settings, learner_user: User) -> Path:
    folder = settings.workspaces_dir / str(learner_user.id) / LAB
    folder.mkdir(parents=True)
    (folder / f"{LAB}.ipynb").write_text("my work")
    return folder


class TestQueue:
    def queue(self, db: Session, user: User, ago: float) -> LabSession:
        row = lab_sessions.lab_session(
            db, user, state=SessionState.QUEUED, requested_at=utcnow() - minutes(ago)
        )
        db.commit()
        return row

    @pytest.mark.usefixtures("one_place")
    def test_the_page_says_the_place_and_about_how_long(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        running(db, users.user(db), left=22)
        for ago in (9, 8):
            self.queue(db, users.user(db), ago)
        self.queue(db, learner_user, 5)
        self.queue(db, users.user(db), 1)
        page = shown(learner)
        assert "You are number 3 in the queue" in page
        assert "Leave the queue" in page
        self.queue(db, users.user(db), 60)
        assert "You are number 4 in the queue" in shown(learner)

    @pytest.mark.usefixtures("one_place")
    def test_the_estimate_is_of_the_sessions_that_run(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        running(db, users.user(db), left=22)
        self.queue(db, learner_user, 5)
        html = learner.get(PAGE).text
        assert "number 1 in the queue, about 20 minutes." in text_of(html)
        assert 'hx-trigger="every 3s"' in html

    @pytest.mark.usefixtures("one_place")
    def test_where_there_is_room_it_is_as_good_as_starting(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        self.queue(db, learner_user, 0)
        page = shown(learner)
        assert "Starting your sandbox" in page
        assert "queue" not in page

    def test_without_a_worker_nobody_promises_a_place(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        self.queue(db, learner_user, 0)
        page = shown(learner)
        assert "does not answer" in page
        assert "You are number" not in page

    @pytest.mark.usefixtures("one_place")
    def test_it_can_be_left(self, learner: Client, learner_user: User, db: Session, jobs: NotedJobs) -> None:
        running(db, users.user(db))
        row = self.queue(db, learner_user, 5)
        learner.post(f"{PAGE}/stop")
        assert now_of(db, row).state == SessionState.STOPPED
        assert jobs.stopped == []
        assert "You have left the queue" in shown(learner)

    def test_leaving_after_the_place_came_stops_the_sandbox(
        self, learner: Client, learner_user: User, db: Session, jobs: NotedJobs
    ) -> None:
        row = running(db, learner_user)
        learner.post(f"{PAGE}/stop")
        assert now_of(db, row).state == SessionState.STOPPING
        assert row.end_reason == EndReason.LEARNER
        assert jobs.stopped == [row.id]

    def test_a_launch_waits_for_the_worker_to_give_it_a_place(
        self, learner: Client, learner_user: User, db: Session, jobs: NotedJobs
    ) -> None:
        learner.post(f"{PAGE}/launch")
        row = newest(db, learner_user)
        assert row.state == SessionState.QUEUED
        assert jobs.launched == [row.id]

    def test_the_queue_has_an_end(self, learner: Client, db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service_module, "QUEUE_LIMIT", 2)
        for _ in range(2):
            self.queue(db, users.user(db), 1)
        response = learner.post(f"{PAGE}/launch")
        assert response.status_code == 503
        assert "All places are taken, and 2 launches wait already" in response.text

    def test_who_waits_in_two_queues_can_not_join_a_third(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        for lab in ("one", "two"):
            lab_sessions.lab_session(db, learner_user, lab_id=lab, state=SessionState.QUEUED)
        db.commit()
        assert learner.post(f"{PAGE}/launch").status_code == 409


class TestWarnings:
    def test_a_session_with_time_shows_a_clock_and_no_banner(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        running(db, learner_user)
        html = learner.get(PAGE).text
        assert "data-until" in html
        assert "data-warning" not in html

    def test_before_its_end_it_offers_an_extension(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        row = running(db, learner_user, left=14)
        before = row.expires_at
        page = shown(learner)
        assert "This session ends at" in page
        assert "extend it by an hour, 2 times" in page
        response = learner.post(f"{PAGE}/extend", {"used": "0"}, headers={"HX-Request": "true"})
        assert "data-warning" not in response.text
        assert before is not None
        assert now_of(db, row).expires_at == before + minutes(60)
        assert row.extensions == 1

    def test_a_second_click_extends_once(self, learner: Client, learner_user: User, db: Session) -> None:
        row = running(db, learner_user, left=14)
        for _ in range(2):
            learner.post(f"{PAGE}/extend", {"used": "0"})
        assert now_of(db, row).extensions == 1

    def test_none_left_is_said_and_refused(self, learner: Client, learner_user: User, db: Session) -> None:
        row = running(db, learner_user, left=14, extensions=2)
        page = shown(learner)
        assert "No extension is left" in page
        assert "Extend by" not in page
        assert learner.post(f"{PAGE}/extend", {"used": "2"}).status_code == 409
        assert now_of(db, row).extensions == 2

    def test_an_ended_session_can_not_be_extended(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        running(db, learner_user, state=SessionState.STOPPING)
        assert learner.post(f"{PAGE}/extend").status_code == 409
        assert learner.post(f"{PAGE}/still-here").status_code == 409

    def test_idleness_is_said_before_it_strikes(self, learner: Client, learner_user: User, db: Session) -> None:
        row = running(db, learner_user, quiet=51)
        page = shown(learner)
        assert "You have not run anything for 51 minutes" in page
        assert "the sandbox is stopped at" in page
        html = learner.post(f"{PAGE}/still-here", headers={"HX-Request": "true"}).text
        assert "data-warning" not in html
        last = now_of(db, row).last_active_at
        assert last is not None
        assert utcnow() - last < minutes(1)

    def test_a_check_is_use(self, learner: Client, learner_user: User, db: Session) -> None:
        row = running(db, learner_user, quiet=51)
        learner.post(f"{PAGE}/check")
        last = now_of(db, row).last_active_at
        assert last is not None
        assert utcnow() - last < minutes(1)

    def test_too_many_files_are_said(self, learner: Client, learner_user: User, db: Session) -> None:
        running(db, learner_user, usage_bytes=600 * 1024 * 1024, usage_files=9)
        assert "Your files take 600 MB; there is room for 256 MB" in shown(learner)

    def test_somebody_else_s_session_is_not_touched(
        self, app: Flask, settings: Settings, db: Session, learner_user: User
    ) -> None:
        row = running(db, learner_user, left=14, quiet=51)
        stranger = users.user(db)
        db.commit()
        client = signed_in(app, settings, stranger)
        assert client.post(f"{PAGE}/extend").status_code == 409
        assert client.post(f"{PAGE}/still-here").status_code == 409
        assert now_of(db, row).extensions == 0


class TestEnds:
    @pytest.mark.parametrize(
        ("reason", "title"),
        [
            (EndReason.EXPIRED, "The session is over"),
            (EndReason.IDLE, "Stopped, because nobody used it"),
            (EndReason.QUOTA, "Stopped, because the files grew too large"),
            (EndReason.PORTAL, "The portal was stopped"),
            (EndReason.WAITED, "You waited for too long"),
        ],
    )
    def test_the_page_says_why_and_offers_to_launch_again(
        self, learner: Client, learner_user: User, db: Session, reason: EndReason, title: str
    ) -> None:
        detail = "What happened. Your files are kept."
        running(db, learner_user, state=SessionState.STOPPED, end_reason=reason, detail=detail)
        page = shown(learner)
        assert title in page
        assert detail in page
        assert "Launch again" in page

    def test_what_one_stopped_oneself_needs_no_reason(
        self, learner: Client, learner_user: User, db: Session
    ) -> None:
        running(db, learner_user, state=SessionState.STOPPED, end_reason=EndReason.LEARNER)
        assert "A sandbox of your own" in shown(learner)


class TestFiles:
    @pytest.mark.parametrize("state", [SessionState.READY, SessionState.STOPPED])
    def test_they_download_while_the_lab_runs_and_when_it_is_stopped(
        self, learner: Client, learner_user: User, db: Session, workspace: Path, state: SessionState
    ) -> None:
        running(db, learner_user, state=state)
        with freeze_time(utcnow()):  # or the day may end in between
            response = learner.get(f"{PAGE}/files.zip")
            name = f"{LAB}-{utcnow():%Y-%m-%d}.zip"
        assert response.mimetype == "application/zip"
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        archive = zipfile.ZipFile(io.BytesIO(response.data))
        assert archive.read(f"{LAB}/{LAB}.ipynb") == b"my work"

    def test_without_files_it_says_so(self, learner: Client) -> None:
        response = learner.get(f"{PAGE}/files.zip")
        assert response.status_code == 302
        assert "no files yet" in shown(learner)

    @pytest.mark.usefixtures("workspace")
    def test_one_download_at_a_time(self, learner: Client, learner_user: User) -> None:
        open_one = learner.flask.get(f"{PAGE}/files.zip", base_url=learner.origin, buffered=False)
        assert files_module._downloading == {learner_user.id}
        assert learner.get(f"{PAGE}/files.zip").status_code == 302
        assert "being downloaded already" in shown(learner)
        open_one.close()
        assert files_module._downloading == set()
        assert learner.get(f"{PAGE}/files.zip").status_code == 200

    @pytest.mark.usefixtures("workspace")
    def test_not_too_many_downloads_at_once(
        self, learner: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files_module, "_downloading", set(range(1000, 1000 + settings.web_threads // 2)))
        assert learner.get(f"{PAGE}/files.zip").status_code == 302
        assert "Many people download" in shown(learner)

    def test_a_reset_asks_first_then_puts_aside_and_can_be_undone(
        self, learner: Client, learner_user: User, db: Session, workspace: Path
    ) -> None:
        running(db, learner_user, state=SessionState.STOPPED, end_reason=EndReason.LEARNER)
        assert "kept for 14 days" in shown(learner, f"{PAGE}/reset")
        assert workspace.exists()
        learner.post(f"{PAGE}/reset")
        assert not workspace.exists()
        page = shown(learner)
        assert "Your files were put aside" in page
        assert "Bring them back" in page
        learner.post(f"{PAGE}/bring-back")
        assert (workspace / f"{LAB}.ipynb").read_text() == "my work"
        assert "Your earlier files are back" in shown(learner)
        assert "1 file, 0.0 of 256 MB" in shown(learner)
        assert newest(db, learner_user).state == SessionState.STOPPED

    @pytest.mark.parametrize("state", [SessionState.QUEUED, SessionState.STARTING, SessionState.READY])
    @pytest.mark.parametrize("what", ["reset", "bring-back"])
    def test_an_open_lab_refuses_and_offers_to_stop_it(
        self, learner: Client, learner_user: User, db: Session, workspace: Path, state: SessionState, what: str
    ) -> None:
        row = running(db, learner_user, state=state)
        response = learner.post(f"{PAGE}/{what}", follow_redirects=True)
        assert "Stop it first" in response.text
        assert re.search("Stop the sandbox|Leave the queue", response.text)
        assert workspace.exists()
        assert now_of(db, row).state == state
        back = learner.post(f"{PAGE}/stop", {"then": "reset"})
        assert back.location.endswith("/reset")

    def test_not_while_the_notebook_is_being_graded(
        self, learner: Client, learner_user: User, db: Session, workspace: Path
    ) -> None:
        submissions.submission(db, learner_user, state=SubmissionState.QUEUED)
        db.commit()
        assert "being graded" in learner.post(f"{PAGE}/reset", follow_redirects=True).text
        assert workspace.exists()

    def test_nothing_to_reset_leaves_no_trace(self, learner: Client, learner_user: User, db: Session) -> None:
        assert "no files to reset" in learner.post(f"{PAGE}/reset", follow_redirects=True).text
        assert newest(db, learner_user) is None

    def test_a_folder_that_can_not_be_moved_is_said(
        self,
        learner: Client,
        learner_user: User,
        db: Session,
        workspace: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(*_arguments: object) -> None:
            raise OSError("no room")

        monkeypatch.setattr(Path, "rename", refuse)
        assert "could not be moved" in learner.post(f"{PAGE}/reset", follow_redirects=True).text
        monkeypatch.undo()
        assert workspace.exists()
        assert newest(db, learner_user) is None

    def test_a_launch_can_follow_a_reset_at_once(
        self, learner: Client, learner_user: User, db: Session, workspace: Path
    ) -> None:
        learner.post(f"{PAGE}/reset")
        learner.post(f"{PAGE}/launch")
        assert newest(db, learner_user).state == SessionState.QUEUED

    def test_the_lists_say_who_waits(self, learner: Client, learner_user: User, db: Session) -> None:
        lab_sessions.lab_session(db, learner_user, state=SessionState.QUEUED)
        db.commit()
        assert "Your launch waits in the queue" in shown(learner, "/labs/")
        assert "Your launch waits in the queue" in shown(learner, "/")
