"""A question as the authoring pages show it, as plain values for templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from portal.content import Content
from portal.features.authoring.queries import Said
from portal.features.authoring.reviewing import placed
from portal.features.practice import views as practice_views
from portal.features.practice.answers import VARIANTS, seed_of
from question_bank import Question

SEEDS_MOST = 6
SEED_BOUND = 1_000_000


@dataclass(frozen=True)
class Look:
    """How somebody wants to see a question."""

    first: int = 0
    """The first seed."""
    count: int = 1
    answered: bool = False
    """Whether what follows an answer is shown too."""

    @classmethod
    def of(cls, first: object, count: object, answered: object) -> Look:
        """The wish in a form, within its bounds."""
        return cls(
            _between(first, 0, SEED_BOUND, 0), _between(count, 1, SEEDS_MOST, 1), answered in ("1", "on", True)
        )


@dataclass(frozen=True)
class SourceLine:
    """A line of a text with what was said to it."""

    number: int
    text: str
    comments: tuple[Said, ...]
    remarks: tuple[Any, ...]


def previews(question: Question, content: Content, look: Look) -> list[dict[str, Any]]:
    """The question under each seed, as a learner sees it. Names differ, so that all can stand on one page."""
    found = []
    for number in range(1, look.count + 1):
        seed = look.first + number - 1
        asked = practice_views.asked(question, seed, number=1)
        asked["name"] = f"seed-{number}-{asked['name']}"
        asked["id"] = f"seed-{number}-{asked['id']}"
        graded = None
        if look.answered:
            graded = practice_views.graded(
                question,
                seed,
                content=content,
                number=number,
                given=None,
                fraction=0.0,
                correct=False,
                content_hash=question.content_hash,
            )
        variant = seed_of(question, seed) + 1 if question.parameterised else None
        values = [
            f"{name} = {_short(value)}" for name, value in question.at(seed_of(question, seed)).values.items()
        ]
        found.append(
            {
                "seed": seed,
                "variant": variant,
                "of": VARIANTS,
                "values": values,
                "asked": asked,
                "graded": graded,
            }
        )
    return found


def source_lines(
    text: str, version: int, comments: Sequence[Said], remarks: Iterable[Any]
) -> tuple[list[SourceLine], list[Said]]:
    """The lines of the text with what is said to each; and comments that belong to no line of it any more."""
    lines = text.splitlines()
    by_line: dict[int, list[Said]] = {}
    for said in comments:
        by_line.setdefault(placed(said.comment, version, lines), []).append(said)
    wrong: dict[int, list[Any]] = {}
    for remark in remarks:
        wrong.setdefault(min(remark.line, max(1, len(lines))), []).append(remark)
    found = [
        SourceLine(number, line, tuple(by_line.get(number, ())), tuple(wrong.get(number, ())))
        for number, line in enumerate(lines, 1)
    ]
    return found, by_line.get(0, [])


def _short(value: object) -> str:
    """A value as a person compares it: six digits are enough."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _between(value: object, least: int, most: int, otherwise: int) -> int:
    try:
        return min(most, max(least, int(str(value))))
    except ValueError:
        return otherwise
