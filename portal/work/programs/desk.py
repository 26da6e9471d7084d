"""The desk at which programs of learners are taken in: oldest first, so many at once, each by a thread of its own.

The rows are the queue. An idle thread looks into them a few times a second, so no message can be lost, and a run that died
with its worker is found by its stale heartbeat. A program keeps no thread from launches and gradings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import undefer

from portal.models import RUNS_PENDING, CodeRun, RunState, Work, utcnow
from portal.programs import request_of, result_document
from portal.work import metrics
from portal.work.claims import Claim, claim
from portal.work.context import WorkContext
from portal.work.failures import note_failure
from portal.work.programs.runner import SandboxRunner
from question_bank.runner import RunRequest, RunResult
from question_bank.schema import RunnerUnavailable
from sandboxes.interface import DriverUnavailable

log = structlog.get_logger("worker")
LOOK_SECONDS = 0.2
AFTER_FAULT_SECONDS = 5.0
TELL_SECONDS = 0.5
"""How often a run says how far it came."""
STOP_SECONDS = 5.0
OUR_FAULT = "The program could not be run: the fault is on our side. Nothing is lost: try again in a minute."

Runs = Callable[[RunRequest, Callable[[int], None]], RunResult]


class ProgramDesk:
    """Runs what learners hand in."""

    def __init__(self, context: WorkContext, run: Runs | None = None) -> None:
        """`run` is given by tests; else sandboxes of the context's driver."""
        self._context = context
        self._run_program = run or self._in_sandboxes
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        """Held by the one idle thread that looks; the others wait for it."""
        self._threads: list[threading.Thread] = []

    @property
    def stopping(self) -> bool:
        """Whether it takes nothing in any more."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin to serve."""
        for number in range(self._context.settings.program_runners):
            thread = threading.Thread(target=self._serve, name=f"programs-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Take nothing in any more. What runs now is begun anew by the next worker."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def serve_next(self) -> bool:
        """Run the oldest program that waits, or one whose run died; False when there is none."""
        row_id = self._next()
        if row_id is None:
            return False
        self._serve_waiting(row_id)
        return True

    def _serve_waiting(self, row_id: int) -> None:
        settings = self._context.settings
        owned = claim(
            self._context.database,
            CodeRun,
            row_id,
            CodeRun.state.in_(RUNS_PENDING),
            stale_seconds=settings.stale_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            state=RunState.RUNNING,
            runs=CodeRun.runs + 1,
            started_at=utcnow(),
            cases_done=0,
        )
        if owned is not None:  # else another thread was quicker
            with owned:
                self._serve_row(owned)

    def _serve(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                with self._turn:
                    row_id = self._next()
                    while row_id is None:
                        if self._stopping.wait(LOOK_SECONDS):
                            return
                        row_id = self._next()
                self._serve_waiting(row_id)
                pause = 0.0
            except SQLAlchemyError as error:
                log.warning("the desk for programs will look again", error=str(error))
                pause = AFTER_FAULT_SECONDS
            except Exception as error:
                log.exception("the desk for programs will look again", exc_info=error)
                pause = AFTER_FAULT_SECONDS

    def _next(self) -> int | None:
        stale = utcnow() - timedelta(seconds=self._context.settings.stale_seconds)
        with self._context.database.transaction() as db:
            return db.scalar(
                select(CodeRun.id)
                .where(
                    or_(
                        CodeRun.state == RunState.QUEUED,
                        (CodeRun.state == RunState.RUNNING) & (CodeRun.heartbeat_at < stale),
                    )
                )
                .order_by(CodeRun.id)
                .limit(1)
            )

    def _serve_row(self, owned: Claim) -> None:
        with self._context.database.transaction() as db:
            row = db.scalars(
                select(CodeRun).where(CodeRun.id == owned.row_id).options(undefer(CodeRun.request))
            ).one()
        if row.request is None or row.runs > self._context.settings.grading_attempts:
            _fail(owned, OUR_FAULT)
            return
        request = request_of(row.request)
        if self._context.warming is not None:
            self._context.warming.programs_in(request.language)
        try:
            with metrics.program(request.language):
                result = self._run_program(request, _teller(owned))
        except RunnerUnavailable as error:
            self._give_up(owned, request, error.__cause__ or error, str(error))
        except Exception as error:
            log.exception("a program could not be run", run=row.id, exc_info=error)
            self._give_up(owned, request, error, OUR_FAULT)
        else:
            if not self.stopping:  # its sandbox may have been ended by us
                owned.write(
                    state=RunState.DONE,
                    result=result_document(result),
                    run_token=None,
                    cases_done=row.cases,
                    finished_at=utcnow(),
                )

    def _in_sandboxes(self, request: RunRequest, progress: Callable[[int], None]) -> RunResult:
        try:
            driver = self._context.require_driver()
        except DriverUnavailable as error:
            raise RunnerUnavailable(f"Programs can't be run here now. {error.learner}") from error
        return SandboxRunner(driver, self._context.labels).run(request, progress)

    def _give_up(self, owned: Claim, request: RunRequest, error: BaseException, message: str) -> None:
        if self.stopping:
            return
        if isinstance(error, Exception):
            note_failure(self._context, Work.PROGRAM, f"programs in {request.language}", error)
        _fail(owned, message)


def _teller(owned: Claim) -> Callable[[int], None]:
    told_at = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TELL_SECONDS:
            told_at = time.monotonic()
            owned.write(cases_done=done)

    return tell


def _fail(owned: Claim, message: str) -> None:
    owned.write(state=RunState.FAILED, run_token=None, finished_at=utcnow(), error=message[:500])
