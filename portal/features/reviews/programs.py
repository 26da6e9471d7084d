"""Programs that answer code questions: handed in, run by the worker, judged here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, undefer

from portal.errors import Conflict, Invalid, Unavailable
from portal.features.practice import seed_of
from portal.models import RUNS_PENDING, CodeRun, PracticeAnswer, RunPurpose, RunState, utcnow
from portal.programs import request_document, result_of
from portal.settings import Settings
from question_bank import Feedback, Graded, Question
from question_bank.graded import Verdict
from question_bank.kinds.code import Code

QUEUE_SECONDS = 120.0
"""Who has waited for so long is told to try again."""
RUN_SECONDS = 420.0
"""No run takes longer, the build of a sandbox's image left out."""
SHOWN = 4_000
"""Characters of what a program wrote for one example that are kept for the learner."""
BUSY = "Another program of yours is being run. Wait for its result, then try again: what you wrote here stays."
FULL = "Very many programs are being run just now. Nothing is lost: what you wrote stays here. Try again in a minute."
TOO_LONG = (
    "Your program was not run in time: the portal is very busy, or its worker does not answer. Nothing is lost: try again in a "
    "minute."
)
EDITED = (
    "The question was edited while your program was run. Nothing is lost: read it again, then submit again."
)


class ProgramService:
    """Programs of one database session."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings

    def hand_in(
        self, user_id: int, answer: PracticeAnswer, question: Question, text: object, purpose: RunPurpose
    ) -> CodeRun:
        """A row for the worker: the learner's program, to be run on the examples or on all cases.

        Raises AnswerRefused for what is no program, Invalid for a blank one, Conflict while another one of the learner is
        run, and Unavailable when too many wait.
        """
        request = body_of(question, answer.seed).request(text, examples_only=purpose is RunPurpose.TRY)
        if request is None:
            raise Invalid("There is nothing to run yet: write the program first.")
        self.expire()
        waiting = self.db.scalar(
            select(func.count()).select_from(CodeRun).where(CodeRun.state == RunState.QUEUED)
        )
        if (waiting or 0) >= self.settings.program_queue:
            raise Unavailable(FULL)
        self.db.execute(
            delete(CodeRun).where(
                CodeRun.session_id == answer.session_id,
                CodeRun.position == answer.position,
                CodeRun.state.not_in(RUNS_PENDING),
            )
        )
        run = CodeRun(
            user_id=user_id,
            session_id=answer.session_id,
            position=answer.position,
            content_hash=question.content_hash,
            purpose=purpose,
            state=RunState.QUEUED,
            program=str(text),
            request=request_document(request),
            cases=len(request.inputs),
            cases_done=0,
            runs=0,
            created_at=utcnow(),
        )
        try:
            with self.db.begin_nested():
                self.db.add(run)
        except IntegrityError:
            raise Conflict(BUSY) from None
        return run

    def expire(self) -> None:
        """Give up what has waited or run for too long: a worker that is not there must not keep anybody from trying again."""
        now = utcnow()
        self.db.execute(
            update(CodeRun)
            .where(
                or_(
                    (CodeRun.state == RunState.QUEUED)
                    & (CodeRun.created_at < now - timedelta(seconds=QUEUE_SECONDS)),
                    (CodeRun.state == RunState.RUNNING)
                    & (CodeRun.started_at < now - timedelta(seconds=RUN_SECONDS)),
                )
            )
            .values(state=RunState.FAILED, run_token=None, finished_at=now, error=TOO_LONG)
            .execution_options(synchronize_session=False)
        )

    def newest(self, answer: PracticeAnswer) -> CodeRun | None:
        """The program that was handed in last: as the answer once there is one, else as a try. As the database has it now."""
        handed_in = [CodeRun.purpose == RunPurpose.ANSWER] if answer.given_at is not None else []
        return self.db.scalar(
            select(CodeRun)
            .where(CodeRun.session_id == answer.session_id, CodeRun.position == answer.position, *handed_in)
            .order_by(CodeRun.id.desc())
            .limit(1)
            .execution_options(populate_existing=True)
        )

    def judged(self, run: CodeRun, answer: PracticeAnswer, question: Question) -> CodeRun:
        """The run with its verdict, when it is DONE; FAILED when the question was edited meanwhile."""
        if run.state != RunState.DONE or run.verdict is not None:
            return run
        if run.content_hash != question.content_hash:
            self._write(run, state=RunState.FAILED, error=EDITED, request=None, result=None)
            return run
        document = self.db.scalar(select(CodeRun).where(CodeRun.id == run.id).options(undefer(CodeRun.result)))
        assert document is not None
        assert document.result is not None
        tried = run.purpose == RunPurpose.TRY
        verdict = body_of(question, answer.seed).judge(result_of(document.result), examples_only=tried)
        self._write(run, verdict=verdict_document(verdict), request=None, result=None)
        return run

    def _write(self, run: CodeRun, **values: Any) -> None:
        """Set columns, unless another request was quicker; either way the row is as the database has it then."""
        self.db.execute(
            update(CodeRun)
            .where(CodeRun.id == run.id, CodeRun.state == RunState.DONE, CodeRun.verdict.is_(None))
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        self.db.refresh(run)


def body_of(question: Question, seed: int) -> Code:
    """The task that this seed shows."""
    return cast("Code", question.at(seed_of(question, seed)).body)


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """What is kept of a verdict: all but the author's program, which the question has."""
    return {
        "fraction": verdict.fraction,
        "message": verdict.message,
        "feedback": [
            {
                "key": one.key,
                "right": one.right,
                "chosen": one.chosen,
                "comment": one.comment,
                "given": one.given[:SHOWN],
            }
            for one in verdict.feedback
        ],
    }


def graded_of(run: CodeRun, question: Question, seed: int) -> Graded | None:
    """What the question said to a run that has been judged, in today's words; None without a verdict."""
    if run.verdict is None:
        return None
    shown = question.at(seed_of(question, seed))
    blank = body_of(question, seed).judge(None)
    words = {one.key: one for one in blank.feedback}
    kept: Sequence[dict[str, Any]] = run.verdict["feedback"]
    feedback = tuple(
        Feedback(
            key=one["key"],
            text=words[one["key"]].text if one["key"] in words else "",
            chosen=one["chosen"],
            right=one["right"],
            comment=one["comment"],
            given=one["given"],
            expected=words[one["key"]].expected if one["key"] in words else "",
        )
        for one in kept
    )
    return Graded(
        fraction=run.verdict["fraction"],
        answered=True,
        feedback=feedback,
        right_answer=blank.right_answer,
        message=run.verdict["message"],
        correct=run.verdict["fraction"] == 1.0,
        explanation=shown.explanation,
    )
