"""Pages of labs."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup

from labs.catalogue import Lab
from portal.errors import Conflict, Forbidden, NotFound, PortalError
from portal.extensions import after_commit, db, limiter, portal
from portal.features.lab_sessions import queries, views
from portal.features.lab_sessions.files import FilesService
from portal.features.lab_sessions.service import LabSessionService
from portal.kept_pages import kept_page
from portal.models import SubmissionKind, utcnow
from portal.notebook_html import notebook_html

WARM_SECONDS = 60.0
"""How often the worker is told that a lab is looked at."""

blueprint = Blueprint("lab_sessions", __name__, url_prefix="/labs")


def _learner() -> str:
    return f"user:{current_user.get_id()}"


@blueprint.get("/")
@kept_page()
def index() -> str:
    """All labs with the learner's best scores."""
    scores = queries.best_scores(db(), current_user.id)
    opened = queries.open_labs(db(), current_user.id)
    rows = [
        {
            "lab": lab,
            "score": scores.get(lab.id, (None, None))[0],
            "max_score": lab.max_score,
            "open": opened.get(lab.id),
        }
        for lab in portal().content.labs.labs.values()
    ]
    return render_template("lab_sessions/index.html", rows=rows)


def _at_rest(slug: str) -> Hashable:
    found = portal().content.lab(slug)
    return None if found is None else views.surroundings(db(), portal().settings, current_user.id, found)


@blueprint.get("/<slug>")
@kept_page(also=_at_rest)
def lab(slug: str) -> Any:
    """The lab page: tasks beside the notebook."""
    found = _lab(slug)
    if found.id != slug:
        return redirect(url_for("lab_sessions.lab", slug=found.id), 301)
    _expect_launch(found)
    return render_template("lab_sessions/lab.html", **_page(found))


@blueprint.get("/<slug>/status")
@limiter.exempt
@kept_page(also=_at_rest)
def status(slug: str) -> str:
    """The parts of the lab page that change: session, tasks, attempts."""
    return render_template("lab_sessions/_live.html", **_page(_lab(slug)))


@blueprint.post("/<slug>/launch")
@limiter.limit("10 per minute", key_func=_learner)
def launch(slug: str) -> Any:
    """Start the learner's sandbox."""
    found = _lab(slug)
    session, is_new = _service().launch(current_user.id, found)
    if is_new:
        db().flush()
        after_commit(lambda: portal().jobs.launch(session.id))
    return _changed(found)


@blueprint.post("/<slug>/stop")
def stop(slug: str) -> Any:
    """End the learner's sandbox, or leave the queue; the files stay."""
    found = _lab(slug)
    session, has_sandbox = _service().stop(current_user.id, found)
    if session is not None and has_sandbox:
        after_commit(lambda: portal().jobs.stop(session.id))
        flash("The sandbox is being stopped. Your files are kept for the next time.", "info")
    elif session is not None:
        flash("You have left the queue.", "info")
    to = "lab_sessions.reset_page" if request.form.get("then") == "reset" else "lab_sessions.lab"
    return redirect(url_for(to, slug=found.id))


@blueprint.post("/<slug>/extend")
@limiter.limit("12 per minute", key_func=_learner)
def extend(slug: str) -> Any:
    """Put off the end of the session."""
    found = _lab(slug)
    _service().extend(current_user.id, found, request.form.get("used", type=int))
    return _changed(found)


@blueprint.post("/<slug>/still-here")
@limiter.limit("12 per minute", key_func=_learner)
def still_here(slug: str) -> Any:
    """Begin the idle limit anew."""
    found = _lab(slug)
    _service().still_here(current_user.id, found)
    return _changed(found)


@blueprint.get("/<slug>/files.zip")
@limiter.limit("6 per minute", key_func=_learner)
def download(slug: str) -> Any:
    """The learner's files as a zip, while the lab runs and when it is stopped."""
    found = _lab(slug)
    try:
        body = _files().download(current_user.id, found)
    except PortalError as error:
        flash(error.message, "warning")
        return redirect(url_for("lab_sessions.lab", slug=found.id))
    name = f"{found.id}-{utcnow():%Y-%m-%d}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Accel-Buffering": "no"}
    return Response(body, mimetype="application/zip", headers=headers)


@blueprint.get("/<slug>/reset")
@kept_page(also=_at_rest)
def reset_page(slug: str) -> str:
    """Ask before the files are put aside."""
    return render_template("lab_sessions/reset.html", **_page(_lab(slug)))


@blueprint.post("/<slug>/reset")
@limiter.limit("6 per minute", key_func=_learner)
def reset(slug: str) -> Any:
    """Put the files aside; the next launch brings fresh ones."""
    return _move_files(slug, FilesService.reset)


@blueprint.post("/<slug>/bring-back")
@limiter.limit("6 per minute", key_func=_learner)
def bring_back(slug: str) -> Any:
    """Swap the files with those that were put aside last."""
    return _move_files(slug, FilesService.bring_back)


@blueprint.post("/<slug>/check")
@limiter.limit("12 per minute", key_func=_learner)
def check(slug: str) -> Any:
    """Grade the notebook as it is saved now; provisional."""
    return _grade(slug, SubmissionKind.CHECK)


@blueprint.post("/<slug>/submit")
@limiter.limit("6 per minute", key_func=_learner)
def submit(slug: str) -> Any:
    """Grade the notebook as it is saved now; recorded."""
    return _grade(slug, SubmissionKind.SUBMIT)


@blueprint.post("/<slug>/hints/<task_id>/<int:number>")
def hint(slug: str, task_id: str, number: int) -> Any:
    """Open a hint."""
    found = _lab(slug)
    _service().reveal_hint(current_user.id, found, task_id, number)
    return _changed(found)


@blueprint.get("/attempts/<int:submission_id>")
@kept_page()
def attempt(submission_id: int) -> str:
    """One check or submission: results and the executed notebook."""
    found = queries.attempt(db(), current_user.id, submission_id)
    if found is None:
        raise NotFound("There is no such attempt among yours.")
    its_lab = portal().content.lab(found.lab_id)
    return render_template(
        "lab_sessions/attempt.html",
        lab=its_lab,
        attempt=views.attempt_view(found),
        results=views.result_rows(its_lab, found),
        notebook_html=Markup(views.executed_html(found)),  # noqa: S704 - sanitised when it was rendered
    )


@blueprint.get("/<slug>/solution")
@kept_page()
def solution(slug: str) -> str:
    """The worked solution, for those who passed every task."""
    found = _lab(slug)
    if not {task.id for task in found.tasks} <= queries.submitted_tasks(db(), current_user.id, found.id):
        raise Forbidden("The solution opens once you have passed every task in a submission.")
    return render_template(
        "lab_sessions/solution.html",
        lab=found,
        notebook_html=Markup(notebook_html(found.source.solution(), found.content_hash)),  # noqa: S704 - sanitised
    )


def _grade(slug: str, kind: SubmissionKind) -> Any:
    found = _lab(slug)
    try:
        submission = _service().request_grading(current_user.id, found, kind)
    except Conflict:
        # A second click while the first is being graded: show that one.
        return _changed(found)
    db().flush()
    after_commit(lambda: portal().jobs.grade(submission.id))
    return _changed(found)


def _expect_launch(found: Lab) -> None:
    """Who looks at a lab may launch it next: tell the worker, once in a while."""
    now = time.monotonic()
    told_at = portal().looks_told_at
    if portal().settings.pool_total and now - told_at.get(found.id, -WARM_SECONDS) >= WARM_SECONDS:
        told_at[found.id] = now
        after_commit(lambda: portal().jobs.warm(found.id))


def _move_files(slug: str, move: Callable[[FilesService, int, Lab], None]) -> Any:
    found = _lab(slug)
    try:
        move(_files(), current_user.id, found)
    except PortalError as error:
        flash(error.message, "warning")
        return redirect(url_for("lab_sessions.reset_page", slug=found.id))
    return redirect(url_for("lab_sessions.lab", slug=found.id))


def _changed(found: Lab) -> Any:
    """After a change: the live fragment for htmx, the page for a browser without script."""
    if request.headers.get("HX-Request"):
        return render_template("lab_sessions/_live.html", **_page(found))
    return redirect(url_for("lab_sessions.lab", slug=found.id))


def _page(found: Lab) -> dict[str, Any]:
    return views.lab_page(db(), portal().content, portal().settings, current_user.id, found)


def _service() -> LabSessionService:
    return LabSessionService(db(), portal().settings)


def _files() -> FilesService:
    return FilesService(db(), portal().settings)


def _lab(slug: str) -> Lab:
    found = portal().content.lab(slug)
    if found is None:
        raise NotFound(f"There is no lab “{slug[:80]}”.")
    return found
