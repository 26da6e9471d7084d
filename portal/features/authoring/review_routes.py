"""Pages on which instructors review a question: its text with comments, and the steps on its way to learners."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Forbidden, Invalid
from portal.extensions import after_commit, db, limiter, portal
from portal.features.authoring import queries, views
from portal.features.authoring.blueprint import (
    blueprint,
    checked_in_request,
    reviews_of_request,
    texts_of_request,
    working_of,
    write_out_now,
)
from portal.features.authoring.diff import compare
from portal.features.authoring.forms import KIND_WORDS
from portal.features.authoring.reviewing import COMMENT_MOST, Step
from portal.features.authoring.service import NOTE_MOST
from portal.features.authoring.working import Stale, Working
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.models import AuthoringState, Role, Subject

DONE = {
    Step.SEND: "The question waits for the review of another instructor.",
    Step.WITHDRAW: "The question is a draft again.",
    Step.RETURN: "The question is back with its author.",
    Step.PUBLISH: "The question is published. Learners meet it from now on.",
    Step.RETIRE: "The question is retired: nobody is asked it any more. Answers that were given stay.",
    Step.BRING_BACK: "The question is published again.",
}


@blueprint.get("/questions/<question_id>")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.DRAFTS, Subject.PEOPLE)
def question(question_id: str) -> Any:
    """One question: its text with comments, what the lint says, how learners see it, and what can be done."""
    return _question_page(working_of(question_id))


@blueprint.post("/questions/<question_id>/step")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def step(question_id: str) -> Any:
    """Take a step on the way to learners, or back."""
    try:
        wanted = Step(request.form.get("step", ""))
    except ValueError:
        raise Invalid("There is no such step. Reload the page and choose one that it offers.") from None
    return take(wanted, question_id, request.form.get("base", "")[:64])


@blueprint.post("/questions/<question_id>/comments")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def comment(question_id: str) -> Any:
    """Say something to a line."""
    line = request.form.get("line", 0, type=int)
    text = request.form.get("text", "")
    try:
        reviews_of_request().comment(
            current_user.id, question_id, request.form.get("base", "")[:64], line, text
        )
    except Stale as error:
        message = "Somebody changed the question since you opened it, so the line may be another. Your comment is kept below."
        return _question_page(error.newest, line=0, unsaid=text, problem=message), error.status
    except (Invalid, Conflict) as error:
        page = _question_page(working_of(question_id), line=line, unsaid=text, problem=error.message)
        return page, error.status
    return redirect(
        url_for("authoring.question", question_id=question_id, _anchor=f"line-{line}" if line else None)
    )


@blueprint.post("/questions/<question_id>/comments/<int:comment_id>")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def resolve(question_id: str, comment_id: int) -> Any:
    """Mark a comment as done, or open it again."""
    found = reviews_of_request().resolve(current_user.id, question_id, comment_id)
    flash("The comment is resolved." if found.resolved_at else "The comment is open again.", "success")
    return redirect(url_for("authoring.question", question_id=question_id, _anchor="source"))


def take(wanted: Step, question_id: str, base: str) -> Any:
    """Take a step for the person of this request, and show the question with what came of it."""
    try:
        reviews_of_request().take(
            wanted,
            current_user.id,
            question_id,
            base,
            request.form.get("note", ""),
            although_remarks="although" in request.form,
        )
    except (Conflict, Invalid, Forbidden) as error:
        flash(error.message, "warning")
    else:
        if wanted in (Step.PUBLISH, Step.RETIRE, Step.BRING_BACK):
            after_commit(write_out_now)
        flash(DONE[wanted], "success")
    return redirect(url_for("authoring.question", question_id=question_id))


def _question_page(working: Working, *, line: int | None = None, unsaid: str = "", problem: str = "") -> str:
    row = working.row
    checked = checked_in_request(working, working.text)
    remarks = checked["checked"].remarks if checked["checked"] else ()
    said = queries.comments(db(), row.id) if row else []
    lines, loose = views.source_lines(working.text, working.version, said, remarks)
    live = working.live or working.retired
    live_text = texts_of_request().text_of(live) if live and live.content_hash != working.text_hash else None
    asked_line = request.args.get("line", type=int) if line is None else line
    return render_template(
        "authoring/question.html",
        working=working,
        lines=lines,
        loose=loose,
        open_comments=sum(one.comment.resolved_at is None for one in said),
        asked_line=asked_line,
        unsaid=unsaid,
        comment_problem=problem,
        comment_most=COMMENT_MOST,
        note_most=NOTE_MOST,
        events=queries.events(db(), row.id)[:5] if row else [],
        differences=compare(live_text, working.text) if live_text is not None else [],
        may_publish=reviews_of_request().may_publish(working, current_user.id),
        review_required=portal().settings.review_required,
        kind_words=KIND_WORDS,
        titles={module.id: module.title for module in portal().content.roadmap.modules.values()},
        states=AuthoringState,
        **checked,
    )
