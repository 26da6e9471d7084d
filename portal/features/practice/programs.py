"""A code question as templates take it: its task, and how a program did on each case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.markdown import render
from question_bank import Answer
from question_bank.fences import fenced
from question_bank.graded import Verdict
from question_bank.presented import PresentedCode

LANGUAGES: Mapping[str, str] = {"python": "Python", "go": "Go", "sql": "SQL (PostgreSQL)"}
INDENTS: Mapping[str, str] = {"python": "    ", "go": "\t", "sql": "    "}


def task(code: PresentedCode, given: Answer) -> dict[str, Any]:
    """What to write, and what there is to start from; `given` is what was written so far."""
    return {
        "language": code.language,
        "title": LANGUAGES[code.language],
        "program": given if isinstance(given, str) and given.strip() else code.starter,
        "indent": INDENTS[code.language],
        "harness_html": render(fenced(code.harness, code.language)).html if code.harness else "",
        "examples": code.examples,
        "is_sql": code.language == "sql",
    }


def cases(verdict: Verdict, code: PresentedCode) -> list[dict[str, Any]]:
    """One line a case, the examples first. Of hidden ones there is no more than what they probe, and how it ended."""
    lines = []
    for number, one in enumerate(verdict.feedback):
        is_example = number < len(code.examples)
        example = code.examples[number] if is_example else None
        lines.append(
            {
                "name": f"Example {number + 1}"
                if is_example
                else f"Hidden case {number + 1 - len(code.examples)}",
                "about": one.text,
                "right": one.right,
                "run": one.chosen,
                "comment_html": render(one.comment).html if one.comment else "",
                "input": example.input if example else "",
                "expected": example.output if example else "",
                "given": one.given,
                "example": is_example,
            }
        )
    return lines
