"""Pages of quizzes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user

from portal.errors import NotFound
from portal.extensions import db, limiter, portal
from portal.features.practice import queries
from portal.features.practice.service import QUIZ_LENGTH, QuizService, Refused, read_answers
from portal.markdown import render, render_inline
from portal.models import QuizAnswer, QuizAttempt
from question_bank import PLAIN_KINDS, Answer, AnswerRefused, Question
from roadmap import Kind

blueprint = Blueprint("practice", __name__, url_prefix="/quizzes")


@blueprint.get("/")
def quizzes() -> str:
    """One quiz a module, with best and last score."""
    content = portal().content
    scores = _service().scores(current_user.id)
    opened = queries.unfinished_by_module(db(), current_user.id)
    available = content.bank.modules(PLAIN_KINDS)
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
def result(attempt_id: int) -> Any:
    """The score, and for each question what was right and why."""
    attempt = _attempt(attempt_id)
    if attempt.finished_at is None:
        return redirect(url_for("practice.quiz", attempt_id=attempt.id))
    module = portal().content.roadmap.modules.get(attempt.module_id)
    questions = [_graded_view(attempt, stored, question) for stored, question in _drawn(attempt)]
    return render_template("practice/result.html", attempt=attempt, module=module, questions=questions)


def _quiz_page(attempt: QuizAttempt, given: dict[str, Answer], errors: dict[str, str]) -> str:
    module = portal().content.roadmap.modules.get(attempt.module_id)
    questions = []
    for stored, question in _drawn(attempt):
        shown = question.present(attempt.seed)
        questions.append(
            {
                "id": question.id,
                "number": stored.position,
                "kind": question.kind,
                "prompt_html": render(shown.prompt).html,
                "options": [
                    {"key": option.key, "html": render_inline(option.text)} for option in shown.options
                ],
                "unit": shown.unit,
                "rule": shown.rule,
                "given": given.get(question.id),
                "error": errors.get(question.id),
                "graded": None,
            }
        )
    return render_template(
        "practice/quiz.html", attempt=attempt, module=module, questions=questions, has_errors=bool(errors)
    )


def _graded_view(attempt: QuizAttempt, stored: QuizAnswer, question: Question) -> dict[str, Any]:
    shown = question.present(attempt.seed)
    try:
        graded = question.grade(stored.given, attempt.seed)
    except (
        AnswerRefused
    ):  # the question's options were edited away since: what was chosen can't be shown any more
        graded = question.grade(None, attempt.seed)
    by_key = {feedback.key: feedback for feedback in graded.feedback}
    return {
        "id": question.id,
        "number": stored.position,
        "kind": question.kind,
        "prompt_html": render(shown.prompt).html,
        "unit": shown.unit,
        "rule": shown.rule,
        "given": stored.given,
        "graded": {
            # The stored score stands, also when the question was edited since.
            "fraction": stored.fraction or 0.0,
            "correct": bool(stored.correct),
            "answered": graded.answered,
            "edited": stored.content_hash != question.content_hash,
            "options": [
                {
                    "key": option.key,
                    "html": render_inline(option.text),
                    "chosen": by_key[option.key].chosen,
                    "right": by_key[option.key].right,
                    "feedback_html": render_inline(by_key[option.key].comment),
                }
                for option in shown.options
            ],
            "feedback_html": "".join(render(f.comment).html for f in graded.feedback)
            if not shown.options
            else "",
            "right_answer_html": render_inline(graded.right_answer),
            "explanation_html": render(graded.explanation).html,
            "links": _links(question),
        },
    }


def _links(question: Question) -> list[dict[str, str]]:
    content = portal().content
    links = []
    if question.links.lesson and (lesson := content.roadmap.lessons.get(question.links.lesson)):
        links.append(
            {"label": f"Lesson: {lesson.title}", "url": url_for("roadmap.lesson", lesson_id=lesson.id)}
        )
    if question.links.lab and (lab := content.lab(question.links.lab)):
        links.append({"label": f"Lab: {lab.title}", "url": url_for("lab_sessions.lab", slug=lab.id)})
    for code in question.links.code:
        path, _, line = code.partition("#")
        if path.startswith("reference_impl/"):
            url = url_for("reference.file", path=path, _anchor=line or None)
            links.append({"label": f"Code: {path.removeprefix('reference_impl/')}", "url": url})
    return links


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
