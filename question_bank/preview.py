"""A question as a learner sees it, as Markdown for a terminal and as a page of its own."""

from __future__ import annotations

import html
from collections.abc import Iterator

import markdown
import nh3

from question_bank.fences import fenced
from question_bank.kinds.cloze import fill_gaps
from question_bank.presented import Presented, PresentedCode, PresentedGap, PresentedOption
from question_bank.question import Question
from question_bank.schema import Seed

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
pre { background: #f4f4f2; padding: .75rem; overflow-x: auto; } code { background: #f4f4f2; }
table { border-collapse: collapse; } td, th { border: 1px solid #bbb; padding: .2rem .6rem; }
"""


def as_markdown(question: Question, seed: Seed, *, solved: bool = False) -> str:
    """What a learner sees under a seed; with `solved`, also what follows an answer."""
    shown = question.present(seed)
    parts = [
        f"# {shown.id}",
        f"*{shown.kind} · difficulty {shown.difficulty} of 5 · {shown.seconds} s · seed {seed}*",
        shown.prompt,
        *answering(shown),
        f"*{shown.rule}*",
    ]
    if solved:
        parts.extend(after_answer(question.at(seed)))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(question: Question, seeds: list[Seed], *, solved: bool = False) -> str:
    """A page with one or several variants, one below the other. Markup of the author is made harmless."""
    bodies = []
    for seed in seeds:
        text = as_markdown(question, seed, solved=solved)
        bodies.append(nh3.clean(markdown.markdown(text, extensions=["fenced_code", "tables", "sane_lists"])))
    title = html.escape(question.id)
    joined = "\n<hr>\n".join(bodies)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{joined}\n</body></html>\n"
    )


def answering(shown: Presented) -> Iterator[str]:
    """What there is to answer with."""
    mark = "☐" if shown.kind == "multiple" else "○"
    yield _list(shown.options, mark)
    yield _list(shown.items, "↕")
    if shown.left:
        yield "Find a partner for:"
        yield _list(shown.left, "▸")
        yield "Among:"
        yield _list(shown.right, "◂")
    if shown.text:
        yield fill_gaps(shown.text, lambda name: f"____{name}____")
        yield "\n".join(f"- {_gap(gap)}" for gap in shown.gaps)
    if shown.code:
        yield from _code(shown.code)
    if shown.unit:
        yield f"Your answer: ________ {shown.unit}"
    elif shown.kind in ("numeric", "short", "open"):
        yield "Your answer: ________"


def _list(options: tuple[PresentedOption, ...], mark: str) -> str:
    lines = []
    for option in options:
        first, *rest = option.text.split("\n")
        lines.append("\n".join([f"- {mark} {first}", *(f"    {line}".rstrip() for line in rest)]))
    return "\n".join(lines)


def _gap(gap: PresentedGap) -> str:
    if gap.choices:
        return f"{gap.name}: " + " / ".join(f"`{choice.text}`" for choice in gap.choices)
    return f"{gap.name}: ________ {gap.unit or ''}".rstrip()


def _code(code: PresentedCode) -> Iterator[str]:
    yield "Begin with:"
    yield fenced(code.starter, code.language)
    if code.harness:
        yield "It is run by:" if code.language != "sql" else "The tables:"
        yield fenced(code.harness, code.language)
    for example in code.examples:
        yield f"Example: {example.about}"
        if example.input:
            yield fenced(example.input, "sql" if code.language == "sql" else "text")
        yield "gives"
        yield fenced(example.output, "text")


def after_answer(question: Question) -> Iterator[str]:
    """What a learner sees after an answer, whichever it was."""
    # A blank answer is never refused, and brings the key, every option's feedback and the rubric along.
    verdict = question.body.grade(None)
    yield "---"
    yield "### The right answer"
    yield verdict.right_answer
    for entry in verdict.feedback:
        if entry.points is not None:
            yield f"- {entry.points:g} points: {entry.text}"
        elif entry.comment:
            yield f"- {'✓ ' if entry.right else ''}{' '.join(entry.text.split())}: {' '.join(entry.comment.split())}"
    yield "### Explanation"
    yield question.explanation
    if question.references:
        yield "### References"
        yield question.references
