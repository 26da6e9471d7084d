"""Pages on which instructors write: the editor, what it shows beside the text, and what was written before."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Invalid
from portal.extensions import db, limiter
from portal.features.authoring import queries
from portal.features.authoring.blueprint import blueprint, checked_in_request, texts_of_request, working_of
from portal.features.authoring.checking import cleaned, digest
from portal.features.authoring.diff import compare, counts
from portal.features.authoring.review_routes import take
from portal.features.authoring.reviewing import Step, placed
from portal.features.authoring.service import NOTE_MOST
from portal.features.authoring.working import Stale, Working
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.models import Role, Subject
from question_bank.schema import MAX_FILE_BYTES


def throttled_by_person() -> str:
    """What checks are counted by: the account."""
    return f"person {current_user.get_id()}"


@blueprint.route("/questions/<question_id>/edit", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute", methods=["POST"])
@kept_page(Subject.DRAFTS, Subject.PEOPLE)
def edit(question_id: str) -> Any:
    """Change the text of a question."""
    if request.method == "GET":
        return _editor(working_of(question_id))
    text = request.form.get("text", "")
    base = request.form.get("base", "")[:64]
    if "look" in request.form:
        return _editor(working_of(question_id), text=text, base=base)
    try:
        saved_as = texts_of_request().save(
            current_user.id, question_id, base, text, request.form.get("note", "")
        )
    except Stale as error:
        return _editor(error.newest, text=text, stale=True), error.status
    except Invalid as error:
        return _editor(working_of(question_id), text=text, base=base, error=error.message), error.status
    if "send" in request.form:
        return take(Step.SEND, saved_as, digest(cleaned(text)))
    flash("Saved.", "success")
    return redirect(url_for("authoring.edit", question_id=saved_as))


@blueprint.post("/questions/<question_id>/check")
@requires(Role.INSTRUCTOR)
@limiter.limit("120 per minute", key_func=throttled_by_person)
def check(question_id: str) -> Any:
    """What the lint says to a text, and how learners would see it; nothing is stored."""
    working = working_of(question_id)
    return render_template(
        "authoring/_checked.html", **checked_in_request(working, request.form.get("text", ""))
    )


@blueprint.get("/questions/<question_id>/history")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.DRAFTS, Subject.PEOPLE)
def history(question_id: str) -> str:
    """What was done with a question, and how two of its texts differ."""
    working = working_of(question_id)
    row = working.row
    newest = working.version
    after = min(newest, max(1, request.args.get("to", newest, type=int)))
    before = min(newest, max(1, request.args.get("from", max(1, after - 1), type=int)))
    old = queries.revision(db(), row.id, before) if row else None
    latest = queries.revision(db(), row.id, after) if row else None
    lines = compare(old.text, latest.text) if old and latest else []
    return render_template(
        "authoring/history.html",
        working=working,
        events=queries.events(db(), row.id) if row else [],
        before=before,
        after=after,
        lines=lines,
        counts=counts(lines),
        live_version=row.live_version if row else None,
        events_most=queries.EVENTS_MOST,
    )


@blueprint.post("/questions/<question_id>/restore")
@requires(Role.INSTRUCTOR)
@limiter.limit("30 per minute")
def restore(question_id: str) -> Any:
    """Take up an earlier text again, as a draft."""
    number = request.form.get("version", 0, type=int)
    try:
        saved_as = texts_of_request().restore(
            current_user.id, question_id, request.form.get("base", "")[:64], number
        )
    except Stale as error:
        flash(error.message, "warning")
        return redirect(url_for("authoring.history", question_id=question_id))
    flash(f"The draft has the text of version {number} again.", "success")
    return redirect(url_for("authoring.question", question_id=saved_as))


@blueprint.post("/questions/<question_id>/discard")
@requires(Role.INSTRUCTOR)
@limiter.limit("30 per minute")
def discard(question_id: str) -> Any:
    """Give up a draft."""
    try:
        gone = texts_of_request().discard(current_user.id, question_id, request.form.get("base", "")[:64])
    except Conflict as error:
        flash(error.message, "warning")
        return redirect(url_for("authoring.question", question_id=question_id))
    flash("The draft is discarded.", "success")
    if gone:
        return redirect(url_for("authoring.index"))
    return redirect(url_for("authoring.question", question_id=question_id))


def _editor(
    working: Working, *, text: str | None = None, base: str = "", stale: bool = False, error: str = ""
) -> str:
    """The editor; `base` is the digest of the text that the given one was made from, when not the newest."""
    shown = working.text if text is None else text.replace("\r\n", "\n")
    lines = working.text.splitlines()
    said = queries.comments(db(), working.row.id) if working.row else []
    return render_template(
        "authoring/edit.html",
        working=working,
        text=shown,
        base=base or working.text_hash,
        comments=[
            (placed(one.comment, working.version, lines), one)
            for one in said
            if one.comment.resolved_at is None
        ],
        stale=stale,
        error=error,
        differences=compare(working.text, shown) if stale else [],
        note_most=NOTE_MOST,
        text_most=MAX_FILE_BYTES,
        **checked_in_request(working, shown),
    )
