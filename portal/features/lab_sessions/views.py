"""What the lab page shows, as plain values for its templates."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.content import Content
from portal.features.lab_sessions import queries, queue
from portal.features.lab_sessions.facts import facts_of
from portal.files import LearnerFiles
from portal.lifetime import idle_end, last_active, warning
from portal.models import (
    OPEN_STATES,
    PENDING_STATES,
    EndReason,
    LabSession,
    SessionState,
    Submission,
    SubmissionState,
    utcnow,
)
from portal.notebook_html import render_notebook
from portal.settings import Settings

MB = 1024 * 1024
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


def surroundings(db: Session, settings: Settings, user_id: int, lab: Lab) -> Hashable:
    """What the pages of a lab at rest show beside the learner's rows: the worker and the files. None while it is not at rest."""
    found = facts_of(db, user_id, lab)
    if found.is_moving:
        return None
    files = files_view(found.session, settings, user_id, lab, utcnow())
    return (queries.worker(db), *files.values())


def lab_page(db: Session, content: Content, settings: Settings, user_id: int, lab: Lab) -> dict[str, Any]:
    """Everything the lab page and its polled fragments need."""
    known = facts_of(db, user_id, lab)
    session, attempts, hints, passed = known.session, known.attempts, known.hints, known.passed
    worker = queries.worker(db)
    pending = next((a for a in attempts if a.state in PENDING_STATES), None)
    newest = next((a for a in attempts if a.state in (SubmissionState.GRADED, SubmissionState.ERROR)), None)
    latest = next((a for a in attempts if a.state == SubmissionState.GRADED), None)
    now = utcnow()
    shown = session_view(session, lab, settings, now)
    if session is not None and shown is not None and shown["state"] == SessionState.QUEUED:
        shown |= queue_view(db, session, settings, worker.places if worker else 0, now)
    return {
        "lab": lab,
        "session": shown,
        "warning": warning_view(session, settings, now),
        "files": files_view(session, settings, user_id, lab, now),
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


def session_view(
    session: LabSession | None, lab: Lab, settings: Settings, now: datetime
) -> dict[str, Any] | None:
    """The newest session; None when there was none or the learner stopped it on purpose.

    One that ended for another reason has the state `ended`.
    """
    if session is None:
        return None
    ended = session.state == SessionState.STOPPED
    if ended and session.end_reason in (EndReason.UNKNOWN, EndReason.LEARNER):
        return None
    until = session.ended_at or session.ready_at or now
    since = session.admitted_at or session.requested_at
    url = f"{settings.sandbox_origin_effective}/s/{session.sandbox_id}/{session.access_token}/notebooks/{lab.id}.ipynb"
    return {
        "state": "ended" if ended else session.state,
        "reason": session.end_reason,
        "phase": session.phase,
        "detail": session.detail,
        "elapsed_seconds": max(0, int((until - since).total_seconds())),
        "services": session.services,
        "started_at": session.ready_at,
        "ended_at": session.ended_at,
        "expires_at": session.expires_at,
        "now": now,
        "log": session.log if session.state == SessionState.FAILED else "",
        "sandbox_url": url if session.state == SessionState.READY else None,
    }


def queue_view(
    db: Session, session: LabSession, settings: Settings, places: int, now: datetime
) -> dict[str, Any]:
    """What a queued session's page says. Where there is room, or nobody to ask, it is as good as starting."""
    place = queries.place_for_sandbox(db, session)
    held = queries.sessions_with_places(db)
    if not places or place <= places - len(held):
        return {"state": SessionState.STARTING}
    estimate = queue.wait(
        place,
        places,
        [
            queue.Held(
                each.ready_at,
                each.expires_at,
                last_active(each),
                idle_end(each, settings),
                each.state == SessionState.STOPPING,
            )
            for each in held
        ],
        queries.recent_lengths(db),
        timedelta(hours=settings.session_hours),
        now,
    )
    return {"place": place, "estimate": queue.words(estimate), "waiting_since": session.requested_at}


def warning_view(session: LabSession | None, settings: Settings, now: datetime) -> dict[str, Any] | None:
    """What the banner of a running session says: its end comes near, nobody uses it, or its files take too much room."""
    if session is None:
        return None
    due = warning(session, settings, now)
    if due is not None:
        return {
            "kind": due.kind,
            "at": due.at,
            "quiet_minutes": int(due.quiet.total_seconds() // 60),
            "used": session.extensions,
            "left": max(0, settings.session_extensions - session.extensions),
            "extension": _span(settings.session_extension_minutes),
        }
    over = (session.usage_bytes or 0) > settings.workspace_mb * MB
    if session.state == SessionState.READY and over:
        return {"kind": "quota", "mb": _mb(session.usage_bytes or 0), "limit_mb": settings.workspace_mb}
    return None


def files_view(
    session: LabSession | None, settings: Settings, user_id: int, lab: Lab, now: datetime
) -> dict[str, Any]:
    """The learner's files of the lab, and those that a reset put aside."""
    store = LearnerFiles(settings.workspaces_dir)
    lasts = timedelta(days=settings.reset_kept_days)
    kept = next((each for each in store.kept(user_id, lab.id) if now - each.at < lasts), None)
    measured = session is not None and session.usage_bytes is not None
    return {
        "exist": store.exist(user_id, lab.id),
        "files": session.usage_files if measured and session else None,
        "mb": _mb(session.usage_bytes or 0) if measured and session else None,
        "limit_mb": settings.workspace_mb,
        "over": measured and session is not None and (session.usage_bytes or 0) > settings.workspace_mb * MB,
        "kept_at": kept.at if kept else None,
        "kept_until": kept.at + lasts if kept else None,
        "kept_days": settings.reset_kept_days,
        "open": session is not None and session.state in OPEN_STATES,
    }


def _span(minutes: int) -> str:
    """`45 minutes`, `an hour`, `2 hours`."""
    if minutes % 60:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return "an hour" if minutes == 60 else f"{minutes // 60} hours"


def _mb(size: int) -> str:
    """`0.2`, `12`: megabytes as one says them."""
    value = size / MB
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


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
        "finished_at": submission.finished_at or submission.created_at,
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
