"""Pages on which instructors write questions: list, editor, review, history."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.extensions import after_commit, db, limiter, portal
from portal.features.authoring import listing, queries, views
from portal.features.authoring.blueprint import blueprint, filters_of, own_bank, texts_of_request
from portal.features.authoring.checking import cleaned, digest
from portal.features.authoring.diff import compare, counts
from portal.features.authoring.forms import KIND_WORDS, IdForm, NewForm
from portal.features.authoring.listing import Filters
from portal.features.authoring.publishing import try_to_write_out
from portal.features.authoring.reviewing import COMMENT_MOST, ReviewService, Step, placed
from portal.features.authoring.service import NOTE_MOST, Origin, Stale, Working
from portal.guards import requires
from portal.models import AuthoringState, Role
from question_bank.formats import FORMATS
from question_bank.schema import MAX_FILE_BYTES

PAGE = 50
VARIANTS_AT_FIRST = 3
"""How many variants of a question with parameters are shown when nothing else is asked for."""
DONE = {
    Step.SEND: "The question waits for the review of another instructor.",
    Step.WITHDRAW: "The question is a draft again.",
    Step.RETURN: "The question is back with its author.",
    Step.PUBLISH: "The question is published. Learners meet it from now on.",
    Step.RETIRE: "The question is retired: nobody is asked it any more. Answers that were given stay.",
    Step.BRING_BACK: "The question is published again.",
}


def throttled_by_person() -> str:
    """What checks are counted by: the account."""
    return f"person {current_user.get_id()}"


@blueprint.get("/")
@requires(Role.INSTRUCTOR)
def index() -> str:
    """Every question, filtered by the address."""
    filters = filters_of(request.args)
    content = portal().content
    everything = listing.entries(db(), content, portal().source.base.bank, current_user.id)
    found = [entry for entry in everything if filters.fit(entry, current_user.id)]
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
        formats=[each for each in FORMATS.values() if each.can_export],
    )


@blueprint.post("/write-out")
@requires(Role.INSTRUCTOR)
@limiter.limit("20 per minute")
def write_out() -> Any:
    """Try again to write the files that are due."""
    if _write_out():
        flash("All files are written.", "success")
    else:
        flash("The bank's folder still can't be written. Tell the people who run this portal.", "warning")
    return redirect(url_for("authoring.index"))


@blueprint.route("/new", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("30 per minute", methods=["POST"])
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


@blueprint.get("/questions/<question_id>")
@requires(Role.INSTRUCTOR)
def question(question_id: str) -> Any:
    """One question: its text with comments, what the lint says, how learners see it, and what can be done."""
    return _question_page(_working(question_id))


@blueprint.route("/questions/<question_id>/edit", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute", methods=["POST"])
def edit(question_id: str) -> Any:
    """Change the text of a question."""
    if request.method == "GET":
        return _editor(_working(question_id))
    text = request.form.get("text", "")
    base = request.form.get("base", "")[:64]
    if "look" in request.form:
        return _editor(_working(question_id), text=text, base=base)
    try:
        saved_as = texts_of_request().save(
            current_user.id, question_id, base, text, request.form.get("note", "")
        )
    except Stale as error:
        return _editor(error.newest, text=text, stale=True), error.status
    except Invalid as error:
        return _editor(_working(question_id), text=text, base=base, error=error.message), error.status
    if "send" in request.form:
        return _take(Step.SEND, saved_as, digest(cleaned(text)))
    flash("Saved.", "success")
    return redirect(url_for("authoring.edit", question_id=saved_as))


@blueprint.post("/questions/<question_id>/check")
@requires(Role.INSTRUCTOR)
@limiter.limit("120 per minute", key_func=throttled_by_person)
def check(question_id: str) -> Any:
    """What the lint says to a text, and how learners would see it; nothing is stored."""
    working = _working(question_id)
    return render_template("authoring/_checked.html", **_checked(working, request.form.get("text", "")))


@blueprint.post("/questions/<question_id>/step")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def step(question_id: str) -> Any:
    """Take a step on the way to learners, or back."""
    try:
        wanted = Step(request.form.get("step", ""))
    except ValueError:
        raise Invalid("There is no such step. Reload the page and choose one that it offers.") from None
    return _take(wanted, question_id, request.form.get("base", "")[:64])


@blueprint.post("/questions/<question_id>/comments")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def comment(question_id: str) -> Any:
    """Say something to a line."""
    line = request.form.get("line", 0, type=int)
    text = request.form.get("text", "")
    try:
        _reviews().comment(current_user.id, question_id, request.form.get("base", "")[:64], line, text)
    except Stale as error:
        message = "Somebody changed the question since you opened it, so the line may be another. Your comment is kept below."
        return _question_page(error.newest, line=0, unsaid=text, problem=message), error.status
    except (Invalid, Conflict) as error:
        page = _question_page(_working(question_id), line=line, unsaid=text, problem=error.message)
        return page, error.status
    return redirect(
        url_for("authoring.question", question_id=question_id, _anchor=f"line-{line}" if line else None)
    )


@blueprint.post("/questions/<question_id>/comments/<int:comment_id>")
@requires(Role.INSTRUCTOR)
@limiter.limit("60 per minute")
def resolve(question_id: str, comment_id: int) -> Any:
    """Mark a comment as done, or open it again."""
    found = _reviews().resolve(current_user.id, question_id, comment_id)
    flash("The comment is resolved." if found.resolved_at else "The comment is open again.", "success")
    return redirect(url_for("authoring.question", question_id=question_id, _anchor="source"))


@blueprint.get("/questions/<question_id>/history")
@requires(Role.INSTRUCTOR)
def history(question_id: str) -> str:
    """What was done with a question, and how two of its texts differ."""
    working = _working(question_id)
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


@blueprint.route("/questions/<question_id>/duplicate", methods=["GET", "POST"])
@requires(Role.INSTRUCTOR)
@limiter.limit("30 per minute", methods=["POST"])
def duplicate(question_id: str) -> Any:
    """Begin a question with the text of another."""
    working = _working(question_id)
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


def _take(wanted: Step, question_id: str, base: str) -> Any:
    try:
        _reviews().take(
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
            after_commit(_write_out)
        flash(DONE[wanted], "success")
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
        **_checked(working, shown),
    )


def _checked(working: Working, text: str) -> dict[str, Any]:
    look = views.Look.of(
        request.values.get("seed"), request.values.get("variants"), request.values.get("answered")
    )
    try:
        found = texts_of_request().check(working, cleaned(text))
    except Invalid as error:
        return {"checked": None, "problem": error.message, "previews": [], "look": look}
    if found.question and found.question.parameterised and "variants" not in request.values:
        look = replace(look, count=VARIANTS_AT_FIRST)
    shown = views.previews(found.question, portal().content, look) if found.question else []
    return {
        "checked": found,
        "problem": "",
        "previews": shown,
        "look": look,
        "checked_id": working.question_id,
        "seeds_most": views.SEEDS_MOST,
    }


def _question_page(working: Working, *, line: int | None = None, unsaid: str = "", problem: str = "") -> str:
    row = working.row
    checked = _checked(working, working.text)
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
        may_publish=_reviews().may_publish(working, current_user.id),
        review_required=portal().settings.review_required,
        kind_words=KIND_WORDS,
        titles={module.id: module.title for module in portal().content.roadmap.modules.values()},
        states=AuthoringState,
        **checked,
    )


def _working(question_id: str) -> Working:
    if len(question_id) > 80:
        raise NotFound("There is no such question, neither in the bank nor as a draft.")
    return texts_of_request().working(question_id)


def _reviews() -> ReviewService:
    return ReviewService(db(), texts_of_request(), review_required=portal().settings.review_required)


def _write_out() -> bool:
    return try_to_write_out(portal().database, own_bank())
