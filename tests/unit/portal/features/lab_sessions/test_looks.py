"""Looking at a lab makes the worker get ready for a launch, without asking it at every look."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from portal.app import create_app
from portal.content import Content
from portal.features.lab_sessions import routes
from portal.models import User
from portal.settings import Settings
from tests.fixtures.portal import Client, NotedJobs, signed_in

A, B = "never-oversell", "saga-compensation"


def test_the_worker_is_told_once_in_a_while(
    app: Flask, learner: Client, jobs: NotedJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug in (A, A, B, A):
        assert learner.get(f"/labs/{slug}").status_code == 200
    learner.get(f"/labs/{A}/status")
    learner.get("/labs/no-such-lab")
    assert jobs.warmed == [A, B]
    monkeypatch.setattr(routes, "WARM_SECONDS", 0.0)
    app.extensions["portal"].store.clear()  # as the next minute does
    learner.get(f"/labs/{A}")
    assert jobs.warmed == [A, B, A]


def test_nobody_is_told_where_nothing_may_wait(
    settings: Settings, content: Content, jobs: NotedJobs, learner_user: User
) -> None:
    off = replace(settings, pool_total=0)
    app = create_app(off, content=content, jobs=jobs)
    signed_in(app, off, learner_user).get(f"/labs/{A}")
    app.extensions["portal"].database.close()
    assert jobs.warmed == []
