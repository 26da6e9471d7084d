"""Grading submissions: each once, whatever dies on the way."""

from __future__ import annotations

import hashlib

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, undefer

from labs.catalogue import Lab
from labs.grader import grade as grade_notebook
from labs.report import Report
from portal.models import Submission, SubmissionState, TaskResult, Work, utcnow
from portal.notebook_html import render_notebook
from portal.work import metrics
from portal.work.claims import Claim, claim
from portal.work.context import WorkContext
from portal.work.failures import note_failure
from portal.work.workspaces import NotebookUnreadable
from sandboxes.interface import SandboxError

log = structlog.get_logger("worker")
OUR_FAULT = (
    "The grader failed on our side, not yours, and trying again did not help. "
    "Your notebook is kept: check or submit again in a while."
)


def grade(context: WorkContext, submission_id: int) -> None:
    """Grade a submission that waits; does nothing for any other."""
    owned = claim(
        context.database,
        Submission,
        submission_id,
        Submission.state.in_([SubmissionState.QUEUED, SubmissionState.RUNNING]),
        stale_seconds=context.settings.stale_seconds,
        heartbeat_seconds=context.settings.heartbeat_seconds,
        state=SubmissionState.RUNNING,
        runs=Submission.runs + 1,
        started_at=utcnow(),
    )
    if owned is None:
        return
    with owned:
        with context.database.transaction() as db:
            row = db.scalars(
                select(Submission).where(Submission.id == submission_id).options(undefer(Submission.notebook))
            ).one()
        lab = context.content.lab(row.lab_id)
        if lab is None:
            _give_up(owned, "This lab is not offered any more, so the notebook can't be graded.")
        elif row.runs > context.settings.grading_attempts:
            _give_up(owned, OUR_FAULT)
        else:
            _grade(context, owned, row, lab)


def _grade(context: WorkContext, owned: Claim, row: Submission, lab: Lab) -> None:
    try:
        notebook = _notebook(context, owned, row, lab)
        report = metrics.graded(grade_notebook)(
            lab,
            notebook,
            seed=row.seed,
            driver=context.require_driver(),
            labels={**context.labels, "purpose": "grading", "lab": lab.id},
        )
    except NotebookUnreadable as error:
        _give_up(owned, str(error))
    except SandboxError as error:
        log.warning("grading failed", submission=row.id, run=row.runs, reason=error.reason, detail=error.detail)
        note_failure(context, Work.GRADING, lab.id, error)
        _again_or_give_up(context, owned, row, error.learner)
    except Exception as error:
        log.exception("grading failed", submission=row.id, run=row.runs, exc_info=error)
        note_failure(context, Work.GRADING, lab.id, error)
        _again_or_give_up(context, owned, row, OUR_FAULT)
    else:
        with context.database.transaction() as db:
            written = _record(db, owned, report)
        if not written:
            log.info("another run graded this submission", submission=row.id)
        elif report.executed:
            _keep_html(context, row.id, report)


def _notebook(context: WorkContext, owned: Claim, row: Submission, lab: Lab) -> bytes:
    """The notebook as handed in: taken from the workspace once, then from the row. Raises NotebookUnreadable."""
    if row.notebook is not None:
        return row.notebook
    data = context.workspaces.notebook(row.user_id, lab)
    owned.write(notebook=data, notebook_sha256=hashlib.sha256(data).hexdigest())
    return data


def _record(db: Session, owned: Claim, report: Report) -> bool:
    """Write the result, if this run still owns the row; whether it did.

    The executed notebook is kept as it came until it has been rendered: that takes longer than the grading itself.
    """
    document = report.document()
    if report.executed:
        document["executed"] = report.executed
    written = owned.write_in(
        db.execute,
        state=SubmissionState.GRADED,
        run_token=None,
        finished_at=utcnow(),
        score=report.score,
        max_score=report.max_score,
        notebook_status=str(report.notebook.status),
        notebook_message=report.notebook.message,
        content_hash=report.content_hash,
        report=document,
        executed_html=None if report.executed else "",
        error="",
    )
    if written:
        db.execute(delete(TaskResult).where(TaskResult.submission_id == owned.row_id))
        db.add_all(
            TaskResult(
                submission_id=owned.row_id,
                task_id=task.id,
                position=position,
                points=task.points,
                earned=task.earned,
                status=str(task.status),
                message=task.message,
            )
            for position, task in enumerate(report.tasks, 1)
        )
    return written


def _keep_html(context: WorkContext, submission_id: int, report: Report) -> None:
    """Render the executed notebook into the graded row. When we die before that, the page renders it each time it is opened."""
    try:
        html = render_notebook(report.executed or {})
    except (
        Exception
    ) as error:  # the learner made it: it is shown when it can be, and the result stands either way
        log.warning("the executed notebook can't be shown", submission=submission_id, error=repr(error)[:500])
        html = ""
    with context.database.transaction() as db:
        db.execute(
            update(Submission)
            .where(
                Submission.id == submission_id,
                Submission.state == SubmissionState.GRADED,
                Submission.executed_html.is_(None),
            )
            .values(executed_html=html, report=report.document())
        )


def _give_up(owned: Claim, message: str) -> None:
    owned.write(state=SubmissionState.ERROR, run_token=None, finished_at=utcnow(), error=message[:500])


def _again_or_give_up(context: WorkContext, owned: Claim, row: Submission, message: str) -> None:
    """Back to the queue, where the caretaker finds it in a few seconds; or the end, after the last try."""
    if row.runs >= context.settings.grading_attempts:
        _give_up(owned, message)
    else:
        with context.database.transaction() as db:
            db.execute(
                update(Submission)
                .where(Submission.id == owned.row_id, Submission.run_token == owned.token)
                .values(state=SubmissionState.QUEUED, run_token=None)
            )
