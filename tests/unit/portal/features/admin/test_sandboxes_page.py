"""The operator's page: for admins, complete, and without a secret."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal.models import Failure, LabSession, Role, SessionState, Work, utcnow
from portal.settings import Settings
from tests.factories import lab_sessions, reports, users
from tests.fixtures.portal import Client, NotedJobs, signed_in

PAGE = "/admin/sandboxes"


@pytest.fixture
def admin(app: Flask, settings: Settings, db: Session) -> Client:
    user = users.user(db, role=Role.ADMIN)
    db.commit()
    return signed_in(app, settings, user)


def words(html: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def section(html: str, title: str) -> str:
    """The words of one section of the page."""
    return words(html.split(f'id="{title}-title"', 1)[1].split("</section>", 1)[0])


def test_before_a_worker_ran_every_part_says_so(admin: Client) -> None:
    page = admin.get(PAGE).text
    assert "No worker has run with this database yet" in page
    for title, text in {
        "running": "Nothing runs",
        "pool": "No pool",
        "failures": "No failures",
        "checks": "Not checked yet",
    }.items():
        assert text in section(page, title)


def test_a_session_is_shown_with_learner_lab_memory_and_a_button(admin: Client, db: Session) -> None:
    learner = users.user(db)
    session = lab_sessions.lab_session(db, learner, ready_at=utcnow() - timedelta(minutes=20))
    other = lab_sessions.lab_session(db, users.user(db), state=SessionState.STOPPED)
    reports.worker_status(db, lines=[reports.line(session), reports.line(memory_bytes=61_000_000)])
    db.commit()
    page = admin.get(PAGE).text
    row = words(page.split(f'id="session-{session.id}"', 1)[1].split("</tr>", 1)[0])
    for text in (learner.display_name, "Never oversell", "Running", "184 MB", "Stop"):
        assert text in row
    assert f'id="session-{other.id}"' not in page
    assert "61 MB" in section(page, "running")
    assert "245 MB" in section(page, "places")


def test_no_secret_is_on_the_page_or_in_what_the_worker_wrote(admin: Client, db: Session) -> None:
    session = lab_sessions.lab_session(db, users.user(db))
    status = reports.worker_status(db, lines=[reports.line(session)])
    db.commit()
    for path in (PAGE, f"{PAGE}/live"):
        page = admin.get(path).text
        assert f'id="session-{session.id}"' in page
        assert session.access_token not in page
        assert "/s/" not in page
    assert session.access_token not in str([status.sandboxes, status.pool, status.checks])


def test_places_are_counted_by_state(admin: Client, db: Session) -> None:
    for state in (SessionState.STARTING, SessionState.READY, SessionState.READY, SessionState.STOPPED):
        lab_sessions.lab_session(db, users.user(db), state=state)
    reports.worker_status(db)
    db.commit()
    assert section(admin.get(PAGE).text, "places").startswith(">Places Learners’ sandboxes 3 ")


def test_checks_that_need_somebody_come_first_with_what_to_do(admin: Client, db: Session) -> None:
    reports.worker_status(db)
    db.commit()
    checks = section(admin.get(PAGE).text, "checks")
    assert "1 fine, 2 that need attention" in checks
    assert checks.index("Problem") < checks.index("Warning") < checks.index("What is fine")
    assert "Free some, or set INSTANCE_DIR." in checks


def test_the_pool_is_shown_by_flavour(admin: Client, db: Session) -> None:
    reports.worker_status(db)
    db.commit()
    pool = section(admin.get(PAGE).text, "pool")
    for text in ("1 wait, at most 4 may", "14 of 19", "a learner", "a grading", "Postgres did not answer."):
        assert text in pool


def test_failures_of_a_day_are_counted_by_reason(admin: Client, db: Session) -> None:
    for hours, reason in ((1, "start_failed"), (2, "start_failed"), (3, "agent_timeout"), (30, "too_large")):
        db.add(
            Failure(
                at=utcnow() - timedelta(hours=hours),
                work=Work.LAUNCH,
                reason=reason,
                message=f"{reason} after {hours}",
                lab_id="never-oversell",
            )
        )
    reports.worker_status(db)
    db.commit()
    failures = section(admin.get(PAGE).text, "failures")
    assert failures.index("start_failed") < failures.index("agent_timeout")
    assert "too_large" not in failures
    # Of each reason the newest row, which here is the one that was written last.
    assert "start_failed after 2" in failures
    assert "start_failed after 1" not in failures


def test_a_silent_worker_is_told_and_gets_no_orders(admin: Client, db: Session) -> None:
    reports.worker_status(db, heartbeat_at=utcnow() - timedelta(minutes=5))
    db.commit()
    page = admin.get(PAGE).text
    assert "The worker is not running." in page
    assert len(re.findall(r'<button type="submit" class="btn" disabled', page)) == 2


def test_a_machine_without_a_driver_and_one_without_isolation_are_told(
    app: Flask, admin: Client, db: Session
) -> None:
    reports.worker_status(db, driver="")
    db.commit()
    assert "Labs are off: no driver works here." in admin.get(PAGE).text
    reports.worker_status(db, driver="local", isolated=False)
    db.commit()
    app.extensions["portal"].store.clear()  # else the page may be two seconds old
    assert "Labs run without isolation" in admin.get(PAGE).text


def test_a_report_of_another_version_is_no_error(admin: Client, db: Session) -> None:
    status = reports.worker_status(db)
    status.sandboxes, status.pool, status.checks = {"at": 7}, {"lines": "x"}, {"surprise": []}
    db.merge(status)
    db.commit()
    page = admin.get(PAGE)
    assert page.status_code == 200
    assert "Not checked yet" in page.text


def test_stop_ends_anybody_s_session_and_says_who_did(admin: Client, db: Session, jobs: NotedJobs) -> None:
    session = lab_sessions.lab_session(db, users.user(db))
    db.commit()
    assert admin.post(f"{PAGE}/{session.id}/stop").status_code == 302
    db.expire_all()
    row = db.get_one(LabSession, session.id)
    assert row.state == SessionState.STOPPING
    assert "administrator" in row.detail
    assert jobs.stopped == [session.id]


def test_stopping_what_has_ended_is_not_found(admin: Client, db: Session, jobs: NotedJobs) -> None:
    session = lab_sessions.lab_session(db, users.user(db), state=SessionState.FAILED)
    db.commit()
    assert admin.post(f"{PAGE}/{session.id}/stop").status_code == 404
    assert jobs.stopped == []


@pytest.mark.parametrize("order", ["reap", "examine"])
def test_orders_go_to_the_worker(admin: Client, jobs: NotedJobs, order: str) -> None:
    assert admin.post(f"{PAGE}/{order}").status_code == 302
    assert jobs.asked == [order]


def test_only_admins_see_the_way_to_it(admin: Client, learner: Client) -> None:
    assert f'href="{PAGE}"' in admin.get("/").text
    assert f'href="{PAGE}"' not in learner.get("/").text
