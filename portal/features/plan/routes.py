"""Pages of plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms.fields.choices import SelectChoice

from portal.errors import Invalid, NotFound
from portal.extensions import db, limiter, portal
from portal.features.plan import queries, views
from portal.features.plan.calendar import calendar_file
from portal.features.plan.contents import ordered
from portal.features.plan.forms import PlanForm, ReadyForm
from portal.features.plan.outlook import Outlook
from portal.features.plan.service import PlanService, Wishes, token_hash, wishes_of
from portal.guards import public
from portal.kept_pages import kept_page
from portal.models import utcnow
from roadmap import Kind, Plan

blueprint = Blueprint("plan", __name__, url_prefix="/plan")
TOKEN_MAX = 64


def service() -> PlanService:
    """Plans of the person who asks."""
    return PlanService(db(), portal().content, current_user.id)


@blueprint.get("/")
@kept_page()
def index() -> str:
    """The plan as it stands today, or how to come by one."""
    return _index()


@blueprint.route("/new", methods=["GET", "POST"])
@limiter.limit("60 per minute")
@kept_page()
def new() -> ResponseReturnValue:
    """A plan by hours: the form, filled with what the current plan says."""
    catalogue = portal().content.roadmap
    stored = queries.current(db(), current_user.id)
    asked = catalogue.current_id(Kind.TRACK, request.args.get("track", "")[:80])
    chosen = asked or (stored.plan.track_id if stored else "") or next(iter(catalogue.tracks), "")
    form = PlanForm(data=_defaults(chosen, stored))
    form.track.choices = [SelectChoice(track.id, track.title) for track in catalogue.tracks.values()]
    if form.validate_on_submit():
        track = catalogue.tracks[form.track.data]
        wishes = Wishes(
            track,
            form.hours.data or 0,
            form.starts_on.data or service().today,
            form.target_on.data,
            tuple(form.days_off.data or ()),
            form.weeks_off(),
            form.begins_at.data,
            tuple(name for name in form.left_out.data or () if name in track.modules),
        )
        try:
            service().make(wishes)
        except Invalid as error:
            form.form_errors.append(error.message)
        else:
            flash("Your plan is made. It is laid out anew from what is left each time you look.", "success")
            return redirect(url_for("plan.index"))
    shown = catalogue.tracks.get(form.track.data or chosen)
    page = render_template(
        "plan/new.html",
        form=form,
        has_plan=stored is not None,
        track=shown,
        modules=ordered(shown, catalogue) if shown else [],
        tracks=list(catalogue.tracks.values()),
        plans=list(catalogue.plans.values()),
    )
    return page, (422 if form.is_submitted() else 200)


@blueprint.route("/ready/<plan_id>", methods=["GET", "POST"])
@limiter.limit("60 per minute")
@kept_page()
def ready(plan_id: str) -> ResponseReturnValue:
    """A ready-made plan: what it holds, and the form to take it."""
    catalogue = portal().content.roadmap
    found = catalogue.current(Plan, plan_id)
    if found is None:
        raise NotFound("There is no such plan. The page of your plan lists all there are.")
    form = ReadyForm(data={"starts_on": service().today, "days_off": []})
    if form.validate_on_submit():
        wishes = Wishes(
            catalogue.tracks[found.track],
            found.hours_per_week,
            form.starts_on.data or service().today,
            days_off=tuple(form.days_off.data or ()),
            holidays=form.weeks_off(),
            begins_at=form.begins_at.data,
            ready=found,
        )
        try:
            service().make(wishes)
        except Invalid as error:
            form.form_errors.append(error.message)
        else:
            flash(f"The plan “{found.title}” is yours.", "success")
            return redirect(url_for("plan.index"))
    page = render_template(
        "plan/ready.html",
        form=form,
        plan=found,
        track=catalogue.tracks[found.track],
        parts=views.ready_parts(portal().content, found),
        has_plan=queries.current(db(), current_user.id) is not None,
    )
    return page, (422 if form.is_submitted() else 200)


@blueprint.post("/change")
@limiter.limit("60 per minute")
def change() -> ResponseReturnValue:
    """Take one of the offers: other hours, a later end, or fewer modules. It makes a new plan from today on."""
    plans = service()
    outlook = plans.outlook()
    if outlook is None or outlook.ready is not None:
        raise NotFound("There is no plan by hours to change. Make one first.")
    wishes = wishes_of(outlook)
    if hours := request.form.get("hours", type=int):
        wishes = replace(wishes, hours=hours)
    if target := request.form.get("target_on", ""):
        wishes = replace(wishes, target_on=_day(target))
    if out := request.form.getlist("left_out")[:100]:
        wishes = replace(wishes, left_out=tuple(dict.fromkeys((*wishes.left_out, *out))))
    try:
        plans.make(wishes)
    except Invalid as error:
        flash(error.message, "warning")
        return redirect(url_for("plan.index"))
    flash("Your plan is changed from today on. The one before it is in the history.", "success")
    return redirect(url_for("plan.index"))


@blueprint.post("/end")
@limiter.limit("60 per minute")
def end() -> ResponseReturnValue:
    """End the plan. What was done stays done."""
    service().end()
    flash("The plan is ended and in the history. What you have done counts as before.", "success")
    return redirect(url_for("plan.index"))


@blueprint.post("/aims/<aim_id>")
@limiter.limit("120 per minute")
def tick(aim_id: str) -> ResponseReturnValue:
    """Tick an aim off by hand, or take that back."""
    service().tick(aim_id, done=request.form.get("done") == "yes")
    return redirect(url_for("plan.index", _anchor=f"aim-{aim_id}"))


@blueprint.get("/calendar.ics")
@limiter.limit("60 per minute")
def download() -> Response:
    """The plan as a calendar file."""
    return _calendar(service().outlook(), current_user.id, download=True)


@blueprint.post("/calendar/address")
@limiter.limit("20 per hour")
def address() -> ResponseReturnValue:
    """Make a private address, or a new one; it is shown this once."""
    token = service().new_address()
    db().flush()
    return _index(token=token)


@blueprint.post("/calendar/revoke")
@limiter.limit("60 per hour")
def revoke() -> ResponseReturnValue:
    """Take the private address away."""
    service().revoke_address()
    flash("The calendar address no longer works.", "success")
    return redirect(url_for("plan.index", _anchor="calendar"))


@blueprint.get("/calendar/<token>.ics")
@public
@limiter.limit("120 per hour")
def feed(token: str) -> Response:
    """The calendar for whoever knows the secret address."""
    owner = queries.owner_of_feed(db(), token_hash(token)) if len(token) <= TOKEN_MAX else None
    if owner is None:
        raise NotFound(
            "No calendar is at this address: it may have been renewed or taken away. The plan page has the new one."
        )
    return _calendar(PlanService(db(), portal().content, owner.id).outlook(), owner.id)


def _index(token: str | None = None) -> str:
    plans, content = service(), portal().content
    stored = queries.current(db(), current_user.id)
    outlook = plans.reckoner().of(stored) if stored is not None else None
    return render_template(
        "plan/index.html",
        outlook=outlook,
        lost=stored is not None and outlook is None,
        view=views.page(content, outlook) if outlook is not None else None,
        tracks=list(content.roadmap.tracks.values()),
        plans=list(content.roadmap.plans.values()),
        history=views.history(content, plans.history()),
        feed=queries.feed(db(), current_user.id),
        address=portal().settings.portal_origin_effective + url_for("plan.feed", token=token)
        if token
        else None,
        item_link=views.item_link,
    )


def _calendar(outlook: Outlook | None, owner: int, *, download: bool = False) -> Response:
    body = calendar_file(outlook, owner=owner, origin=portal().settings.portal_origin_effective, now=utcnow())
    response = Response(body, mimetype="text/calendar")
    response.headers["Cache-Control"] = "private, no-store" if download else "private, max-age=3600"
    kind = "attachment" if download else "inline"
    response.headers["Content-Disposition"] = f'{kind}; filename="study-plan.ics"'
    return response


def _defaults(track: str, stored: queries.Stored | None) -> dict[str, Any]:
    today = service().today
    if stored is None or stored.plan.ready_id:
        return {"track": track, "starts_on": today, "days_off": [], "left_out": []}
    plan = stored.plan
    return {
        "track": track,
        "hours": plan.hours_per_week,
        "starts_on": max(today, plan.starts_on),
        "target_on": plan.target_on if plan.target_on and plan.target_on > today else None,
        "days_off": plan.days_off,
        "holidays": ", ".join(day for day in plan.holidays if day >= today.isoformat()),
        "begins_at": views.clock(plan.begins_at),
        "left_out": plan.left_out if track == plan.track_id else [],
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Invalid("That is no day. Choose one of the offers on the page of your plan.") from None
