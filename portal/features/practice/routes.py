"""Pages of quizzes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import NotFound
from portal.extensions import db, limiter, portal
from portal.features.practice import queries, views
from portal.features.practice.answers import QUIZ_KINDS, read_answers
from portal.features.practice.service import QUIZ_LENGTH, QuizService, Refused
from portal.kept_pages import kept_page
from portal.models import QuizAnswer, QuizAttempt
from question_bank import Answer, Question
from roadmap import Kind

blueprint = Blueprint("practice", __name__, url_prefix="/quizzes")


@blueprint.get("/")
@kept_page()
def quizzes() -> str:
    """One quiz a module, with best and last score."""
    content = portal().content
    scores = _service().scores(current_user.id)
    opened = queries.unfinished_by_module(db(), current_user.id)
    available = content.bank.modules(QUIZ_KINDS)
    rows = [
        {
            "module": module,
            "questions": available[module.id],
            "length": min(QUIZ_LENGTH, available[module.id]),
            "scores": scores.get(module.id),
            "unfinished_id": opened.get(module.id),
        }
        for module in content.roadmap.modules.values()
        if available.get(module.id)
    ]
    return render_template("practice/quizzes.html", rows=rows)


@blueprint.post("/start/<module_id>")
@limiter.limit("20 per minute")
def start(module_id: str) -> Any:
    """Draw a quiz, or go on with the one that is open."""
    catalogue = portal().content.roadmap
    current = catalogue.current_id(Kind.MODULE, module_id)
    if current is None:
        raise NotFound("There is no such module.")
    attempt = _service().start(current_user.id, current)
    return redirect(url_for("practice.quiz", attempt_id=attempt.id))


@blueprint.get("/<int:attempt_id>")
@kept_page()
def quiz(attempt_id: int) -> Any:
    """The questions of an attempt."""
    attempt = _attempt(attempt_id)
    if attempt.finished_at is not None:
        return redirect(url_for("practice.result", attempt_id=attempt.id))
    return _quiz_page(attempt, {}, {})


@blueprint.post("/<int:attempt_id>")
def answer(attempt_id: int) -> Any:
    """Hand the answers in."""
    attempt = _attempt(attempt_id)
    if attempt.finished_at is not None:
        return redirect(url_for("practice.result", attempt_id=attempt.id))
    questions = [question for _answer, question in _drawn(attempt)]
    given = read_answers(questions, request.form.to_dict(flat=False))
    refused = _service().hand_in(attempt, given)
    if isinstance(refused, Refused):
        return _quiz_page(attempt, given, dict(refused.messages)), 422
    return redirect(url_for("practice.result", attempt_id=attempt.id))


@blueprint.get("/<int:attempt_id>/result")
@kept_page()
def result(attempt_id: int) -> Any:
    """The score, and for each question what was right and why."""
    attempt = _attempt(attempt_id)
    if attempt.finished_at is None:
        return redirect(url_for("practice.quiz", attempt_id=attempt.id))
    module = portal().content.roadmap.modules.get(attempt.module_id)
    questions = [
        views.graded(
            question,
            attempt.seed,
            content=portal().content,
            number=number,
            given=stored.given,
            fraction=stored.fraction,
            correct=stored.correct,
            content_hash=stored.content_hash,
        )
        for number, (stored, question) in enumerate(_drawn(attempt), 1)
    ]
    return render_template("practice/result.html", attempt=attempt, module=module, questions=questions)


def _quiz_page(attempt: QuizAttempt, given: dict[str, Answer], errors: dict[str, str]) -> str:
    module = portal().content.roadmap.modules.get(attempt.module_id)
    questions = [
        views.asked(
            question,
            attempt.seed,
            number=number,
            given=given.get(question.id),
            error=errors.get(question.id),
        )
        for number, (_stored, question) in enumerate(_drawn(attempt), 1)
    ]
    return render_template(
        "practice/quiz.html", attempt=attempt, module=module, questions=questions, has_errors=bool(errors)
    )


def _drawn(attempt: QuizAttempt) -> list[tuple[QuizAnswer, Question]]:
    bank = portal().content.bank
    return [(a, question) for a in attempt.answers if (question := bank.find(a.question_id)) is not None]


def _attempt(attempt_id: int) -> QuizAttempt:
    found = queries.attempt(db(), current_user.id, attempt_id)
    if found is None:
        raise NotFound("There is no such quiz among yours.")
    return found


def _service() -> QuizService:
    return QuizService(db(), portal().content.bank)
