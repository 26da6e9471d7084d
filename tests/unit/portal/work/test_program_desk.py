"""The desk for programs: each is run once, whatever dies on the way, and who waited longest comes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.models import CodeRun, Failure, PracticeAnswer, PracticeSession, RunPurpose, RunState, Work, utcnow
from portal.programs import request_document, request_of, result_document, result_of
from portal.work.context import WorkContext
from portal.work.programs.desk import ProgramDesk
from portal.work.reaping import clean_up_after_crash
from question_bank.runner import Ended, Outcome, RunRequest, RunResult
from question_bank.schema import RunnerUnavailable
from sandboxes.interface import Phase, StartFailed
from tests.factories import users

REQUEST = RunRequest("python", {"solution.py": "print(1)\n"}, ("a", "b"), 2.5)
RESULT = RunResult((Outcome(Ended.WELL, "1\n"), Outcome(Ended.OUT_OF_TIME, "", "late")))


def made(db: Session, **facts: object) -> CodeRun:
    user = users.user(db)
    session = PracticeSession(user_id=user.id, source="due", created_at=utcnow())
    session.answers = [PracticeAnswer(position=1, question_id="q", content_hash="", seed=1)]
    db.add(session)
    db.flush()
    values = {
        "user_id": user.id,
        "session_id": session.id,
        "position": 1,
        "content_hash": "",
        "purpose": RunPurpose.TRY,
        "program": "print(1)",
        "cases": 2,
        "request": request_document(REQUEST),
    }
    run = CodeRun(**(values | facts))
    db.add(run)
    db.commit()
    return run


def again(db: Session, run: CodeRun) -> CodeRun:
    db.expire_all()
    return db.scalars(select(CodeRun).where(CodeRun.id == run.id)).one()


def test_documents_carry_requests_and_results_whole() -> None:
    assert request_of(request_document(REQUEST)) == REQUEST
    assert result_of(result_document(RESULT)) == RESULT
    failed = RunResult((), "line 3")
    assert result_of(result_document(failed)) == failed


def test_programs_are_run_in_their_order_and_once(site: WorkContext, db: Session) -> None:
    seen: list[RunRequest] = []

    def run(request: RunRequest, progress: Callable[[int], None]) -> RunResult:
        seen.append(request)
        progress(1)
        return RESULT

    desk = ProgramDesk(site, run)
    first, second = made(db), made(db, request=request_document(replace(REQUEST, language="go")))
    assert desk.serve_next()
    assert [request.language for request in seen] == ["python"]
    assert desk.serve_next()
    assert not desk.serve_next()
    assert seen == [REQUEST, replace(REQUEST, language="go")]
    for one in (again(db, first), again(db, second)):
        assert (one.state, one.cases_done, one.runs, one.run_token) == (RunState.DONE, 2, 1, None)
        assert result_of(one.result) == RESULT  # type: ignore[arg-type]


def test_a_run_that_died_begins_again_and_not_for_ever(site: WorkContext, db: Session) -> None:
    silent = utcnow() - timedelta(seconds=site.settings.stale_seconds + 1)
    # It is alive for as long as a test takes on whatever machine.
    lively = made(db, state=RunState.RUNNING, run_token="x", heartbeat_at=utcnow() + timedelta(hours=1))
    desk = ProgramDesk(site, lambda _request, _note: RESULT)
    assert not desk.serve_next()
    died = made(db, state=RunState.RUNNING, run_token="y", heartbeat_at=silent, runs=1)
    hopeless = made(
        db, state=RunState.RUNNING, run_token="z", heartbeat_at=silent, runs=site.settings.grading_attempts
    )
    while desk.serve_next():
        pass
    assert again(db, died).state == RunState.DONE
    assert again(db, died).runs == 2
    assert again(db, hopeless).state == RunState.FAILED
    assert "Nothing is lost" in again(db, hopeless).error
    assert again(db, lively).run_token == "x"


def test_a_new_worker_takes_up_at_once_what_the_old_one_ran(site: WorkContext, db: Session) -> None:
    run = made(db, state=RunState.RUNNING, run_token="x", heartbeat_at=utcnow())
    clean_up_after_crash(site)
    assert (again(db, run).state, again(db, run).run_token) == (RunState.QUEUED, None)


def test_a_fault_of_ours_is_told_and_noted(site: WorkContext, db: Session) -> None:
    def no_sandbox(_request: RunRequest, _note: object) -> RunResult:
        raise RunnerUnavailable("Try again.") from StartFailed("No place.", phase=Phase.CREATING)

    def bug(_request: RunRequest, _note: object) -> RunResult:
        raise ZeroDivisionError

    for run, message, reason in (
        (no_sandbox, "Try again.", "start_failed"),
        (bug, "the fault is on our side", "internal_error"),
    ):
        row = made(db)
        assert ProgramDesk(site, run).serve_next()
        assert again(db, row).state == RunState.FAILED
        assert message in again(db, row).error
        failure = db.scalars(select(Failure).order_by(Failure.id.desc())).first()
        assert failure is not None
        assert (failure.work, failure.reason, failure.lab_id) == (Work.PROGRAM, reason, "programs in python")


def test_a_result_that_nobody_waits_for_any_more_is_not_written(site: WorkContext, db: Session) -> None:
    row = made(db)

    def run(_request: RunRequest, _note: object) -> RunResult:
        db.execute(update(CodeRun).values(state=RunState.FAILED, run_token=None, error="Too long."))
        db.commit()
        return RESULT

    ProgramDesk(site, run).serve_next()
    assert (again(db, row).state, again(db, row).error) == (RunState.FAILED, "Too long.")


def test_a_desk_serves_until_it_is_stopped_and_writes_nothing_half_done(site: WorkContext, db: Session) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def run(_request: RunRequest, _note: object) -> RunResult:
        begun.set()
        assert go_on.wait(60)
        return RESULT

    row = made(db)
    desk = ProgramDesk(site, run)
    desk.start()
    assert begun.wait(60)
    stopping = threading.Thread(target=desk.stop)
    stopping.start()
    while not desk.stopping:
        time.sleep(0.01)
    go_on.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert again(db, row).state == RunState.RUNNING  # the next worker begins it anew
