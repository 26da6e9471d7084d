"""No page reads through a table that grows with learners or with what they do: each of its statements finds rows by an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import Base, Role, User
from tests.factories import reports
from tests.fitness.test_routes import ADMINS, INSTRUCTORS, ROUTES, things_of
from tests.fitness.test_statements import PAGES
from tests.fixtures.portal import Client

BOUNDED = {
    "worker_status",
    "site_revisions",  # one a subject
    "item_tallies",  # by questions and their versions
    "item_counts",
    "authored_questions",  # by questions
    "question_revisions",
    "question_events",
    "review_comments",
    "question_imports",  # one a visitor at a time
}
WAITING = {"ix_hand_ins_queue"}
"""Indexes of what waits for somebody alone; what is done leaves them."""
GROWING = {table.name for table in Base.metadata.sorted_tables} - BOUNDED


@contextmanager
def noted(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their values."""
    seen: list[tuple[str, Any]] = []

    def keep(_connection: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
        seen.append((statement, values))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def scanned(engine: Engine, statement: str, values: Any) -> set[str]:
    """The growing tables that SQLite would read through."""
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    found = (re.match(r"SCAN (\w+)(?: USING INDEX (\w+))?", row[-1]) for row in plan)
    return {match[1] for match in found if match and match[2] not in WAITING} & GROWING


@pytest.mark.parametrize("endpoint", PAGES)
def test_a_page_reads_through_no_growing_table(
    app: Flask, learner: Client, learner_user: User, db: Session, content: Content, endpoint: str
) -> None:
    who = ROUTES[endpoint][2]
    learner_user.role = {ADMINS: Role.ADMIN, INSTRUCTORS: Role.INSTRUCTOR}.get(who, Role.LEARNER)
    if who == ADMINS:
        reports.worker_status(db)
    path = ROUTES[endpoint][1].format(**things_of(db, learner_user, content))
    engine: Engine = app.extensions["portal"].database.engine
    with noted(engine) as seen:
        assert learner.flask.get(path, base_url=learner.origin).status_code in (200, 302)
    assert seen or endpoint == "home.index"
    bad = {statement: found for statement, values in seen if (found := scanned(engine, statement, values))}
    assert not bad


def test_a_scan_is_found(app: Flask) -> None:
    engine: Engine = app.extensions["portal"].database.engine
    assert scanned(engine, "SELECT * FROM submissions WHERE score = ?", (1,)) == {"submissions"}
    assert scanned(engine, "SELECT * FROM submissions WHERE user_id = ?", (1,)) == set()
