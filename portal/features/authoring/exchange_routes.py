"""Pages on which questions come from other systems, and go to them."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Invalid
from portal.extensions import db, limiter, portal
from portal.features.authoring import listing
from portal.features.authoring.blueprint import blueprint, filters_of, texts_of_request
from portal.features.authoring.exporting import export
from portal.features.authoring.forms import KIND_WORDS, ImportForm
from portal.features.authoring.importing import Found, ImportService
from portal.features.practice.views import plain
from portal.guards import requires, takes_files
from portal.kept_pages import kept_page
from portal.models import Role, Subject
from question_bank import formats

MARK = re.compile(r"[0-9]{1,10}-[0-9]{1,10}")
"""What a page calls a file that it waits for."""


@blueprint.route("/import", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@takes_files
@limiter.limit("20 per minute", methods=["POST"])
@kept_page(Subject.DRAFTS)
def import_file() -> Any:
    """Upload a file; what it holds is shown before anything is taken in."""
    content = portal().content
    form = ImportForm().offer(content)
    if form.validate_on_submit():
        try:
            made = ImportService(db(), texts_of_request()).upload(
                current_user.id,
                form.file.data.read(),
                form.file.data.filename or "",
                form.format.data,
                form.module_of(content),
                form.topic.data,
            )
        except Invalid as error:
            form.file.errors = [error.message]
        else:
            return redirect(url_for("authoring.decide", import_id=made.id))
    most = portal().settings.import_mb
    page = render_template("authoring/import.html", form=form, most_mb=most)
    return page, (422 if request.method == "POST" else 200)


@blueprint.route("/import/<int:import_id>", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("20 per minute", methods=["POST"])
@kept_page(Subject.DRAFTS)
def decide(import_id: int) -> Any:
    """Choose what to take in of a file."""
    service = ImportService(db(), texts_of_request())
    row = service.find(current_user.id, import_id)
    problem = ""
    if request.method == "POST":
        try:
            taken, left = service.take_in(current_user.id, import_id, set(request.form.getlist("take")))
        except Invalid as error:
            problem = error.message
        else:
            count = f"{len(taken)} {'question is' if len(taken) == 1 else 'questions are'}"
            flash(f"{count} taken in as drafts. Send each for review when it is ready.", "success")
            if left:
                flash(f"Not taken in, for the id was taken meanwhile: {', '.join(left[:20])}.", "warning")
            return redirect(url_for("authoring.index", show="mine"))
    found = Found.of(row.found)
    bank = portal().content.bank
    page = render_template(
        "authoring/decide.html",
        row=row,
        found=found,
        title=formats.FORMATS[row.format].title if row.format in formats.FORMATS else row.format,
        others={item.like: bank.find(item.like) for item in found.items if item.like},
        problem=problem,
        kind_words=KIND_WORDS,
        plain=plain,
    )
    return page, (422 if problem else 200)


@blueprint.post("/export")
@requires(Role.INSTRUCTOR)
@limiter.limit("20 per minute")
def export_file() -> Any:
    """The chosen questions as a file; before that, what the format can't carry of them."""
    ids = request.form.getlist("question")
    if request.form.get("which") == "all":
        filters = filters_of(request.form)
        everything = listing.entries(db(), portal().content, portal().source.base.bank, current_user.id)
        ids = [entry.question_id for entry in everything if filters.fit(entry, current_user.id)]
    try:
        result = export(texts_of_request(), [name[:80] for name in ids], request.form.get("format", ""))
    except Invalid as error:
        flash(error.message, "warning")
        return redirect(url_for("authoring.index", **filters_of(request.form).given))
    if not result.complete and "anyway" not in request.form:
        return render_template("authoring/export.html", result=result, ids=ids)
    answer = Response(result.made.data, mimetype=result.format.media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{result.file_name}"'
    answer.headers["Cache-Control"] = "no-store"
    if (mark := request.form.get("mark", "")) and MARK.fullmatch(mark):
        # For the page's script, which waits for it: the page itself doesn't change when a file comes.
        answer.set_cookie("pg-file", mark, max_age=60, path=url_for("authoring.index"), samesite="Strict")
    return answer
