"""The first page and the health check."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import text

from portal.extensions import db, limiter, portal
from portal.features.home import queries
from portal.features.roadmap import Progress, ProgressService, TopicState
from portal.guards import public
from roadmap import Kind, Lesson, Module

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
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
    progress = ProgressService(db(), content).of(current_user.id)
    next_module, next_lesson = _next_step(progress)
    return render_template(
        "home.html",
        signed_in=True,
        tracks=[
            {
                "track": track,
                "progress": progress.of_topics(
                    topic.id
                    for module_id in track.modules
                    for topic in content.roadmap.modules[module_id].topics
                ),
            }
            for track in content.roadmap.tracks.values()
        ],
        counts={state: sum(t.state == state for t in progress.topics.values()) for state in TopicState},
        due=queries.due_count(db(), current_user.id),
        next_module=next_module,
        next_lesson=next_lesson,
        sessions=[
            {"session": session, "lab": lab}
            for session in queries.open_sessions(db(), current_user.id)
            if (lab := content.lab(session.lab_id)) is not None
        ],
        submissions=[
            {"submission": submission, "lab": lab}
            for submission in queries.recent_submissions(db(), current_user.id)
            if (lab := content.lab(submission.lab_id)) is not None
        ],
        quizzes=[
            {"attempt": attempt, "module": module}
            for attempt in queries.recent_quizzes(db(), current_user.id)
            if (
                module := content.roadmap.modules.get(
                    content.roadmap.current_id(Kind.MODULE, attempt.module_id) or ""
                )
            )
            is not None
        ],
    )


@blueprint.get("/healthz")
@public
@limiter.exempt
def healthz() -> dict[str, str]:
    """Whether this process serves and reaches its database."""
    db().execute(text("SELECT 1"))
    return {"status": "ok"}


def _next_step(progress: Progress) -> tuple[Module | None, Lesson | None]:
    """The first module that is not done, and the first lesson in it that was not read."""
    catalogue = portal().content.roadmap
    for track in catalogue.tracks.values():
        for module_id in track.modules:
            module = catalogue.modules[module_id]
            if progress.of_module(module).percent < 100:
                unread = next((i for i in module.lessons if i not in progress.lessons_read), None)
                return module, catalogue.lessons[unread] if unread else None
    return None, None
