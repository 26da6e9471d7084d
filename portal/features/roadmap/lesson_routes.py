"""Pages of lessons: reading, the reading position, notes, and the preview for authors."""

from __future__ import annotations

from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal import markdown
from portal.errors import Invalid
from portal.extensions import db, limiter, portal
from portal.features.roadmap.blueprint import blueprint, find, progress_service, track_of
from portal.features.roadmap.marks import NOTE_MAX, MarkService
from portal.features.search import linked
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.models import Role
from question_bank import Question
from roadmap import Kind, Lesson, preview
from roadmap.preview import MAX_TEXT


@blueprint.get("/lessons/<lesson_id>")
@kept_page()
def lesson(lesson_id: str) -> str:
    """One lesson."""
    return _page(find(Lesson, lesson_id))


@blueprint.post("/lessons/<lesson_id>/read")
def mark_read(lesson_id: str) -> Any:
    """Record that the lesson was read."""
    found = find(Lesson, lesson_id)
    progress_service().mark_read(current_user.id, found)
    flash("Marked as read. A quiz or a lab will show how much of it stayed.", "success")
    return redirect(url_for("roadmap.lesson", lesson_id=found.id))


@blueprint.post("/lessons/<lesson_id>/position")
@limiter.limit("120 per minute")
def position(lesson_id: str) -> ResponseReturnValue:
    """Remember how far the learner read; the page says so while it is read and when it is left."""
    found = find(Lesson, lesson_id)
    _marks().remember(found, request.form.get("heading", ""), request.form.get("percent", 0, type=int))
    return "", 204


@blueprint.post("/lessons/<lesson_id>/note")
@limiter.limit("60 per minute")
def note(lesson_id: str) -> ResponseReturnValue:
    """Store the learner's private note."""
    found = find(Lesson, lesson_id)
    text = request.form.get("text", "")
    try:
        _marks().write_note(found, text)
    except Invalid as error:
        return _page(found, note=text, error=error.message), 422
    flash("Your note is saved. Only you see it." if text.strip() else "Your note is gone.", "success")
    return redirect(url_for("roadmap.lesson", lesson_id=found.id, _anchor="note"))


@blueprint.route("/roadmap/preview", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
@kept_page()
def preview_lesson() -> ResponseReturnValue:
    """A lesson's file as learners would see it, and all that is wrong with it. Nothing is stored."""
    text = request.form.get("text", "")
    shown, error = None, None
    if request.method == "POST":
        try:
            shown = preview(text, portal().content.roadmap)
        except ValueError as problem:
            error = str(problem)
    rendered = markdown.render(shown.body) if shown is not None else None
    g.allow_inline_styles = rendered is not None and 'class="mermaid"' in rendered.html
    page = render_template(
        "roadmap/preview.html",
        text=text,
        shown=shown,
        error=error,
        lesson_html=rendered.html if rendered is not None else "",
        longest=MAX_TEXT,
    )
    return page, (422 if error else 200)


def _page(found: Lesson, *, note: str | None = None, error: str | None = None) -> str:
    content = portal().content
    rendered = markdown.render(found.body)
    g.allow_inline_styles = 'class="mermaid"' in rendered.html
    home = next((m for m in content.roadmap.modules.values() if found.id in m.lessons), None)
    around = list(home.lessons) if home else [found.id]
    place = around.index(found.id)
    service = progress_service()
    evidence = service.evidence(current_user.id)
    progress = service.bought_by(evidence)
    read_at = evidence.read_at(content.roadmap.ids_of(Kind.LESSON, found.id))
    mark = _marks().of(found)
    toc = [{"id": h.id, "title": h.title, "level": h.level} for h in rendered.headings]
    return render_template(
        "roadmap/lesson.html",
        lesson=found,
        lesson_html=linked(rendered.html, content.roadmap.terms, url_for("search.glossary"), but=found.id),
        toc=toc,
        has_diagrams=g.allow_inline_styles,
        read_at=read_at,
        resume=None if read_at else next((entry for entry in toc if entry["id"] == mark.heading), None),
        note=mark.note if note is None else note,
        note_max=NOTE_MAX,
        note_error=error,
        module=home,
        track=track_of(home.id) if home else None,
        previous=content.roadmap.lessons[around[place - 1]] if place else None,
        next=content.roadmap.lessons[around[place + 1]] if place + 1 < len(around) else None,
        topics=[
            {"topic": content.roadmap.topics[topic_id], "progress": progress.topics[topic_id]}
            for topic_id in found.topics
        ],
        labs=[lab for lab in (content.lab(lab_id) for lab_id in found.labs) if lab is not None],
        quick=_quick(found),
    )


def _quick(found: Lesson) -> list[Question]:
    """The questions at the lesson's end that can be asked."""
    questions = (portal().content.bank.find(question_id) for question_id in found.quick)
    return [question for question in questions if question is not None]


def _marks() -> MarkService:
    return MarkService(db(), portal().content.roadmap, current_user.id)
