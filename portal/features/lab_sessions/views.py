"""What the lab page shows, as plain values for its templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.content import Content
from portal.features.lab_sessions import queries
from portal.models import PENDING_STATES, LabSession, SessionState, Submission, SubmissionState, utcnow
from portal.notebook_html import render_notebook
from portal.settings import Settings

PHASES = (
    "waiting for the worker",
    "building the image",
    "creating the sandbox",
    "starting the services",
    "starting Jupyter",
    "ready",
)


def executed_html(submission: Submission) -> str:
    """The executed notebook of a graded submission as sanitised HTML; rendered now when the worker did not come to it."""
    if submission.executed_html is not None:
        return submission.executed_html
    executed = (submission.report or {}).get("executed")
    return render_notebook(executed) if executed else ""


def lab_page(db: Session, content: Content, settings: Settings, user_id: int, lab: Lab) -> dict[str, Any]:
    """Everything the lab page and its polled fragments need."""
    session = queries.newest_session(db, user_id, lab.id)
    attempts = queries.attempts(db, user_id, lab.id)
    hints = queries.hints_used(db, user_id, lab.id)
    passed = queries.submitted_tasks(db, user_id, lab.id)
    worker = queries.worker(db)
    pending = next((a for a in attempts if a.state in PENDING_STATES), None)
    newest = next((a for a in attempts if a.state in (SubmissionState.GRADED, SubmissionState.ERROR)), None)
    latest = next((a for a in attempts if a.state == SubmissionState.GRADED), None)
    return {
        "lab": lab,
        "session": session_view(session, lab, settings),
        "phases": PHASES,
        "driver": {
            "name": worker.driver if worker else "",
            "isolated": bool(worker and worker.isolated),
            "reason": worker.reason if worker else "",
            "running": worker is not None,
        },
        "tasks": [
            task_view(content, task, latest, hints.get(task.id, 0), task.id in passed) for task in lab.tasks
        ],
        "pending": pending_view(db, pending),
        "latest": attempt_view(latest),
        "failed_attempt": attempt_view(newest)
        if newest is not None and newest.state == SubmissionState.ERROR
        else None,
        "attempts": [attempt_view(a) for a in attempts],
        "solved": {task.id for task in lab.tasks} <= passed,
        "sandbox_origin": settings.sandbox_origin_effective,
    }


def session_view(session: LabSession | None, lab: Lab, settings: Settings) -> dict[str, Any] | None:
    """The newest session; None when there was none or it was stopped on purpose."""
    if session is None or session.state == SessionState.STOPPED:
        return None
    now = utcnow()
    until = session.ended_at or session.ready_at or now
    url = f"{settings.sandbox_origin_effective}/s/{session.sandbox_id}/{session.access_token}/notebooks/{lab.id}.ipynb"
    return {
        "state": session.state,
        "phase": session.phase,
        "detail": session.detail,
        "elapsed_seconds": max(0, int((until - session.requested_at).total_seconds())),
        "services": session.services,
        "started_at": session.ready_at,
        "expires_at": session.expires_at,
        "remaining_seconds": max(0, int((session.expires_at - now).total_seconds()))
        if session.expires_at
        else None,
        "log": session.log if session.state == SessionState.FAILED else "",
        "sandbox_url": url if session.state == SessionState.READY else None,
    }


def task_view(
    content: Content, task: Any, latest: Submission | None, hints_open: int, proven: bool
) -> dict[str, Any]:
    """One task with what the newest result says of it and the hints opened so far."""
    result = next((r for r in latest.results if r.task_id == task.id), None) if latest else None
    return {
        "id": task.id,
        "title": task.title,
        "points": task.points,
        "earned": result.earned if result else 0,
        "status": result.status if result else None,
        "message": result.message if result else "",
        "recorded": proven,
        "hints": [
            {"number": number, "text": text if number <= hints_open else None, "next": number == hints_open + 1}
            for number, text in enumerate(task.hints, 1)
        ],
        "proves": [
            topic for topic_id in task.proves if (topic := content.roadmap.topics.get(topic_id)) is not None
        ],
    }


def pending_view(db: Session, submission: Submission | None) -> dict[str, Any] | None:
    """A submission that is being graded."""
    if submission is None:
        return None
    return {
        "id": submission.id,
        "kind": submission.kind,
        "state": submission.state,
        "elapsed_seconds": max(0, int((utcnow() - submission.created_at).total_seconds())),
        "place": queries.place_in_queue(db, submission) if submission.state == SubmissionState.QUEUED else None,
    }


def attempt_view(submission: Submission | None) -> dict[str, Any] | None:
    """A check or submission with its results."""
    if submission is None:
        return None
    return {
        "id": submission.id,
        "kind": submission.kind,
        "state": submission.state,
        "score": submission.score,
        "max_score": submission.max_score,
        "percent": 100 * submission.score // submission.max_score if submission.max_score else 0,
        "notebook_status": submission.notebook_status,
        "notebook_message": submission.notebook_message,
        "error": submission.error,
        "created_at": submission.created_at,
        "seconds": (submission.finished_at - submission.created_at).total_seconds()
        if submission.finished_at
        else None,
    }


def result_rows(lab: Lab | None, submission: Submission) -> Sequence[dict[str, Any]]:
    """The task results of one attempt, with today's titles where the task still exists."""
    titles = {task.id: task.title for task in lab.tasks} if lab else {}
    return [
        {
            "id": r.task_id,
            "title": titles.get(r.task_id, r.task_id),
            "points": r.points,
            "earned": r.earned,
            "status": r.status,
            "message": r.message,
        }
        for r in submission.results
    ]
