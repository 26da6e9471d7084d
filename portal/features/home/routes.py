"""The first page and the health check."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import text

from portal import markdown
from portal.content import Content
from portal.days import begin_of
from portal.extensions import db, limiter, portal
from portal.features.home import queries, views
from portal.features.home.steps import Facts, next_step
from portal.features.plan import PlanService, item_link, verdict
from portal.features.roadmap import Mark, MarkService, Progress, TopicState
from portal.guards import public
from portal.kept_pages import kept_page
from roadmap import Lesson, Module

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
@kept_page()
def index() -> str:
    """Signed out: what this is. Signed in: where to go on."""
    content = portal().content
    if not current_user.is_authenticated:
        return render_template(
            "home.html",
            signed_in=False,
            tracks=list(content.roadmap.tracks.values()),
            labs=list(content.labs.labs.values()),
            question_count=len(content.bank.questions),
            lesson_count=len(content.roadmap.lessons),
            topic_count=len(content.roadmap.topics),
            allow_sign_up=portal().settings.allow_sign_up,
        )
    return render_template("home.html", signed_in=True, **_learner(content, current_user.id))


@blueprint.get("/healthz")
@public
@limiter.exempt
def healthz() -> dict[str, str]:
    """Whether this process serves and reaches its database."""
    db().execute(text("SELECT 1"))
    return {"status": "ok"}


def _learner(content: Content, user_id: int) -> dict[str, Any]:
    """Everything that a learner's first page shows."""
    plans = PlanService(db(), content, user_id)
    found = plans.progress.evidence(user_id)
    today = plans.today
    reckoner = plans.reckoner(found, today)
    outlook, shown = plans.outlook(reckoner), reckoner.now
    progress = shown.progress
    sessions = [
        {"session": session, "lab": lab}
        for session in queries.open_sessions(db(), user_id)
        if (lab := content.lab(session.lab_id)) is not None
    ]
    submissions = [
        {"submission": submission, "lab": lab}
        for submission in queries.recent_submissions(db(), user_id)
        if (lab := content.lab(submission.lab_id)) is not None
    ]
    waiting = queries.waiting(db(), user_id)
    latest = MarkService(db(), content.roadmap, user_id).latest()
    since = begin_of(found.zone, views.strip_begins(today))
    days = views.strip(queries.moments(db(), user_id, since), today, found.zone)
    track = views.chosen_track(content, progress, outlook)
    week = outlook.this_week if outlook is not None else ()
    begun = outlook is not None and outlook.plan.starts_on <= today
    facts = Facts(
        due=waiting.due,
        has_plan=outlook is not None,
        in_week=next((item for item in week if not item.done), None) if begun else None,
        ahead=outlook.next_item if outlook is not None else None,
        track=track.title if track is not None else "",
        on_track=views.next_on(content, progress, track, shown.labs),
    )
    return {
        "is_first_visit": outlook is None
        and not (found.lessons or sessions or submissions or latest or any(day.active for day in days))
        and found.is_empty,
        "step": next_step(facts),
        "due": waiting.due,
        "practice": waiting if waiting.session is not None else None,
        "latest": _latest(content, latest, progress),
        "sessions": sessions,
        "outlook": outlook,
        "verdict": verdict(outlook) if outlook is not None else "",
        "week": week,
        "item_link": item_link,
        "days": days,
        "counts": {state: sum(t.state == state for t in progress.topics.values()) for state in TopicState},
        "tracks": [
            {
                "track": one,
                "progress": progress.of_modules(content.roadmap.modules[name] for name in one.modules),
            }
            for one in content.roadmap.tracks.values()
        ],
        "submissions": submissions,
        "quizzes": [
            {"attempt": attempt, "module": module}
            for attempt in queries.recent_quizzes(db(), user_id)
            if (module := content.roadmap.current(Module, attempt.module_id)) is not None
        ],
    }


def _latest(content: Content, latest: tuple[Lesson, Mark] | None, progress: Progress) -> dict[str, Any] | None:
    """The lesson that was open last, with its section, unless it was read to the end."""
    if latest is None or latest[0].id in progress.lessons_read:
        return None
    lesson, mark = latest
    headings = markdown.render(lesson.body).headings
    section = next((one for one in headings if one.id == mark.heading), None)
    return {"lesson": lesson, "percent": mark.percent, "section": section}
