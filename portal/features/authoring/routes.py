"""Pages that lead to questions: the list, and where one begins."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Invalid
from portal.extensions import db, limiter, portal
from portal.features.authoring import listing
from portal.features.authoring.blueprint import (
    blueprint,
    filters_of,
    texts_of_request,
    working_of,
    write_out_now,
)
from portal.features.authoring.forms import KIND_WORDS, IdForm, NewForm
from portal.features.authoring.listing import Filters
from portal.features.authoring.working import Origin
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.models import Role, Subject
from question_bank import formats

PAGE = 50


@blueprint.get("/")
@requires(Role.INSTRUCTOR)
@kept_page(Subject.DRAFTS, Subject.PEOPLE)
def index() -> str:
    """Every question, filtered by the address."""
    filters = filters_of(request.args)
    content = portal().content
    user_id = current_user.id
    everything = listing.entries(db(), content, portal().source.base.bank, user_id)
    found = [entry for entry in everything if filters.fit(entry, user_id)]
    pages = max(1, -(-len(found) // PAGE))
    page = min(pages, max(1, request.args.get("page", 1, type=int)))
    titles = {module.id: module.title for module in content.roadmap.modules.values()}
    kinds, modules = listing.choices(everything, titles)
    return render_template(
        "authoring/index.html",
        entries=found[(page - 1) * PAGE : page * PAGE],
        found=len(found),
        total=len(everything),
        waiting=sum(entry.for_me for entry in everything),
        due=[entry for entry in everything if entry.due],
        filters=filters,
        narrowed=filters != Filters(),
        kinds=kinds,
        kind_words=KIND_WORDS,
        modules=modules,
        titles=titles,
        origins=list(Origin),
        page=page,
        pages=pages,
        formats=[each for each in formats.FORMATS.values() if each.can_export],
    )


@blueprint.post("/write-out")
@requires(Role.INSTRUCTOR)
@limiter.limit("20 per minute")
def write_out() -> Any:
    """Try again to write the files that are due."""
    if write_out_now():
        flash("All files are written.", "success")
    else:
        flash("The bank's folder still can't be written. Tell the people who run this portal.", "warning")
    return redirect(url_for("authoring.index"))


@blueprint.route("/new", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("30 per minute", methods=["POST"])
@kept_page(Subject.DRAFTS)
def new() -> Any:
    """Begin a question."""
    content = portal().content
    form = NewForm(kind=request.args.get("kind"), topic=request.args.get("topic")).offer(content)
    if form.validate_on_submit():
        try:
            made = texts_of_request().create(
                current_user.id,
                form.kind.data,
                form.question_id.data or "",
                form.module_of(content),
                form.topic.data,
            )
        except (Conflict, Invalid) as error:
            form.question_id.errors = [error.message]
        else:
            return redirect(url_for("authoring.edit", question_id=made.question_id))
    return render_template("authoring/new.html", form=form), (422 if request.method == "POST" else 200)


@blueprint.route("/questions/<question_id>/duplicate", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("30 per minute", methods=["POST"])
@kept_page(Subject.DRAFTS, Subject.PEOPLE)
def duplicate(question_id: str) -> Any:
    """Begin a question with the text of another."""
    working = working_of(question_id)
    form = IdForm(question_id=f"{question_id}-2"[:80])
    if form.validate_on_submit():
        try:
            made = texts_of_request().duplicate(current_user.id, question_id, form.question_id.data or "")
        except (Conflict, Invalid) as error:
            form.question_id.errors = [error.message]
        else:
            return redirect(url_for("authoring.edit", question_id=made.question_id))
    status = 422 if request.method == "POST" else 200
    return render_template("authoring/duplicate.html", form=form, working=working), status
