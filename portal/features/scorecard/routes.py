"""Pages of the scorecard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Invalid
from portal.extensions import db, limiter, portal
from portal.features.roadmap import Progress, ProgressService
from portal.features.scorecard import queries, views
from portal.features.scorecard.criteria import Reached, judge
from portal.features.scorecard.measuring import LEVELS
from portal.features.scorecard.service import DAYS_BACK, METRIC_MOST, NOTE_MOST, ScorecardService
from portal.kept_pages import kept_page
from portal.links import LINK_MOST, host_of
from portal.models import utcnow
from roadmap import Kind

blueprint = Blueprint("scorecard", __name__, url_prefix="/scorecard")


@blueprint.get("")
@kept_page()
def index() -> str:
    """The dimensions by month, and the learner's own assessment of this month."""
    return _index_page()


@blueprint.post("/assess")
@limiter.limit("30 per minute")
def assess() -> Any:
    """Store the learner's assessment of this month."""
    levels = _prefixed("level-")
    try:
        _service().assess(request.form.get("month", ""), levels)
    except (Invalid, Conflict) as error:
        return _index_page(levels=levels, problem=error.message), error.status
    flash("Your assessment of this month is kept. You can change it until the month ends.", "success")
    return redirect(url_for("scorecard.index"))


@blueprint.get("/criteria")
@kept_page()
def criteria() -> str:
    """By what one knows that a track was worth it."""
    content = portal().content
    progress = _progress()
    said = _service().said()
    tracks = [
        {"track": track, "criteria": judged, "reached": sum(each.is_reached for each in judged)}
        for track in progress.tracks_begun(content.roadmap)
        if (judged := judge(track, content, progress, said))
    ]
    return render_template("scorecard/criteria.html", tracks=tracks, reached=Reached)


@blueprint.post("/criteria/<criterion_id>")
@limiter.limit("60 per minute")
def say(criterion_id: str) -> Any:
    """Say that a criterion is reached which only the learner can judge, or take it back."""
    try:
        found = _service().say(criterion_id, reached=request.form.get("reached") == "yes")
    except Invalid as error:
        flash(error.message, "warning")
        return redirect(url_for("scorecard.criteria"))
    return redirect(url_for("scorecard.criteria", _anchor=f"criterion-{found.id}"))


@blueprint.get("/commitments")
@kept_page()
def commitments() -> str:
    """What is done every week, its log, and the numbers of the month."""
    return _commitments_page()


@blueprint.post("/commitments/entries")
@limiter.limit("60 per minute")
def log() -> Any:
    """Add an entry to the log."""
    entry = {name: request.form.get(name, "") for name in ("commitment", "day", "note", "link")}
    try:
        _service().log(entry["commitment"], entry["day"], entry["note"], entry["link"])
    except (Invalid, Conflict) as error:
        return _commitments_page(entry=entry, entry_problem=error.message), error.status
    flash("Noted.", "success")
    return redirect(url_for("scorecard.commitments"))


@blueprint.post("/commitments/entries/<int:entry_id>/delete")
@limiter.limit("60 per minute")
def forget(entry_id: int) -> Any:
    """Delete an entry."""
    _service().forget(entry_id)
    flash("The entry is deleted.", "success")
    return redirect(url_for("scorecard.commitments", _anchor="log-title"))


@blueprint.post("/metrics")
@limiter.limit("30 per minute")
def metrics() -> Any:
    """Store this month's numbers."""
    numbers = _prefixed("metric-")
    try:
        _service().note_metrics(request.form.get("month", ""), numbers)
    except (Invalid, Conflict) as error:
        return _commitments_page(numbers=numbers, numbers_problem=error.message), error.status
    flash("The numbers of this month are kept.", "success")
    return redirect(url_for("scorecard.commitments", _anchor="metrics-title"))


def _service() -> ScorecardService:
    return ScorecardService(db(), portal().content, current_user.id, utcnow())


def _progress() -> Progress:
    return ProgressService(db(), portal().content).of(current_user.id)


def _prefixed(prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in request.form.items() if name.startswith(prefix)}


def _index_page(*, levels: Mapping[str, str] | None = None, problem: str = "") -> str:
    card = portal().content.roadmap.scorecard
    if not card.dimensions:
        return render_template("scorecard/index.html", card=card, months=[])
    months = _service().look(_progress()).months
    current = months[-1]
    return render_template(
        "scorecard/index.html",
        card=card,
        months=months,
        current=current,
        chart=views.chart(card, current),
        earlier=[views.chart(card, month, small=True) for month in months[:-1]],
        rows=views.rows(card, months),
        levels=levels if levels is not None else {id_: str(level) for id_, level in current.assessed.items()},
        steps=range(1, LEVELS + 1),
        problem=problem,
    )


def _commitments_page(
    *,
    entry: Mapping[str, str] | None = None,
    entry_problem: str = "",
    numbers: Mapping[str, str] | None = None,
    numbers_problem: str = "",
) -> str:
    content = portal().content
    card = content.roadmap.scorecard
    service = _service()
    look = service.look(_progress())
    weeks, months = look.weeks, look.months
    noted = months[-1].metrics
    return render_template(
        "scorecard/commitments.html",
        card=card,
        weeks=weeks,
        rows=views.commitment_rows(card.commitments, weeks),
        titles={
            id_: each.title
            for each in card.commitments
            for id_ in content.roadmap.ids_of(Kind.COMMITMENT, each.id)
        },
        log=queries.log(db(), current_user.id),
        log_shown=queries.LOG_SHOWN,
        months=months,
        metrics=views.metric_rows(card.metrics, months),
        entry=entry or {"day": service.today.isoformat()},
        entry_problem=entry_problem,
        numbers=numbers if numbers is not None else {id_: str(number) for id_, number in noted.items()},
        numbers_problem=numbers_problem,
        today=service.today,
        days_back=DAYS_BACK,
        note_most=NOTE_MOST,
        link_most=LINK_MOST,
        metric_most=METRIC_MOST,
        host_of=host_of,
    )
