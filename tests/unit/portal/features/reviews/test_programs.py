"""Programs in practice: tried, handed in, run by the worker, judged and recorded, as a browser without scripts uses them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session, undefer

from portal.app import create_app
from portal.content import Content
from portal.database import Database
from portal.features.practice import rebuild
from portal.features.reviews.programs import QUEUE_SECONDS, RUN_SECONDS
from portal.models import (
    CodeRun,
    ItemCount,
    PracticeAnswer,
    PracticeSession,
    ReviewCard,
    RunPurpose,
    RunState,
    User,
    utcnow,
)
from portal.programs import request_of
from portal.settings import Settings
from portal.work.context import WorkContext
from portal.work.programs.desk import ProgramDesk
from portal.work.workspaces import Workspaces
from question_bank.local_runner import LocalRunner
from question_bank.runner import RunRequest, RunResult
from question_bank.schema import RunnerUnavailable
from tests.factories import users
from tests.fixtures import questions
from tests.fixtures.portal import Client, NotedJobs, signed_in

RIGHT = "print(int(input()) + 1)\n"
HALF = "n = int(input())\nprint(n + 1 if n < 3 else 0)\n"
FIELD = "q-a-code"


@pytest.fixture
def app(settings: Settings, content: Content, jobs: NotedJobs) -> Iterator[Flask]:
    """A portal whose bank has one question, which asks for a program."""
    bank = questions.content_of(content, questions.question("code"))
    app = create_app(settings, content=bank, jobs=jobs)
    app.testing = False
    yield app
    app.extensions["portal"].database.close()


@pytest.fixture
def desk(settings: Settings, database: Database, content: Content) -> ProgramDesk:
    """A worker's desk that runs programs as processes of this machine: those of these tests are ours.

    They have as much time as Python needs to start on a busy machine.
    """

    def run(request: RunRequest, progress: object) -> RunResult:
        with LocalRunner() as runner:
            return runner.run(replace(request, seconds=120.0))

    return ProgramDesk(context(settings, database, content), run)


def context(settings: Settings, database: Database, content: Content) -> WorkContext:
    return WorkContext(
        settings, database, content, None, "There is no engine.", Workspaces(settings.workspaces_dir)
    )


@pytest.fixture
def here(learner: Client, db: Session) -> str:
    """The address of the question in a new session."""
    learner.post("/practice/start", {"source": "module", "id": questions.MODULE})
    session = db.scalars(select(PracticeSession).order_by(PracticeSession.id.desc())).first()
    assert session is not None
    return f"/practice/sessions/{session.id}/1"


def stored(db: Session) -> PracticeAnswer:
    db.expire_all()
    return db.scalars(select(PracticeAnswer)).one()


def newest(db: Session) -> CodeRun:
    db.expire_all()
    run = db.scalars(
        select(CodeRun)
        .order_by(CodeRun.id.desc())
        .options(undefer(CodeRun.request), undefer(CodeRun.result))
        .limit(1)
    ).first()
    assert run is not None
    return run


def test_the_page_has_the_task_and_the_starter(learner: Client, here: str, jobs: NotedJobs) -> None:
    page = learner.get(here).text
    assert "print(0)" in page
    assert "One more." in page
    assert "on 2 hidden cases" in page
    assert "Two." not in page  # what a hidden case probes is told when it has been run
    assert "int(input()) + 1" not in page  # the author's program
    assert jobs.warmed == ["programs in python"]


def test_a_program_is_run_on_all_cases_and_recorded(
    learner: Client, here: str, db: Session, desk: ProgramDesk
) -> None:
    learner.get(here)
    assert learner.post(here, {FIELD: RIGHT}).location.endswith(here)
    page = learner.get(here).text
    assert "Waits for its turn" in page
    assert 'value="Submit"' not in page
    request = request_of(newest(db).request)  # type: ignore[arg-type]
    assert request.inputs == ("1", "2", "3")
    assert stored(db).fraction is None

    assert desk.serve_next()
    page = learner.get(here).text
    assert "3 of 3 cases passed" in page
    assert "This is how one gets there." in page
    assert "print(int(input()) + 1)" in page
    answer = stored(db)
    assert (answer.fraction, answer.correct, answer.given) == (1.0, True, RIGHT)
    assert answer.rating
    assert db.scalars(select(ReviewCard)).one().reviews == 1
    run = newest(db)
    assert run.request is run.result is None  # hidden inputs don't stay
    assert learner.get(here).text.count("3 of 3 cases passed") == 1
    assert db.scalars(select(ReviewCard)).one().reviews == 1


def test_a_hidden_case_that_fails_says_what_it_probes_and_no_more(
    learner: Client, here: str, db: Session, desk: ProgramDesk
) -> None:
    program = "n = int(input())\nprint(n + 1)\nif n == 3:\n    raise ValueError(f'secret {n}')\n"
    learner.post(here, {FIELD: program})
    desk.serve_next()
    page = learner.get(here).text
    assert "2 of 3 cases passed" in page
    assert "Partly right: 67 %" in page
    assert "Three." in page
    assert "The program ended with an error." in page
    assert "secret 3" not in page
    assert stored(db).fraction == pytest.approx(2 / 3)
    counted = [one.key for one in db.scalars(select(ItemCount)) if one.what == "option"]
    assert counted == ["hidden-2"]


def test_rebuilding_runs_nothing_and_gives_what_there_was(
    learner: Client, here: str, db: Session, desk: ProgramDesk, content: Content
) -> None:
    learner.post(here, {FIELD: HALF})
    desk.serve_next()
    learner.get(here)
    db.expire_all()
    counts = {(one.what, one.key): one.count for one in db.scalars(select(ItemCount))}
    assert counts[("option", "hidden-2")] == 1
    due = db.scalars(select(ReviewCard.due)).one()
    rebuild(db, questions.content_of(content, questions.question("code")).bank)
    db.flush()
    db.expire_all()
    assert {(one.what, one.key): one.count for one in db.scalars(select(ItemCount))} == counts
    assert db.scalars(select(ReviewCard.due)).one() == due


def test_trying_runs_the_examples_and_counts_for_nothing(
    learner: Client, here: str, db: Session, desk: ProgramDesk
) -> None:
    assert learner.post(f"{here}/try", {FIELD: "print(1)\nx = '<b>'"}).status_code == 302
    run = newest(db)
    assert (run.purpose, run.cases) == (RunPurpose.TRY, 1)
    assert request_of(run.request).inputs == ("1",)  # type: ignore[arg-type]
    desk.serve_next()
    page = learner.get(here).text
    assert "0 of 1 example passed" in page
    assert "Expected" in page
    assert "x = &#39;&lt;b&gt;&#39;" in page  # what was written is in the editor again
    assert stored(db).given_at is None
    assert db.scalars(select(ReviewCard)).first() is None
    learner.post(f"{here}/try", {FIELD: RIGHT})
    assert len(db.scalars(select(CodeRun)).all()) == 1  # only the last one is kept
    desk.serve_next()
    assert "1 of 1 example passed" in learner.get(here).text


def test_what_does_not_build_is_shown(
    learner: Client, here: str, db: Session, settings: Settings, database: Database, content: Content
) -> None:
    broken = ProgramDesk(
        context(settings, database, content), lambda _request, _note: RunResult((), "solution.go:3: odd <tag>")
    )
    learner.post(f"{here}/try", {FIELD: RIGHT})
    broken.serve_next()
    page = learner.get(here).text
    assert "It does not build" in page
    assert "solution.go:3: odd &lt;tag&gt;" in page
    learner.post(here, {FIELD: RIGHT})
    broken.serve_next()
    page = learner.get(here).text
    assert "It did not build" in page
    assert stored(db).fraction == 0.0


def test_a_fault_of_ours_opens_the_answer_again_with_the_program(
    learner: Client, here: str, db: Session, settings: Settings, database: Database, content: Content
) -> None:
    learner.post(here, {FIELD: HALF})
    ProgramDesk(context(settings, database, content)).serve_next()  # no driver
    page = learner.get(here).text
    assert "Programs can&#39;t be run here now. There is no engine." in page
    assert "n + 1 if n &lt; 3 else 0" in page
    answer = stored(db)
    assert answer.given_at is answer.fraction is answer.seconds is None

    def refuse(_request: RunRequest, _note: object) -> RunResult:
        raise RunnerUnavailable("Busy. Nothing is lost.")

    learner.post(here, {FIELD: HALF})
    ProgramDesk(context(settings, database, content), refuse).serve_next()
    assert "Busy. Nothing is lost." in learner.get(here).text
    learner.post(here, {"pass": "yes"})
    assert stored(db).fraction == 0.0


def test_one_program_of_a_learner_is_run_at_a_time(
    learner: Client, here: str, db: Session, desk: ProgramDesk
) -> None:
    learner.post(f"{here}/try", {FIELD: RIGHT})
    response = learner.post(here, {FIELD: HALF})
    assert response.status_code == 409
    assert "Another program of yours is being run" in response.text
    assert "n + 1 if n &lt; 3 else 0" in response.text
    assert stored(db).given_at is None
    assert len(db.scalars(select(CodeRun)).all()) == 1
    desk.serve_next()
    assert learner.post(here, {FIELD: HALF}).status_code == 302


def test_a_full_queue_says_that_nothing_is_lost(
    settings: Settings, content: Content, jobs: NotedJobs, db: Session, app: Flask, learner: Client, here: str
) -> None:
    for _ in range(settings.program_queue):
        other = users.user(db)
        db.add(waiting_run(db, other))
    db.commit()
    response = learner.post(here, {FIELD: RIGHT})
    assert response.status_code == 503
    assert "Nothing is lost" in response.text
    assert "print(int(input()) + 1)" in response.text
    fragment = learner.post(f"{here}/try", {FIELD: RIGHT}, headers={"HX-Request": "true"}).text
    assert "Nothing is lost" in fragment
    # Those whose worker never came make room.
    db.execute(update(CodeRun).values(created_at=utcnow() - timedelta(seconds=QUEUE_SECONDS + 1)))
    db.commit()
    assert learner.post(here, {FIELD: RIGHT}).status_code == 302


def waiting_run(db: Session, user: User) -> CodeRun:
    session = PracticeSession(user_id=user.id, source="due", created_at=utcnow())
    session.answers = [PracticeAnswer(position=1, question_id="a-code", content_hash="", seed=1)]
    db.add(session)
    db.flush()
    return CodeRun(
        user_id=user.id,
        session_id=session.id,
        position=1,
        content_hash="",
        purpose=RunPurpose.TRY,
        program="x",
        cases=1,
    )


def test_a_worker_that_is_not_there_keeps_nobody_waiting_for_ever(
    learner: Client, here: str, db: Session
) -> None:
    for state, column, seconds in (
        (RunState.QUEUED, "created_at", QUEUE_SECONDS),
        (RunState.RUNNING, "started_at", RUN_SECONDS),
    ):
        learner.post(here, {FIELD: HALF})
        db.execute(update(CodeRun).values({"state": state, column: utcnow() - timedelta(seconds=seconds - 60)}))
        db.commit()
        assert "your program is being run" in learner.get(here).text
        db.execute(update(CodeRun).values({column: utcnow() - timedelta(seconds=seconds + 1)}))
        db.commit()
        page = learner.get(here).text
        assert "was not run in time" in page
        assert "n + 1 if n &lt; 3 else 0" in page
        assert stored(db).given_at is None


def test_an_edited_question_is_asked_again(learner: Client, here: str, db: Session, desk: ProgramDesk) -> None:
    learner.post(here, {FIELD: RIGHT})
    db.execute(update(CodeRun).values(content_hash="another"))
    db.commit()
    desk.serve_next()
    page = learner.get(here).text
    assert "The question was edited while your program was run" in page
    assert stored(db).fraction is None


def test_the_polled_part_loads_the_page_when_the_answer_is_judged(
    learner: Client, here: str, desk: ProgramDesk
) -> None:
    polled = {"HX-Request": "true"}
    assert learner.get(f"{here}/program").location.endswith(here)
    first = learner.post(f"{here}/try", {FIELD: RIGHT}, headers=polled)
    assert "0 of 1 examples" in first.text
    assert "HX-Refresh" not in first.headers
    desk.serve_next()
    assert "1 of 1 example passed" in learner.get(f"{here}/program", headers=polled).text
    learner.post(here, {FIELD: RIGHT})
    assert "0 of 3 cases" in learner.get(f"{here}/program", headers=polled).text
    desk.serve_next()
    assert learner.get(f"{here}/program", headers=polled).headers["HX-Refresh"] == "true"
    late = learner.post(f"{here}/try", {FIELD: RIGHT}, headers=polled)
    assert "answered already" in late.text


def test_a_result_that_came_after_the_learner_left_is_not_lost(
    learner: Client, here: str, db: Session, desk: ProgramDesk
) -> None:
    learner.post(here, {FIELD: RIGHT})
    learner.post(f"{here.removesuffix('/1')}/end")
    desk.serve_next()
    learner.post("/practice/start", {"source": "module", "id": questions.MODULE})
    assert db.scalars(select(PracticeAnswer).order_by(PracticeAnswer.session_id)).first().fraction is None  # type: ignore[union-attr]
    page = learner.get(f"{here.removesuffix('/1')}/result").text
    assert "1 of 1 fully right" in page


def test_a_session_that_is_given_up_records_what_was_run(
    learner: Client, here: str, db: Session, desk: ProgramDesk
) -> None:
    learner.post(here, {FIELD: RIGHT})
    desk.serve_next()
    learner.post("/practice/start", {"source": "module", "id": questions.MODULE})
    db.expire_all()
    first = db.scalars(select(PracticeAnswer).order_by(PracticeAnswer.session_id)).first()
    assert first is not None
    assert first.fraction == 1.0


def test_nothing_to_run_is_said(learner: Client, here: str, db: Session) -> None:
    assert (
        "write the program first"
        in learner.post(f"{here}/try", {FIELD: "  \n"}, headers={"HX-Request": "true"}).text
    )
    response = learner.post(here, {FIELD: " "})
    assert response.status_code == 422
    assert "Nothing is answered yet" in response.text
    too_long = learner.post(here, {FIELD: "x" * 20_001})
    assert too_long.status_code == 422
    assert "longer than 20,000" in too_long.text
    assert db.scalars(select(CodeRun)).first() is None


def test_programs_of_others_are_not_found(
    app: Flask, settings: Settings, learner: Client, here: str, db: Session
) -> None:
    learner.post(here, {FIELD: RIGHT})
    stranger = users.user(db)
    db.commit()
    client = signed_in(app, settings, stranger)
    assert client.get(f"{here}/program").status_code == 404
    assert client.post(f"{here}/try", {FIELD: RIGHT}).status_code == 404
