"""Two guessers who know nothing of the matter. A bank on which they beat chance gives its answers away by its
wording.

On a single choice a guesser picks one option; on a multiple choice the better half of them, rounded down.
Chance is what picking as many at random earns, so the two figures compare like with like.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

from question_bank.choices import ChoiceBody
from question_bank.question import Question
from question_bank.schema import Option
from question_bank.wording import telling_words, visible_length

MARGIN = 1.2
"""How much better than chance a guesser may score."""
MIN_QUESTIONS = 20
"""Below this many questions the guessers' scores are mostly noise and say nothing about the bank."""

Appeal = Callable[[Question, Option], float]
"""How attractive an option looks to a guesser."""


@dataclass(frozen=True, slots=True)
class GuesserScore:
    """How one guesser does on a bank, as mean fractions."""

    name: str
    score: float
    chance: float
    questions: int

    @property
    def ratio(self) -> float:
        """The score as a multiple of chance."""
        return self.score / self.chance if self.chance else 0.0

    @property
    def too_good(self) -> bool:
        """Whether the wording gives answers away."""
        return self.questions >= MIN_QUESTIONS and self.ratio > MARGIN


def longest(question: Question, option: Option) -> float:
    """The guess that the most carefully worded option is the right one."""
    return visible_length(option.text)


def most_overlapping(question: Question, option: Option) -> float:
    """The guess that the right option repeats the prompt's words."""
    return len(telling_words(option.text) & telling_words(question.prompt))


GUESSERS: dict[str, Appeal] = {"longest option": longest, "word overlap with the prompt": most_overlapping}


def scores(questions: Iterable[Question]) -> list[GuesserScore]:
    """Let each guesser loose on the questions whose options the author worded."""
    chosen = [question for question in questions if question.kind in ("single", "multiple")]
    return [
        GuesserScore(
            name=name,
            score=fmean(_guess(question, appeal) for question in chosen) if chosen else 0.0,
            chance=fmean(_chance(question) for question in chosen) if chosen else 0.0,
            questions=len(chosen),
        )
        for name, appeal in GUESSERS.items()
    ]


def _picks(question: Question) -> list[tuple[Option, ...]]:
    size = 1 if question.kind == "single" else max(1, len(question.options) // 2)
    return list(itertools.combinations(question.options, size))


def _score(question: Question, pick: tuple[Option, ...]) -> float:
    assert isinstance(question.body, ChoiceBody)  # only such questions are looked at
    return question.body.score({option.key for option in pick})


def _chance(question: Question) -> float:
    return fmean(_score(question, pick) for pick in _picks(question))


def _guess(question: Question, appeal: Appeal) -> float:
    """What the most appealing pick earns; the mean over picks that appeal equally."""
    appeals = {option.key: appeal(question, option) for option in question.options}
    picks = [(sum(appeals[option.key] for option in pick), pick) for pick in _picks(question)]
    best = max(total for total, _ in picks)
    return fmean(_score(question, pick) for total, pick in picks if total == best)
