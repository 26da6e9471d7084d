"""Pages that are kept: the same as made anew, for the same person only, and not for a moment longer than they are true."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal import kept_pages
from portal.app import create_app
from portal.content import Content, ContentSource
from portal.features.roadmap import ProgressService
from portal.models import QuestionNote, Role, User
from portal.settings import Settings
from tests.factories import practice, users
from tests.fixtures.portal import Client, NotedJobs, signed_in

KEPT = "/practice/kept"
NOTE = "a note of mine"
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the minute end. Each page's mark has its seconds already, so it is the clock that stands still."""
    now = time.time()
    monkeypatch.setattr(kept_pages, "time", SimpleNamespace(time=lambda: now))


@pytest.fixture
def other_process(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[Flask]:
    """A second application on the same database."""
    app = create_app(settings, content=content, jobs=jobs)
    yield app
    app.extensions["portal"].database.close()


def again(client: Client, path: str) -> str:
    """The page at the second look, which makes nothing: whatever is looked up in the database then is its keys."""
    client.get(path)
    return client.get(path).text


def add_note(db: Session, user: User, content: Content, text: str = NOTE) -> None:
    question = next(iter(content.bank.questions.values()))
    db.merge(QuestionNote(user_id=user.id, question_id=question.id, bookmarked=True, text=text))
    db.commit()


def test_a_second_look_makes_nothing(app: Flask, learner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = learner.get("/roadmap/").text

    def refuse(*_: object) -> None:
        raise AssertionError("it was reckoned again")

    monkeypatch.setattr(ProgressService, "of", refuse)
    second = learner.get("/roadmap/")
    assert second.status_code == 200
    assert TOKEN.sub("", second.text) == TOKEN.sub("", first)
    assert second.headers["Content-Security-Policy"]
    assert second.headers["Cache-Control"] == "no-store"
    assert learner.get("/roadmap/?other").status_code == 500, "another address is another page"
    app.extensions["portal"].store.clear()
    assert learner.get("/roadmap/").status_code == 500


def test_what_another_process_writes_is_seen_at_once(
    learner: Client, other_process: Flask, settings: Settings, learner_user: User, db: Session, content: Content
) -> None:
    elsewhere = signed_in(other_process, settings, learner_user)
    assert NOTE not in again(learner, KEPT)
    assert NOTE not in again(elsewhere, KEPT)
    question = next(iter(content.bank.questions.values()))
    elsewhere.post(f"/practice/questions/{question.id}/note", {"text": NOTE})
    assert NOTE in learner.get(KEPT).text
    add_note(db, learner_user, content, "written by the worker")
    assert "written by the worker" in learner.get(KEPT).text
    assert "written by the worker" in elsewhere.get(KEPT).text


def test_nobody_sees_the_page_of_another(
    app: Flask, settings: Settings, learner: Client, learner_user: User, db: Session, content: Content
) -> None:
    add_note(db, learner_user, content)
    assert NOTE in again(learner, KEPT)
    other = users.user(db)
    db.commit()
    assert NOTE not in signed_in(app, settings, other).get(KEPT).text
    anonymous = app.test_client().get(KEPT, base_url=settings.portal_origin_effective)
    assert anonymous.status_code == 302
    assert (
        learner_user.display_name
        not in app.test_client().get("/", base_url=settings.portal_origin_effective).text
    )


def test_an_account_that_gets_the_id_of_another_does_not_get_its_pages(
    app: Flask, settings: Settings, learner: Client, learner_user: User, db: Session, content: Content
) -> None:
    add_note(db, learner_user, content)
    assert NOTE in again(learner, KEPT)
    was = learner_user.id
    db.delete(learner_user)
    db.commit()
    newcomer = users.user(db)
    db.commit()
    assert newcomer.id == was
    assert NOTE not in signed_in(app, settings, newcomer).get(KEPT).text


def test_each_session_has_tokens_of_its_own(
    app: Flask, settings: Settings, learner: Client, learner_user: User
) -> None:
    mine = set(TOKEN.findall(again(learner, "/plan/new")))
    elsewhere = signed_in(app, settings, learner_user)
    theirs = set(TOKEN.findall(elsewhere.get("/plan/new").text))
    assert len(mine) == len(theirs) == 1
    assert not mine & theirs
    sent = {"csrf_token": theirs.pop()}
    path, origin = "/account/sign-out", settings.portal_origin_effective
    assert learner.flask.post(path, data=sent, base_url=origin).status_code == 400
    assert elsewhere.flask.post(path, data=sent, base_url=origin).status_code == 302


def test_a_message_is_shown_once_and_kept_nowhere(learner: Client, content: Content) -> None:
    question = next(iter(content.bank.questions.values()))
    again(learner, KEPT)
    learner.post(f"/practice/questions/{question.id}/note", {"text": NOTE})
    said = "Your note is saved."
    assert said in learner.get(KEPT).text
    assert said not in learner.get(KEPT).text
    learner.post(f"/practice/questions/{question.id}/note", {"text": ""})
    assert said in learner.get(KEPT).text, "a kept page would hide it"


def test_a_role_counts_from_the_next_page_on(learner: Client, learner_user: User, db: Session) -> None:
    queue = "/portfolio/queue"
    assert learner.get(queue).status_code == 403
    learner_user.role = Role.INSTRUCTOR
    db.commit()
    assert again(learner, queue)
    assert queue in learner.get("/portfolio").text
    learner_user.role = Role.LEARNER
    db.commit()
    assert learner.get(queue).status_code == 403
    assert queue not in learner.get("/portfolio").text
    learner_user.active = False
    db.commit()
    assert learner.get("/portfolio").status_code == 302


def test_new_content_counts_from_the_next_page_on(app: Flask, learner: Client, content: Content) -> None:
    assert "A track of tomorrow" not in again(learner, "/roadmap/")
    track = next(iter(content.roadmap.tracks.values()))
    tracks = {**content.roadmap.tracks, track.id: replace(track, title="A track of tomorrow")}
    changed = replace(content, roadmap=replace(content.roadmap, tracks=tracks))
    app.extensions["portal"] = replace(app.extensions["portal"], source=ContentSource(changed))
    assert "A track of tomorrow" in learner.get("/roadmap/").text


def test_what_others_do_is_seen_by_instructors_at_once(
    instructor: Client, learner_user: User, db: Session, content: Content
) -> None:
    question = next(iter(content.bank.questions.values()))
    reports = "/insights/reports"
    assert learner_user.display_name not in again(instructor, reports)
    practice.report(db, learner_user, question)
    db.commit()
    assert learner_user.display_name in again(instructor, reports)
    learner_user.display_name = "A new name"
    db.commit()
    assert "A new name" in instructor.get(reports).text


def test_the_clock_is_looked_at(app: Flask, learner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    store = app.extensions["portal"].store
    again(learner, "/practice/")
    before = len(store)
    assert learner.get("/practice/").status_code == 200
    assert len(store) == before
    later = kept_pages.time.time() + kept_pages.SECONDS
    monkeypatch.setattr(kept_pages, "time", SimpleNamespace(time=lambda: later))
    assert learner.get("/practice/").status_code == 200
    assert len(store) == before + 1


def test_nothing_is_kept_when_the_operator_wants_none(
    settings: Settings, content: Content, jobs: NotedJobs, learner_user: User
) -> None:
    app = create_app(replace(settings, kept_mb=0), content=content, jobs=jobs)
    client = signed_in(app, settings, learner_user)
    assert again(client, "/roadmap/")
    assert len(app.extensions["portal"].store) == 0
    app.extensions["portal"].database.close()
