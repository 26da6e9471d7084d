"""A page that is kept names everything that it is made of: what it reads in the database is watched by its mark."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal.content import Content
from portal.kept_pages import SECONDS, Mark
from portal.models import Base, Role, SiteRevision, Subject, User
from portal.revisions import SUBJECT_OF, owners
from tests.factories import reports
from tests.fitness.test_routes import INSTRUCTORS, ROUTES, things_of
from tests.fitness.test_statements import PAGES, counted
from tests.fixtures.portal import Client

TABLE = re.compile(r"\b(?:FROM|JOIN)\s+\(?(\w+)")
OWN_OF_INSTRUCTORS = {"question_imports", "users"}
"""Tables of which an instructor's pages read the instructor's own rows."""
BY_THE_SIDE = {"worker_status"}
"""Tables that a page may read whose mark looks at them itself."""


@pytest.mark.parametrize("endpoint", PAGES)
def test_what_a_kept_page_reads_is_watched(
    app: Flask, learner: Client, learner_user: User, db: Session, content: Content, endpoint: str
) -> None:
    mark: Mark | None = getattr(app.view_functions[endpoint], "kept", None)
    if (
        mark is None or mark.seconds < SECONDS
    ):  # the latter shows what is going on, and says how old that may be
        return
    for_instructors = ROUTES[endpoint][2] == INSTRUCTORS
    if for_instructors:
        learner_user.role = Role.INSTRUCTOR
    reports.worker_status(db)
    path = ROUTES[endpoint][1].format(**things_of(db, learner_user, content))
    learner.flask.get("/", base_url=learner.origin)
    app.extensions["portal"].store.clear()
    with counted(app.extensions["portal"].database.engine) as statements:
        answer = learner.flask.get(path, base_url=learner.origin)
    assert answer.status_code in (200, 301, 302)
    allowed = {SiteRevision.__tablename__, *(name for name, one in SUBJECT_OF.items() if one in mark.subjects)}
    allowed |= OWN_OF_INSTRUCTORS if for_instructors else set(owners())
    allowed |= BY_THE_SIDE if mark.also is not None else set()
    for statement in statements:
        found = set(TABLE.findall(statement)) & set(Base.metadata.tables)
        assert found <= allowed, f"{found - allowed} is not watched: name its subject in the mark\n{statement}"
        if "display_name" in statement and "password_hash" not in statement:
            assert Subject.PEOPLE in mark.subjects, f"names of others are not watched\n{statement}"


def test_most_pages_are_kept(app: Flask) -> None:
    marked = {endpoint for endpoint in PAGES if hasattr(app.view_functions[endpoint], "kept")}
    assert {"home.index", "roadmap.track", "plan.index", "lab_sessions.lab", "insights.questions"} <= marked
    short = {endpoint for endpoint in marked if app.view_functions[endpoint].kept.seconds < SECONDS}
    assert short == {"admin.live", "admin.sandboxes"}, "what runs changes by the second"


def test_every_subject_has_a_row(db: Session) -> None:
    assert {row.subject for row in db.query(SiteRevision)} == set(Subject)
