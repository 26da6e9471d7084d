"""Pages of activities: the learner's portfolio, one activity, and the instructors' queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Invalid
from portal.extensions import db, limiter, portal
from portal.features.portfolio import queries
from portal.features.portfolio.forms import Draft, draft_of
from portal.features.portfolio.reviewing import CLAIM_HOURS, COMMENT_MOST, ReviewService
from portal.features.portfolio.service import NOTE_MOST, TEXT_MOST, Folder, PortfolioService, Unfit
from portal.features.roadmap import ProgressService
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.links import LINK_MOST, host_of
from portal.models import Role, Subject, Verdict
from roadmap import Activity, Kind

blueprint = Blueprint("portfolio", __name__)


@blueprint.get("/portfolio")
@kept_page()
def index() -> str:
    """The learner's activities by state, and what is open in their tracks."""
    progress = ProgressService(db(), portal().content).of(current_user.id)
    service = _service()
    groups = service.by_state(progress)
    return render_template(
        "portfolio/index.html",
        groups=groups,
        begun=sum(map(len, groups.values())),
        tracks=service.open_tracks(progress),
        modules=portal().content.roadmap.modules,
    )


@blueprint.get("/activities/<activity_id>")
@kept_page(Subject.PEOPLE)
def activity(activity_id: str) -> Any:
    """One activity: what to do, what was handed in, and what became of it."""
    found = _service().activity(activity_id)
    if found.id != activity_id:
        return redirect(url_for("portfolio.activity", activity_id=found.id))
    return _page(found)


@blueprint.post("/activities/<activity_id>/start")
@limiter.limit("60 per minute")
def start(activity_id: str) -> Any:
    """Begin an activity."""
    found = _service().activity(activity_id)
    _service().start(found)
    return _back(found)


@blueprint.post("/activities/<activity_id>/leave")
@limiter.limit("60 per minute")
def leave(activity_id: str) -> Any:
    """Put away an activity of which nothing was handed in."""
    found = _service().activity(activity_id)
    try:
        _service().leave(found)
    except Conflict as error:
        flash(error.message, "warning")
        return _back(found)
    flash(f"“{found.title}” is put away. You can begin it again at any time.", "success")
    return redirect(url_for("portfolio.index"))


@blueprint.post("/activities/<activity_id>/done")
@limiter.limit("60 per minute")
def done(activity_id: str) -> Any:
    """Tick the activity as done, or take the tick away."""
    found = _service().activity(activity_id)
    try:
        _service().call_done(found, done=request.form.get("done") == "yes")
    except Conflict as error:
        flash(error.message, "warning")
    return _back(found)


@blueprint.post("/activities/<activity_id>/hand-in")
@limiter.limit("20 per minute")
def hand_in(activity_id: str) -> Any:
    """Hand in a version."""
    found = _service().activity(activity_id)
    draft = draft_of(request.form, found)
    try:
        _service().hand_in(found, draft)
    except Unfit as error:
        return _page(found, draft=draft, wrong=error.fields), error.status
    except Conflict as error:
        return _page(found, draft=draft, wrong={"": error.message}), error.status
    flash("Handed in. An instructor looks at it; you find the answer here.", "success")
    return _back(found)


@blueprint.post("/activities/<activity_id>/withdraw")
@limiter.limit("20 per minute")
def withdraw(activity_id: str) -> Any:
    """Take back what waits."""
    found = _service().activity(activity_id)
    try:
        _service().withdraw(found)
    except Conflict as error:
        flash(error.message, "warning")
    else:
        flash("Taken back. It stays in the history, and you can hand in another version.", "success")
    return _back(found)


@blueprint.get("/portfolio/queue")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.HAND_INS, Subject.PEOPLE)
def queue() -> str:
    """What waits for an instructor, oldest first."""
    reviews = _reviews()
    waiting = queries.waiting(db())
    return render_template(
        "portfolio/queue.html",
        waiting=[
            {"line": line, "may_claim": reviews.may_claim(line), "activity": _named(line.activity_id)}
            for line in waiting
        ],
        full=len(waiting) == queries.QUEUE_MOST,
        decided=[{"line": line, "activity": _named(line.activity_id)} for line in queries.decided(db())],
    )


@blueprint.get("/portfolio/queue/<int:hand_in_id>")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.HAND_INS, Subject.PEOPLE)
def review(hand_in_id: int) -> Any:
    """One thing that was handed in, with what was said of earlier versions."""
    return _review_page(hand_in_id)


@blueprint.post("/portfolio/queue/<int:hand_in_id>/claim")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def claim(hand_in_id: int) -> Any:
    """Take it, so that nobody else does the same."""
    try:
        _reviews().claim(hand_in_id)
    except Conflict as error:
        flash(error.message, "warning")
        return redirect(url_for("portfolio.queue"))
    return redirect(url_for("portfolio.review", hand_in_id=hand_in_id))


@blueprint.post("/portfolio/queue/<int:hand_in_id>/release")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def release(hand_in_id: int) -> Any:
    """Give it back to the queue."""
    try:
        _reviews().release(hand_in_id)
    except Conflict as error:
        flash(error.message, "warning")
    else:
        flash("It is back in the queue.", "success")
    return redirect(url_for("portfolio.queue"))


@blueprint.post("/portfolio/queue/<int:hand_in_id>/decide")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def decide(hand_in_id: int) -> Any:
    """Approve or return it."""
    comment = request.form.get("comment", "")
    chosen = request.form.get("verdict", "")
    try:
        if chosen not in (Verdict.APPROVED, Verdict.RETURNED):
            raise Invalid("Choose whether to approve or to return it.")
        _reviews().decide(hand_in_id, Verdict(chosen), comment)
    except (Invalid, Conflict) as error:
        return _review_page(hand_in_id, comment=comment, problem=error.message), error.status
    flash("Approved." if chosen == Verdict.APPROVED else "Returned to the learner.", "success")
    return redirect(url_for("portfolio.queue"))


@blueprint.post("/portfolio/queue/<int:hand_in_id>/revoke")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def revoke(hand_in_id: int) -> Any:
    """Take an approval back, with a reason."""
    reason = request.form.get("reason", "")
    try:
        _reviews().revoke(hand_in_id, reason)
    except (Invalid, Conflict) as error:
        return _review_page(hand_in_id, comment=reason, problem=error.message), error.status
    flash("The approval is taken back. The learner sees why.", "success")
    return redirect(url_for("portfolio.review", hand_in_id=hand_in_id))


def _service() -> PortfolioService:
    return PortfolioService(db(), portal().content, current_user.id)


def _reviews() -> ReviewService:
    return ReviewService(db(), current_user.id)


def _back(found: Activity) -> Any:
    return redirect(url_for("portfolio.activity", activity_id=found.id))


def _page(found: Activity, *, draft: Draft | None = None, wrong: Mapping[str, str] | None = None) -> str:
    content = portal().content
    folder = _service().folder(found)
    progress = ProgressService(db(), content).of(current_user.id)
    return render_template(
        "portfolio/activity.html",
        activity=found,
        module=content.roadmap.modules[found.module],
        folder=folder,
        topics=[
            {"topic": content.roadmap.topics[topic_id], "progress": progress.topics[topic_id]}
            for topic_id in found.topics
        ],
        shown=_shown(folder.versions),
        draft=draft or _last_draft(folder),
        show_form=folder.may_hand_in or draft is not None,
        wrong=wrong or {},
        text_most=TEXT_MOST,
        note_most=NOTE_MOST,
        link_most=LINK_MOST,
        host_of=host_of,
    )


def _last_draft(folder: Folder) -> Draft:
    """A new version begins with the one that was returned or taken back."""
    if not folder.may_hand_in or not folder.versions:
        return Draft()
    last = folder.versions[-1].hand_in
    notes = {one["condition"]: one["note"] for one in last.notes}
    return Draft(
        last.link,
        queries.text_of(db(), last.id),
        tuple(notes.get(condition, "") for condition in folder.activity.done_when),
    )


def _shown(versions: list[queries.Version]) -> dict[str, Any] | None:
    """The version that the address asks for, else the newest, with its text."""
    if not versions:
        return None
    number = request.args.get("version", len(versions), type=int)
    found = versions[min(max(number, 1), len(versions)) - 1]
    return {"version": found, "text": queries.text_of(db(), found.hand_in.id)}


def _review_page(hand_in_id: int, *, comment: str = "", problem: str = "") -> str:
    reviews = _reviews()
    line = reviews.line(hand_in_id)
    catalogue = portal().content.roadmap
    found = _named(line.activity_id)
    ids = {line.activity_id}
    if found is not None:
        ids.update(catalogue.ids_of(Kind.ACTIVITY, found.id))
    return render_template(
        "portfolio/review.html",
        line=line,
        activity=found,
        module=catalogue.modules[found.module] if found is not None else None,
        topics=[catalogue.topics[topic_id] for topic_id in found.topics] if found is not None else [],
        text=queries.text_of(db(), hand_in_id),
        versions=queries.versions(db(), line.user_id, ids),
        may_claim=reviews.may_claim(line),
        may_revoke=reviews.may_revoke(line),
        is_mine=line.hand_in.verdict is None and line.hand_in.claimed_by == current_user.id,
        own_work=line.user_id == current_user.id,
        comment=comment,
        problem=problem,
        comment_most=COMMENT_MOST,
        claim_hours=CLAIM_HOURS,
        host_of=host_of,
    )


def _named(activity_id: str) -> Activity | None:
    return portal().content.roadmap.current(Activity, activity_id)
