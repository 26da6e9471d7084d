"""A question as templates take it: with its form, and after the answer with what there is to say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from flask import url_for

from portal.content import Content
from portal.features.practice import programs
from portal.features.practice.answers import field_name, seed_of
from portal.markdown import render, render_inline
from question_bank import (
    Answer,
    AnswerRefused,
    Feedback,
    Graded,
    Presented,
    PresentedGap,
    Question,
    RunnerUnavailable,
)
from question_bank.kinds.cloze import fill_gaps

CALLS = {
    "single": "Choose one",
    "multiple": "Choose all that apply",
    "true-false": "True or false?",
    "numeric": "Type a number",
    "short": "Type a few words",
    "ordering": "Put in order",
    "matching": "Find the partners",
    "cloze": "Fill the gaps",
    "open": "Answer in your own words",
}
"""What to do, in a word or two."""
PART_HEADS = {
    "ordering": ("Item", "Your place", "Right place"),
    "matching": ("What", "Your partner", "Right partner"),
    "cloze": ("Gap", "Your answer", "Right is"),
}
"""The heads of the table that a kind with parts has after its answer."""


def asked(
    question: Question, seed: int, *, number: int = 1, given: Answer = None, error: str | None = None
) -> dict[str, Any]:
    """The question with its form; `given` is filled in again, `error` says why it was refused."""
    shown = question.present(seed_of(question, seed))
    return {
        **_common(question, shown, number, given),
        "error": error,
        "graded": None,
        "items": [_named(one) for one in shown.items],
        "places": _places(given, len(shown.items)),
        "left": [_named(one) for one in shown.left],
        "right": [_named(one) for one in shown.right],
        "cloze_html": _cloze(question, shown, given) if shown.gaps else "",
        "code": programs.task(shown.code, given) if shown.code else None,
    }


def graded(
    question: Question,
    seed: int,
    *,
    content: Content,
    number: int = 1,
    given: Answer,
    result: Graded | None = None,
    **stored: Any,
) -> dict[str, Any]:
    """The question after its answer. `stored` has fraction, correct and content_hash as they were recorded: they
    stand, also when the question was edited since. `result` is what was said to the answer, where saying it again would
    mean to run it again.
    """
    shown = question.present(seed_of(question, seed))
    result = result or regraded(question, seed, given)
    by_key = {feedback.key: feedback for feedback in result.feedback}
    references = question.at(seed_of(question, seed)).references
    in_blocks = question.kind in ("open", "code")
    return {
        **_common(question, shown, number, given),
        "graded": {
            "fraction": stored["fraction"] or 0.0,
            "correct": bool(stored["correct"]),
            "answered": result.answered,
            "waits": not result.complete,
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
            "heads": PART_HEADS.get(question.kind),
            "parts": [_part(question, feedback) for feedback in result.feedback],
            "cloze_html": _filled(shown, result.feedback) if shown.gaps else "",
            "cases": programs.cases(result, shown.code) if shown.code else [],
            "message": result.message,
            "feedback_html": "".join(render(f.comment).html for f in result.feedback)
            if not shown.options and not shown.code
            else "",
            "right_answer_html": render(result.right_answer).html
            if in_blocks
            else render_inline(result.right_answer),
            "explanation_html": render(result.explanation).html,
            "references_html": render(references).html if references else "",
            "links": links(question, content),
        },
    }


def regraded(question: Question, seed: int, given: Answer) -> Graded:
    """What the question says to a recorded answer today."""
    try:
        return question.grade(given, seed_of(question, seed))
    except (AnswerRefused, RunnerUnavailable):
        # Its options were edited away since, or nobody knows any more what the program did: that can't be shown.
        return question.grade(None, seed_of(question, seed))


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
            url = url_for("reference.file", path=path, _anchor=_line_anchor(line))
            found.append({"label": f"Code: {path.removeprefix('reference_impl/')}", "url": url})
    return found


def _line_anchor(given: str) -> str | None:
    """`line-12`, as the page of a file has it, for `L12`, `L12-L20` or `line-12`; None for no line."""
    found = re.search(r"\d+", given)
    return f"line-{int(found[0])}" if found else None


def _common(question: Question, shown: Presented, number: int, given: Answer) -> dict[str, Any]:
    return {
        "id": question.id,
        "name": field_name(question),
        "number": number,
        "kind": question.kind,
        "call": CALLS.get(question.kind, ""),
        "partial": question.kind.replace("-", "_"),
        "prompt_html": render(shown.prompt).html,
        "options": [_named(option) for option in shown.options],
        "unit": shown.unit,
        "rule": shown.rule,
        "given": given.get("text", given) if isinstance(given, Mapping) and "text" in given else given,
    }


def _named(one: Any) -> dict[str, str]:
    return {"key": one.key, "html": render_inline(one.text), "text": plain(one.text)}


def plain(text: str) -> str:
    """Markdown as one line of plain text, for where no markup can stand, such as the options of a select."""
    return " ".join(text.replace("`", "").replace("**", "").split())


def _places(given: Answer, count: int) -> dict[str, str]:
    """Key → place of what was put in order, whole or not."""
    if isinstance(given, Mapping):
        return {str(key): str(place) for key, place in given.items()}
    if isinstance(given, list | tuple):
        return {str(key): str(place) for place, key in enumerate(given, 1)}
    return {}


def _part(question: Question, feedback: Feedback) -> dict[str, Any]:
    is_text = question.kind in ("ordering", "matching", "open")
    return {
        "html": render_inline(feedback.text) if is_text else escape(feedback.text),
        "chosen": feedback.chosen,
        "right": feedback.right,
        "given_html": render_inline(feedback.given),
        "expected_html": render_inline(feedback.expected),
        "comment_html": render_inline(feedback.comment),
        "points": feedback.points,
        "key": feedback.key,
    }


def _cloze(question: Question, shown: Presented, given: Answer) -> str:
    """The text with a field in each gap's place. Fields are put in after the text was made safe."""
    filled = given if isinstance(given, Mapping) else {}
    fields = {
        gap.name: _gap_field(field_name(question), gap, number, str(filled.get(gap.name, "")))
        for number, gap in enumerate(shown.gaps, 1)
    }
    return _with_gaps(shown, fields)


def _filled(shown: Presented, feedback: tuple[Feedback, ...]) -> str:
    """The text with what the learner put into each gap."""
    given = {
        one.name: (found.given, found.right)
        for one in shown.gaps
        for found in feedback
        if found.key == one.name
    }
    marks = {
        name: f'<span class="gap {"is-right" if right else "is-wrong"}">{render_inline(text) or "–"}</span>'
        for name, (text, right) in given.items()
    }
    return _with_gaps(shown, marks)


def _with_gaps(shown: Presented, fields: Mapping[str, str]) -> str:
    tokens = {name: f"gapgapgap{number}gap" for number, name in enumerate(fields)}
    html = render(fill_gaps(shown.text, lambda name: tokens.get(name, ""))).html
    for name, token in tokens.items():
        html = html.replace(token, fields[name], 1)
    return html


def _gap_field(name: str, gap: PresentedGap, number: int, value: str) -> str:
    attributes = f'name="{escape(name)}-{escape(gap.name)}" aria-label="Gap {number}: {escape(gap.name)}"'
    if gap.choices:
        options = "".join(
            f'<option value="{escape(one.key)}"{" selected" if one.key == value else ""}>{escape(one.text)}</option>'
            for one in gap.choices
        )
        return (
            f'<select class="form-select gap-field" {attributes}><option value="">…</option>{options}</select>'
        )
    unit = f" {escape(gap.unit)}" if gap.unit else ""
    return (
        f'<input class="form-control gap-field" type="text" autocomplete="off" maxlength="200" value="{escape(value)}" '
        f"{attributes}>{unit}"
    )
