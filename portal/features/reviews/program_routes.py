"""The part of a practice page that runs programs: tried on the examples, and how far the run came."""

from __future__ import annotations

import time
from typing import Any

from flask import flash, redirect, render_template, request, url_for

from portal.errors import Conflict, Invalid, PortalError
from portal.extensions import after_commit, limiter, portal
from portal.features import practice
from portal.features.reviews import views
from portal.features.reviews.finding import own_answer, own_session, practice_service
from portal.models import CodeRun, PracticeAnswer, PracticeSession, RunPurpose
from question_bank import AnswerRefused, Question

WARM_SECONDS = 60.0
"""How often the worker is told that programs in a language are asked for."""


@limiter.limit("30 per minute")
def attempt(session_id: int, position: int) -> Any:
    """Run a program on the examples; it counts for nothing."""
    found = own_session(session_id)
    stored, asked = own_answer(found, position)
    error = ""
    run = None
    try:
        if asked.kind not in practice.RUN_BY_WORKER:
            raise Invalid("This question asks for no program.")
        if stored.given_at is not None or found.finished_at is not None:
            raise Conflict("This question was answered already. Reload the page to see what it says.")
        given = practice.read_answer(asked, request.form.to_dict(flat=False))
        run = practice_service().programs.hand_in(found.user_id, stored, asked, given, RunPurpose.TRY)
    except AnswerRefused as refused:
        error = refused.learner
    except PortalError as refused:
        error = refused.message
    if request.headers.get("HX-Request"):
        return _part(found, stored, asked, run, error)
    if error:
        flash(error, "warning")
    return redirect(url_for("reviews.question", session_id=found.id, position=position))


def program(session_id: int, position: int) -> Any:
    """How far the run of a program came; when it was an answer and is judged, the page is to be loaded anew."""
    found = own_session(session_id)
    stored, asked = own_answer(found, position)
    waited = stored.given_at is not None and stored.fraction is None
    run = practice_service().settle(found, stored, asked)
    settled = waited and (stored.given_at is None or stored.fraction is not None)
    if not request.headers.get("HX-Request"):
        return redirect(url_for("reviews.question", session_id=found.id, position=position))
    if settled or stored.fraction is not None:
        return "", 200, {"HX-Refresh": "true"}
    return _part(found, stored, asked, run, "")


def tell_worker(question: Question, answer: PracticeAnswer) -> None:
    """Who is asked for a program may run it next: tell the worker, once in a while."""
    shown = question.present(practice.seed_of(question, answer.seed)).code
    if shown is None or not portal().settings.pool_total:
        return
    now, told_at, name = time.monotonic(), portal().looks_told_at, f"programs in {shown.language}"
    if now - told_at.get(name, -WARM_SECONDS) >= WARM_SECONDS:
        told_at[name] = now
        after_commit(lambda: portal().jobs.warm_programs(shown.language))


def _part(
    session: PracticeSession, answer: PracticeAnswer, question: Question, run: CodeRun | None, error: str
) -> str:
    return render_template(
        "reviews/_program.html",
        sitting=session,
        answer=answer,
        run=views.run_view(run, question, answer),
        refused=error,
    )
