"""What a bank consists of: how many questions of each kind, module, difficulty and level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from question_bank import guessers
from question_bank.kinds import KINDS
from question_bank.loader import Bank
from question_bank.question import Question

LEVELS = ("mid", "senior", "staff", "principal")
UNKNOWN = "none"
"""The level of questions that state none."""

_SHORT = {
    "single": "sing",
    "multiple": "mult",
    "numeric": "num",
    "true-false": "t/f",
    "short": "shrt",
    "ordering": "ord",
    "matching": "mtch",
    "cloze": "cloz",
    "code": "code",
    "open": "open",
}
_FLAGS = ("scenario", "parameterised", "calculated", "lab", "lesson", "code", "linked")


@dataclass
class Composition:
    """The counts of a set of questions."""

    questions: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    difficulties: Counter[int] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    skills: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    """`scenario`, `parameterised`, `calculated` (numeric or parameterised); links to a `lab`, a `lesson`, `code`;
    `linked`: to a lab or to code."""
    seconds: int = 0

    def document(self) -> dict[str, Any]:
        """The same for a machine: only what occurs."""
        return {
            "questions": self.questions,
            "seconds": self.seconds,
            **{
                name: {str(key): count for key, count in sorted(getattr(self, name).items()) if count}
                for name in ("kinds", "difficulties", "levels", "skills", "flags")
            },
        }

    def add(self, question: Question) -> None:
        """Count one more."""
        self.questions += 1
        self.kinds[question.kind] += 1
        self.difficulties[question.difficulty] += 1
        self.levels[question.meta.level or UNKNOWN] += 1
        self.skills.update(question.meta.skills)
        self.seconds += question.seconds
        links = question.links
        self.flags.update(
            {
                "scenario": question.meta.scenario,
                "parameterised": question.parameterised,
                "calculated": question.parameterised or question.kind == "numeric",
                "lab": links.lab is not None,
                "lesson": links.lesson is not None,
                "code": bool(links.code),
                "linked": links.lab is not None or bool(links.code),
            }
        )


def composition(questions: Iterable[Question]) -> Composition:
    """The counts of all of these."""
    counts = Composition()
    for question in questions:
        counts.add(question)
    return counts


def by_module(bank: Bank) -> dict[str, Composition]:
    """The counts of each module, by module id."""
    return {
        module: composition(q for q in bank.questions.values() if q.module == module)
        for module in bank.modules()
    }


def document(bank: Bank) -> dict[str, Any]:
    """Everything, for a machine. `cells` has one entry for each kind × module × difficulty × level that occurs."""
    cells = Counter((q.kind, q.module, q.difficulty, q.meta.level or UNKNOWN) for q in bank.questions.values())
    names = ("kind", "module", "difficulty", "level")
    return {
        "total": composition(bank.questions.values()).document(),
        "modules": {module: counts.document() for module, counts in by_module(bank).items()},
        "cells": [{**dict(zip(names, key, strict=True)), "questions": n} for key, n in sorted(cells.items())],
        "guessers": [
            {**asdict(score), "ratio": score.ratio, "too_good": score.too_good}
            for score in guessers.scores(bank.questions.values())
        ],
    }


def table(bank: Bank) -> Iterator[str]:
    """The same for people: one line a module, then the sums."""
    heads = [
        *(_SHORT[kind] for kind in KINDS),
        *(f"d{n}" for n in range(1, 6)),
        *(level[:4] for level in LEVELS),
    ]
    heads += ["scen", "para", "calc", "lab", "less", "ref", "link"]
    yield f"{'module':30}{'all':>5}" + "".join(f"{head:>5}" for head in heads)
    rows = by_module(bank)
    for module, counts in [*rows.items(), ("all", composition(bank.questions.values()))]:
        numbers = [
            counts.questions,
            *(counts.kinds[kind] for kind in KINDS),
            *(counts.difficulties[n] for n in range(1, 6)),
            *(counts.levels[level] for level in LEVELS),
            *(counts.flags[flag] for flag in _FLAGS),
        ]
        yield f"{module:30}" + "".join(f"{number or '·':>5}" for number in numbers)
    for score in guessers.scores(bank.questions.values()):
        yield guesser_line(score)


def guesser_line(score: guessers.GuesserScore) -> str:
    """How a guesser did, in a line."""
    return f"guesser by {score.name}: {score.score:.3f}, chance {score.chance:.3f}, ratio {score.ratio:.2f}"
