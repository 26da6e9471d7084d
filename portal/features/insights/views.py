"""One question as instructors see it, as plain values for its template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.features.practice import WITH_PARTS, seed_of
from portal.markdown import render_inline
from question_bank import Question
from question_bank.statistics import OptionCount, Tally

TYPED = {
    "right": ("Right", True),
    "foreseen": ("A wrong value that the author foresaw", False),
    "unforeseen": ("A wrong value that nobody foresaw", False),
}
BLANK = "blank"
HASH_SHOWN = 8


def option_rows(question: Question, counts: Mapping[str, OptionCount], counted: int) -> list[dict[str, Any]]:
    """One row an option in the author's order; for an answer with parts one row a part that can go wrong; for a typed
    one, one row a way it can do. Then blank answers.
    """
    if question.kind in WITH_PARTS:
        blank = question.grade(None, seed_of(question, 0))
        named = {part.key: (render_inline(part.text), False) for part in blank.feedback}
    else:
        named = {option.key: (render_inline(option.text), option.right) for option in question.options} or TYPED
    rows = [
        _row(counts.get(key, OptionCount(key)), html, right, counted, is_option=bool(question.options))
        for key, (html, right) in named.items()
    ]
    if BLANK in counts:
        rows.append(_row(counts[BLANK], "Not answered", False, counted, is_option=False))
    return rows


def option_heads(question: Question) -> tuple[str, str]:
    """What these rows are, and what is counted of them."""
    if question.kind in WITH_PARTS:
        return "Part", "Went wrong"
    return ("Option", "Chosen") if question.options else ("Answer", "Given")


def version_rows(question: Question, tallies: Mapping[tuple[str, str, str], Tally]) -> list[dict[str, Any]]:
    """One row a version of the question, today's first, then by how often it was answered."""
    versions: dict[tuple[str, str], Tally] = {}
    for (question_id, version, _variant), tally in tallies.items():
        where = (question_id, version)
        versions[where] = versions.get(where, Tally()) + tally
    today = (question.id, question.content_hash)
    order = sorted(versions, key=lambda where: (where != today, -versions[where].answers, where))
    return [
        {
            "name": version[:HASH_SHOWN] or "unknown",
            "former_id": question_id if question_id != question.id else "",
            "current": (question_id, version) == today,
            "tally": versions[question_id, version],
        }
        for question_id, version in order
    ]


def variant_rows(question: Question, tallies: Mapping[tuple[str, str, str], Tally]) -> list[dict[str, Any]]:
    """One row a variant of today's version, the hardest first; empty for a question without parameters."""
    found = [
        {"name": variant, "tally": tally}
        for (question_id, version, variant), tally in tallies.items()
        if (question_id, version) == (question.id, question.content_hash) and variant
    ]
    return sorted(
        found, key=lambda row: (row["tally"].facility is None, row["tally"].facility or 0.0, row["name"])
    )


def _row(count: OptionCount, html: str, right: bool, counted: int, *, is_option: bool) -> dict[str, Any]:
    return {
        "html": html,
        "right": right,
        "chosen": count.chosen,
        "share": count.share(counted),
        "mean_rest": count.mean_rest,
        "never_works": is_option and not right and count.never_works(counted),
    }
