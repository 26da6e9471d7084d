"""A question as templates take it: with its form, and after the answer with what there is to say."""

from __future__ import annotations

from typing import Any

from flask import url_for

from portal.content import Content
from portal.features.practice.answers import field_name
from portal.markdown import render, render_inline
from question_bank import Answer, AnswerRefused, Graded, Presented, Question


def asked(
    question: Question, seed: int, *, number: int = 1, given: Answer = None, error: str | None = None
) -> dict[str, Any]:
    """The question with its form; `given` is filled in again, `error` says why it was refused."""
    return {**_common(question, question.present(seed), number, given), "error": error, "graded": None}


def graded(
    question: Question, seed: int, *, content: Content, number: int = 1, given: Answer, **stored: Any
) -> dict[str, Any]:
    """The question after its answer. `stored` has fraction, correct and content_hash as they were recorded: they
    stand, also when the question was edited since.
    """
    shown = question.present(seed)
    result = regraded(question, given)
    by_key = {feedback.key: feedback for feedback in result.feedback}
    return {
        **_common(question, shown, number, given),
        "graded": {
            "fraction": stored["fraction"] or 0.0,
            "correct": bool(stored["correct"]),
            "answered": result.answered,
            "edited": stored["content_hash"] != question.content_hash,
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
            "feedback_html": "".join(render(f.comment).html for f in result.feedback)
            if not shown.options
            else "",
            "right_answer_html": render_inline(result.right_answer),
            "explanation_html": render(result.explanation).html,
            "references_html": render(question.references).html if question.references else "",
            "links": links(question, content),
        },
    }


def regraded(question: Question, given: Answer) -> Graded:
    """What the question says to a recorded answer today."""
    try:
        return question.grade(given)
    except AnswerRefused:  # its options were edited away since: what was chosen can't be shown any more
        return question.grade(None)


def links(question: Question, content: Content) -> list[dict[str, str]]:
    """Where the same matter is taught, proven and seen at work: label and address."""
    found = []
    if question.links.lesson and (lesson := content.roadmap.lessons.get(question.links.lesson)):
        found.append(
            {"label": f"Lesson: {lesson.title}", "url": url_for("roadmap.lesson", lesson_id=lesson.id)}
        )
    if question.links.lab and (lab := content.lab(question.links.lab)):
        found.append({"label": f"Lab: {lab.title}", "url": url_for("lab_sessions.lab", slug=lab.id)})
    for code in question.links.code:
        path, _, line = code.partition("#")
        if path.startswith("reference_impl/"):
            url = url_for("reference.file", path=path, _anchor=line or None)
            found.append({"label": f"Code: {path.removeprefix('reference_impl/')}", "url": url})
    return found


def _common(question: Question, shown: Presented, number: int, given: Answer) -> dict[str, Any]:
    return {
        "id": question.id,
        "name": field_name(question),
        "number": number,
        "kind": question.kind,
        "partial": question.kind.replace("-", "_"),
        "prompt_html": render(shown.prompt).html,
        "options": [{"key": option.key, "html": render_inline(option.text)} for option in shown.options],
        "unit": shown.unit,
        "rule": shown.rule,
        "given": given,
    }
