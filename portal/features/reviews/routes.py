"""Pages of practice."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from markupsafe import Markup

from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound, Unavailable
from portal.extensions import db, limiter, portal
from portal.features import practice
from portal.features.reviews import program_routes, queries, views
from portal.features.reviews.choosing import current_cards
from portal.features.reviews.finding import own_answer, own_session, practice_service
from portal.features.reviews.forms import SettingsForm
from portal.features.reviews.keeping import NOTE_MAX, REASONS, REPORT_MAX, KeepingService
from portal.features.reviews.service import Wishes, source_of
from portal.kept_pages import kept_page
from portal.models import CodeRun, PracticeAnswer, PracticeSession, utcnow, zone_for
from question_bank import Answer, AnswerRefused, Question

blueprint = Blueprint("reviews", __name__, url_prefix="/practice")
blueprint.post("/sessions/<int:session_id>/<int:position>/try", endpoint="attempt")(program_routes.attempt)
blueprint.get("/sessions/<int:session_id>/<int:position>/program", endpoint="program")(program_routes.program)


def throttled_by_person() -> str:
    """What reports are counted by: the account, wherever it is used from."""
    return f"person {current_user.get_id()}"


@blueprint.get("/")
@kept_page()
def index() -> str:
    """What is due, the forecast, and what else can be practised."""
    content, now = portal().content, utcnow()
    service = practice_service()
    chooser = service.chooser(current_user.id)
    lines = queries.recent(db(), current_user.id)
    dues = chooser.dues()
    return render_template(
        "reviews/index.html",
        due=len(chooser.due()),
        met=len(dues),
        next_due=min((due for due in dues if due > now), default=None),
        forecast=views.forecast(dues, now, zone_for(db(), current_user.id)),
        wishes=service.wishes(current_user.id),
        bookmarks=sum(note.bookmarked for note in queries.notes(db(), current_user.id)),
        sessions=[{"line": line, "title": views.title_of(content, line)} for line in lines],
        options=content.derived(_options),
        weak=views.weak(content, chooser),
    )


@blueprint.post("/start")
@limiter.limit("30 per minute")
def start() -> Any:
    """Draw a session. The form names the source, and for a topic, module or track its id."""
    source = source_of(request.form.get("source", ""))
    source_id = request.form.get("id", "")[:80]
    try:
        session = practice_service().start(current_user.id, source, source_id)
    except Invalid as error:
        flash(error.message, "info")
        return redirect(url_for("reviews.index"))
    return redirect(url_for("reviews.session", session_id=session.id))


@blueprint.get("/sessions/<int:session_id>")
def session(session_id: int) -> Any:
    """Lead on to the first question that waits, else to the result."""
    found = own_session(session_id)
    waiting = views.waiting(found, portal().content.bank)
    if found.finished_at is not None or waiting is None:
        return redirect(url_for("reviews.result", session_id=found.id))
    return redirect(url_for("reviews.question", session_id=found.id, position=waiting.position))


@blueprint.get("/sessions/<int:session_id>/<int:position>")
@kept_page()
def question(session_id: int, position: int) -> Any:
    """One question; once answered, what there is to say."""
    found = own_session(session_id)
    answer, asked = own_answer(found, position)
    service = practice_service()
    run = service.settle(found, answer, asked)
    if answer.fraction is None:
        if found.finished_at is not None and answer.given_at is None:
            return redirect(url_for("reviews.result", session_id=found.id))
        service.show(answer)
        program_routes.tell_worker(asked, answer)
    return _page(found, answer, asked, run=run)


@blueprint.post("/sessions/<int:session_id>/<int:position>")
@limiter.limit("60 per minute")
def answer(session_id: int, position: int) -> Any:
    """Take an answer, and say at once what it earned."""
    found = own_session(session_id)
    stored, asked = own_answer(found, position)
    here = url_for("reviews.question", session_id=found.id, position=position)
    if stored.given_at is not None or found.finished_at is not None:
        return redirect(here)
    given = practice.read_answer(asked, request.form.to_dict(flat=False))
    try:
        practice_service().answer(found, stored, asked, given, passed="pass" in request.form)
    except AnswerRefused as error:
        return _page(found, stored, asked, given=given, error=error.learner), 422
    except Invalid as error:
        return _page(found, stored, asked, given=given, error=error.message), 422
    except (Conflict, Unavailable) as error:
        if asked.kind not in practice.RUN_BY_WORKER:
            raise
        return _page(found, stored, asked, given=given, error=error.message), error.status
    return redirect(here)


@blueprint.post("/sessions/<int:session_id>/<int:position>/mark")
@limiter.limit("60 per minute")
def mark(session_id: int, position: int) -> Any:
    """Take the marks that a learner gives their own open answer."""
    found = own_session(session_id)
    stored, asked = own_answer(found, position)
    try:
        practice_service().mark(found, stored, asked, request.form.getlist("met")[:50])
    except (AnswerRefused, Conflict) as error:
        flash(str(error), "warning")
    return redirect(url_for("reviews.question", session_id=found.id, position=position))


@blueprint.post("/sessions/<int:session_id>/end")
def end(session_id: int) -> Any:
    """End a session before its last question."""
    practice_service().end(own_session(session_id))
    return redirect(url_for("reviews.result", session_id=session_id))


@blueprint.get("/sessions/<int:session_id>/result")
@kept_page()
def result(session_id: int) -> Any:
    """How the session went, and when each question is asked again."""
    found = own_session(session_id)
    practice_service().settle_all(found)
    if found.finished_at is None:
        return redirect(url_for("reviews.session", session_id=found.id))
    content, now, zone = portal().content, utcnow(), zone_for(db(), current_user.id)
    shown = [
        (one, asked)
        for one in found.answers
        if one.fraction is not None and (asked := content.bank.find(one.question_id)) is not None
    ]
    names = {name for _one, asked in shown for name in (asked.id, *asked.replaces)}
    cards = current_cards(content, queries.cards_of(db(), current_user.id, tuple(sorted(names))))
    lines = [
        {
            "answer": one,
            "question": asked,
            "topic": content.roadmap.topics.get(asked.topics[0]),
            "again": views.until(cards[asked.id].due, now, zone) if asked.id in cards else "",
        }
        for one, asked in shown
    ]
    fractions = [one.fraction for one in found.answers if one.fraction is not None]
    return render_template(
        "reviews/result.html",
        sitting=found,
        title=views.title_of(content, found),
        lines=lines,
        score=sum(fractions) / len(fractions) if fractions else None,
        left_out=sum(one.fraction is None for one in found.answers),
    )


@blueprint.get("/kept")
@kept_page()
def kept() -> str:
    """Bookmarks and notes."""
    content = portal().content
    known = [
        (one, found)
        for one in queries.notes(db(), current_user.id)
        if (found := content.bank.find(one.question_id)) is not None
    ]
    return render_template(
        "reviews/kept.html",
        rows=[
            {
                "note": one,
                "question": found,
                "prompt": found.present(practice.seed_of(found, 0)).prompt,
                "topic": content.roadmap.topics.get(found.topics[0]),
            }
            for one, found in known
        ],
        bookmarks=sum(one.bookmarked for one, _found in known),
    )


@blueprint.route("/settings", methods=["GET", "POST"])
@kept_page()
def settings() -> Any:
    """How much to remember, and how long a session is."""
    service = practice_service()
    wishes = service.wishes(current_user.id)
    form = SettingsForm(
        data=None
        if request.method == "POST"
        else {"retention": round(100 * wishes.retention), "session_length": wishes.session_length}
    )
    if form.validate_on_submit():
        service.wish(
            current_user.id,
            Wishes(retention=(form.retention.data or 0) / 100, session_length=form.session_length.data or 0),
        )
        flash("Saved. What you have met before is due by the new share.", "success")
        return redirect(url_for("reviews.settings"))
    return render_template("reviews/settings.html", form=form), (422 if request.method == "POST" else 200)


@blueprint.post("/questions/<question_id>/bookmark")
@limiter.limit("60 per minute")
def bookmark(question_id: str) -> Any:
    """Set or take away a bookmark."""
    found = _question(question_id)
    bookmarked = _keeping().toggle_bookmark(found)
    if request.headers.get("HX-Request"):
        return render_template("reviews/_bookmark.html", question_id=found.id, bookmarked=bookmarked)
    flash("Bookmarked." if bookmarked else "The bookmark is gone.", "success")
    return _back()


@blueprint.post("/questions/<question_id>/note")
@limiter.limit("60 per minute")
def note(question_id: str) -> Any:
    """Store a private note."""
    _keeping().write_note(_question(question_id), request.form.get("text", ""))
    flash("Your note is saved. Only you see it.", "success")
    return _back()


@blueprint.post("/questions/<question_id>/report")
@limiter.limit("5 per minute; 20 per hour", key_func=throttled_by_person)
def report(question_id: str) -> Any:
    """Tell the instructors what is wrong with a question."""
    try:
        _keeping().report(
            _question(question_id),
            request.form.get("seed", 0, type=int) % 2**31,
            request.form.get("reason", ""),
            request.form.get("text", ""),
        )
    except (Invalid, Conflict) as error:
        flash(error.message, "warning")
        return _back()
    flash("Thank you. The instructors see your report in their list.", "success")
    return _back()


def _page(
    session: PracticeSession,
    answer: PracticeAnswer,
    question: Question,
    *,
    given: Answer = None,
    error: str | None = None,
    run: CodeRun | None = None,
) -> str:
    facts = views.question_page(
        db(), portal().content, session, answer, question, given=given, error=error, run=run
    )
    return render_template(
        "reviews/question.html", **facts, note_max=NOTE_MAX, report_max=REPORT_MAX, reasons=REASONS
    )


def _question(question_id: str) -> Question:
    found = portal().content.bank.find(question_id)
    if found is None:
        raise NotFound("There is no such question.")
    return found


def _back() -> Any:
    """To the page that the form stood on, when it names one of a session; else to what is kept."""
    session_id = request.form.get("session", type=int)
    position = request.form.get("position", type=int)
    if session_id is not None and position is not None:
        return redirect(url_for("reviews.question", session_id=session_id, position=position))
    return redirect(url_for("reviews.kept"))


def _keeping() -> KeepingService:
    return KeepingService(db(), current_user.id)


def _options(content: Content) -> dict[str, Markup]:
    """What can be practised, as the options of three fields: `track`, `module`, `topic`; empty where there is nothing.

    They are the same for every learner, and hundreds.
    """
    offered = content.derived(views.offered)
    return {
        name: Markup(render_template(f"reviews/_{name}_options.html", offered=offered).strip())  # noqa: S704 - ours
        for name in ("track", "module", "topic")
    }
