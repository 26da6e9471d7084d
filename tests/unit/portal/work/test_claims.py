"""Claims: one run works on a row, and a dead one's successor wins."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from portal.database import Database
from portal.models import Submission, SubmissionState, utcnow
from portal.work.claims import Claim, claim
from tests.factories import submissions, users


def take(database: Database, row_id: int) -> Claim | None:
    return claim(
        database,
        Submission,
        row_id,
        Submission.state == SubmissionState.QUEUED,
        stale_seconds=600,
        heartbeat_seconds=0.05,
        state=SubmissionState.RUNNING,
    )


@pytest.fixture
def queued(db: Session) -> int:
    row = submissions.submission(db, users.user(db), state=SubmissionState.QUEUED)
    db.commit()
    return row.id


def test_only_one_run_gets_the_row(database: Database, queued: int) -> None:
    assert take(database, queued) is not None
    assert take(database, queued) is None


def test_a_silent_owner_is_replaced_and_can_not_write_any_more(database: Database, queued: int) -> None:
    first = take(database, queued)
    assert first is not None
    first.write(heartbeat_at=utcnow() - timedelta(hours=1), state=SubmissionState.QUEUED)
    second = take(database, queued)
    assert second is not None
    assert first.write(error="late") is False
    assert second.write(error="") is True


def test_the_heartbeat_keeps_the_claim(database: Database, queued: int) -> None:
    owned = take(database, queued)
    assert owned is not None
    owned.write(heartbeat_at=utcnow() - timedelta(hours=1))
    with owned:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with database.transaction() as db:
                beat = db.get_one(Submission, queued).heartbeat_at
            if beat is not None and beat > utcnow() - timedelta(seconds=30):
                break
            time.sleep(0.02)
    assert beat is not None
    assert beat > utcnow() - timedelta(seconds=30)


def test_conditions_guard_a_write(database: Database, queued: int) -> None:
    owned = take(database, queued)
    assert owned is not None
    assert owned.write(Submission.state == SubmissionState.QUEUED, error="x") is False
