"""What made-up learners answer: each question with its right and wrong answers, graded once by the question itself."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

from portal.features.practice.recording import chosen_keys
from question_bank import AnswerRefused, Bank, Question, scheduling
from question_bank.scheduling import Memory, Rating

KINDS = frozenset({"single", "multiple", "true-false", "numeric", "short"})
"""What is scored at once, and whose answers are made up easily."""
SECONDS = (20.0, 45.0, 60.0, 90.0, 150.0)
"""How long an answer takes. Few values, so that memories repeat and are reckoned once."""
PASS_DAYS = (0, 1, 5, 14, 35, 70, 120, 180)
"""On which day after the first time the same questions are asked again."""


@dataclass(frozen=True)
class Outcome:
    """One answer to one question, and what it earns."""

    given: str
    """As JSON."""
    fraction: float
    correct: bool
    keys: tuple[str, ...]
    """What the item statistics count of it."""


@dataclass(frozen=True)
class Asked:
    """A question with the answers that are given to it."""

    question: Question
    right: Outcome
    wrong: tuple[Outcome, ...]
    skill: float
    """How likely an average learner gets it right, 0 to 1."""

    def answer(self, random: Random, ability: float) -> Outcome:
        """What a learner answers whose ability is added to the question's ease."""
        return self.right if random.random() < self.skill + ability else random.choice(self.wrong)


def pool(bank: Bank) -> list[Asked]:
    """The questions that are answered, those of a module together. Raises RuntimeError when there are too few."""
    random = Random(11)
    found = []
    for question in sorted(bank.questions.values(), key=lambda one: (one.module, one.id)):
        if question.kind in KINDS and not question.parameterised:
            outcomes = [outcome for given in _answers(question) if (outcome := _graded(question, given))]
            right = next((one for one in outcomes if one.correct), None)
            wrong = tuple(one for one in outcomes if not one.correct)
            if right and wrong:
                found.append(Asked(question, right, wrong, 0.35 + 0.5 * random.random()))
    if len(found) < 20:
        raise RuntimeError(f"the bank has {len(found)} questions that can be answered here; 20 are needed")
    return found


def _answers(question: Question) -> list[Any]:
    if question.kind == "multiple":
        right = [option.key for option in question.options if option.right]
        return [
            right,
            *([option.key] for option in question.options),
            [option.key for option in question.options],
        ]
    if question.options:
        return [option.key for option in question.options]
    body: Any = question.at(0).body
    if question.kind == "numeric":
        return [str(body.answer.value), "-7", "123456"]
    return [str(body.answer.accept[0]), "I do not know"]


def _graded(question: Question, given: Any) -> Outcome | None:
    with contextlib.suppress(AnswerRefused):
        graded = question.grade(given, 0)
        return Outcome(
            json.dumps(given), graded.fraction, graded.correct, tuple(chosen_keys(question.kind, graded))
        )
    return None


@cache
def rating_of(fraction: float, seconds: float | None, expected: float) -> Rating:
    """What the answer says of the memory."""
    return scheduling.rate(fraction, seconds=seconds, expected=expected)


@cache
def memory_after(ratings: tuple[Rating, ...], first: datetime) -> Memory:
    """The memory after so many reviews on the days of PASS_DAYS, the first at `first`."""
    memory: Memory | None = None
    for rating, day in zip(ratings, PASS_DAYS, strict=False):
        at = first + timedelta(days=day)
        memory = scheduling.review(memory, rating, at=at, retention=scheduling.RETENTION_DEFAULT)
    assert memory is not None
    return memory


def blocks_of(
    questions: Sequence[Asked], start: int, answers: int, passes: int, size: int
) -> list[tuple[list[Asked], int]]:
    """How so many answers are spread: blocks of questions, each with the times that it is asked."""
    edges = [start + size * number for number in range(len(questions) // size + 1)]
    blocks: list[tuple[list[Asked], int]] = []
    for begin, end in pairwise(edges):
        if answers <= 0:
            break
        block = [questions[place % len(questions)] for place in range(begin, end)][:answers]
        times = min(passes, len(PASS_DAYS), max(1, answers // len(block)))
        answers -= times * len(block)
        blocks.append((block, times))
    return blocks
