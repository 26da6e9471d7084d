"""What a learner can ask of a lab."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound
from portal.features.lab_sessions import LabSessionService, queries
from portal.models import HintUse, SessionState, SubmissionKind, SubmissionState, User
from portal.settings import Settings
from tests.factories import lab_sessions, submissions, users


@pytest.fixture
def lab(content: Content) -> Lab:
    return content.labs.labs["never-oversell"]


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def service(db: Session, settings: Settings) -> LabSessionService:
    return LabSessionService(db, settings)


def test_launch_makes_a_row_with_secrets_of_its_own(
    service: LabSessionService, user: User, lab: Lab, db: Session
) -> None:
    session, is_new = service.launch(user.id, lab)
    other, _ = service.launch(users.user(db).id, lab)
    assert is_new
    assert session.state == SessionState.QUEUED
    assert session.sandbox_id != other.sandbox_id
    assert session.access_token != other.access_token
    assert len(session.access_token) >= 43


def test_a_second_launch_gives_the_open_session(service: LabSessionService, user: User, lab: Lab) -> None:
    first, _ = service.launch(user.id, lab)
    second, is_new = service.launch(user.id, lab)
    assert second.id == first.id
    assert not is_new


def test_an_ended_session_does_not_hold_the_place(
    service: LabSessionService, user: User, lab: Lab, db: Session
) -> None:
    for state in (SessionState.STOPPED, SessionState.FAILED):
        lab_sessions.lab_session(db, user, state=state)
    assert service.launch(user.id, lab)[1]


def test_the_cap_counts_this_learner_s_other_labs(
    service: LabSessionService, user: User, lab: Lab, db: Session
) -> None:
    lab_sessions.lab_session(db, users.user(db), lab_id="one")
    lab_sessions.lab_session(db, user, lab_id="one")
    lab_sessions.lab_session(db, user, lab_id="two")
    with pytest.raises(Conflict, match="2 labs open"):
        service.launch(user.id, lab)


def test_stopping_asks_for_the_end_and_nothing_else(
    service: LabSessionService, user: User, lab: Lab, db: Session
) -> None:
    assert service.stop(user.id, lab) == (None, False)
    session = lab_sessions.lab_session(db, user)
    noise = lab_sessions.lab_session(db, users.user(db))
    stopped, has_sandbox = service.stop(user.id, lab)
    assert stopped is not None
    assert has_sandbox
    assert stopped.id == session.id
    assert session.state == SessionState.STOPPING
    assert noise.state == SessionState.READY


def test_grading_needs_a_lab_that_was_launched(service: LabSessionService, user: User, lab: Lab) -> None:
    with pytest.raises(Invalid, match="launch the lab first"):
        service.request_grading(user.id, lab, SubmissionKind.CHECK)


def test_grading_works_after_the_session_ended(
    service: LabSessionService, user: User, lab: Lab, db: Session
) -> None:
    lab_sessions.lab_session(db, user, state=SessionState.STOPPED)
    submission = service.request_grading(user.id, lab, SubmissionKind.SUBMIT)
    assert submission.state == SubmissionState.QUEUED
    assert submission.content_hash == lab.content_hash
    assert submission.max_score == lab.max_score


def test_one_grading_at_a_time(service: LabSessionService, user: User, lab: Lab, db: Session) -> None:
    lab_sessions.lab_session(db, user)
    service.request_grading(user.id, lab, SubmissionKind.CHECK)
    with pytest.raises(Conflict, match="still being graded"):
        service.request_grading(user.id, lab, SubmissionKind.SUBMIT)
    db.rollback()


def test_each_grading_draws_a_seed_of_its_own(service: LabSessionService, lab: Lab, db: Session) -> None:
    seeds = set()
    for _ in range(6):
        user = users.user(db)
        lab_sessions.lab_session(db, user)
        seeds.add(service.request_grading(user.id, lab, SubmissionKind.CHECK).seed)
    assert len(seeds) == 6


def test_hints_open_in_order_and_are_recorded_once(
    service: LabSessionService, user: User, lab: Lab, db: Session
) -> None:
    task = lab.tasks[0]
    with pytest.raises(Conflict, match="one after the other"):
        service.reveal_hint(user.id, lab, task.id, 2)
    service.reveal_hint(user.id, lab, task.id, 1)
    service.reveal_hint(user.id, lab, task.id, 1)
    service.reveal_hint(user.id, lab, task.id, 2)
    assert queries.hints_used(db, user.id, lab.id) == {task.id: 2}
    assert db.scalar(select(func.count()).select_from(HintUse)) == 2


@pytest.mark.parametrize(("task", "number"), [("no-such-task", 1), (None, 0), (None, 4)])
def test_a_hint_that_is_not_there(
    service: LabSessionService, user: User, lab: Lab, task: str | None, number: int
) -> None:
    with pytest.raises(NotFound):
        service.reveal_hint(user.id, lab, task or lab.tasks[0].id, number)


def test_the_queue_place_counts_only_those_before(db: Session, user: User) -> None:
    first = submissions.submission(db, users.user(db), state=SubmissionState.QUEUED)
    submissions.submission(db, users.user(db), state=SubmissionState.RUNNING)
    submissions.submission(db, users.user(db), state=SubmissionState.GRADED)
    mine = submissions.submission(db, user, state=SubmissionState.QUEUED)
    submissions.submission(db, users.user(db), state=SubmissionState.QUEUED)
    assert queries.place_in_queue(db, first) == 1
    assert queries.place_in_queue(db, mine) == 2


def test_checks_do_not_open_the_solution(db: Session, user: User) -> None:
    submissions.submission(db, user, kind=SubmissionKind.CHECK, results={"a": "passed"})
    submissions.submission(db, user, results={"b": "passed", "c": "failed"})
    submissions.submission(db, users.user(db), results={"d": "passed"})
    assert queries.submitted_tasks(db, user.id, "never-oversell") == {"b"}
