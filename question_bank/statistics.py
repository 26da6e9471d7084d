"""What answers say about a question: facility, discrimination, which options work, time, and what to look at.

Everything is counted in sums (`Tally`), because sums add up: one can be kept for each version and variant of a
question, doesn't grow with the answers, and gives the same figures as the answers themselves.

A **counted** answer is a learner's first to a version of a question: later ones are remembered, not reasoned.
Facility, discrimination, options and times are of counted answers alone.

**Discrimination** is the corrected item-total correlation: Pearson's between the score on this question and the
learner's mean score on *other* questions (the rest). With the question in its own total, every question would seem
to discriminate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

TRUSTWORTHY = 30
"""Counted answers from which facility is worth acting on: its standard error is below 0.1."""
TRUSTWORTHY_PAIRS = 60
"""Pairs of item and rest from which discrimination is worth acting on: 0.2 then differs from 0 at the 10 % level."""
REST_QUESTIONS = 5
"""Other questions that a learner must have answered before their mean says how good they are."""

TOO_EASY = 0.95
TOO_HARD = 0.25
NEGATIVE = 0.0
WEAK = 0.1
NEVER_CHOSEN = 0.02
"""A wrong option that fewer than this share choose does not work."""

BUCKET_RATIO = 1.15
"""Answer times are counted in buckets, each 15 % longer than the one before: a median is right within 7.5 %."""
MAX_SECONDS = 3600.0


class Flag(StrEnum):
    """Why somebody should look at a question."""

    TOO_EASY = "too easy"
    TOO_HARD = "too hard"
    NEGATIVE = "negative"
    """Those who are good at the rest get this one wrong: often a wrong key."""
    GUESSABLE = "guessable"
    """Most get it right, and those who are weak at the rest as often as the others; it can be guessed."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over the answers to one question. x is the score on it, y the mean score on the rest; both 0 to 1."""

    answers: int = 0
    """All answers, repeated ones too."""
    counted: int = 0
    """First answers of a learner."""
    correct: int = 0
    """Counted answers that were fully right."""
    x: float = 0.0
    pairs: int = 0
    """Counted answers of learners whose rest is known; the sums below are of these."""
    px: float = 0.0
    py: float = 0.0
    pxx: float = 0.0
    pyy: float = 0.0
    pxy: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in Tally.__slots__))

    @property
    def facility(self) -> float | None:
        """The mean score of counted answers, 0 to 1; None without any."""
        return self.x / self.counted if self.counted else None

    @property
    def discrimination(self) -> float | None:
        """Item-rest correlation, -1 to 1; None when it is not defined: fewer than three pairs, or all scores alike."""
        if self.pairs < 3:
            return None
        n = self.pairs
        spread_x = n * self.pxx - self.px**2
        spread_y = n * self.pyy - self.py**2
        # Rounding leaves a hair of spread where there is none.
        if spread_x <= 1e-9 * n * n or spread_y <= 1e-9 * n * n:
            return None
        r = (n * self.pxy - self.px * self.py) / math.sqrt(spread_x * spread_y)
        return max(-1.0, min(1.0, r))

    @property
    def facility_missing(self) -> int:
        """How many more counted answers facility needs before it is trustworthy; 0 when it is."""
        return max(0, TRUSTWORTHY - self.counted)

    @property
    def discrimination_missing(self) -> int:
        """How many more pairs discrimination needs before it is trustworthy; 0 when it is."""
        return max(0, TRUSTWORTHY_PAIRS - self.pairs)


def tally(fraction: float, rest: float | None, *, counted: bool) -> Tally:
    """The tally of one answer that earned `fraction`, by a learner with this mean on the rest (None: not known)."""
    if not counted:
        return Tally(answers=1)
    correct = int(fraction >= 1.0)
    if rest is None:
        return Tally(answers=1, counted=1, correct=correct, x=fraction)
    return Tally(
        answers=1,
        counted=1,
        correct=correct,
        x=fraction,
        pairs=1,
        px=fraction,
        py=rest,
        pxx=fraction * fraction,
        pyy=rest * rest,
        pxy=fraction * rest,
    )


def rest_of(fractions: Mapping[str, float], question_id: str) -> float | None:
    """The mean over the other questions of a learner (question id → first score); None with fewer than five."""
    others = [fraction for other, fraction in fractions.items() if other != question_id]
    return sum(others) / len(others) if len(others) >= REST_QUESTIONS else None


def flags(sums: Tally, chance: float = 0.0) -> tuple[Flag, ...]:
    """What a trustworthy tally says is wrong. `chance` is what blind guessing earns, 0 to 1; 0: can't be guessed.

    Nothing is flagged before enough answers are in: facility needs 30 counted answers, discrimination 60 pairs.
    """
    found: list[Flag] = []
    facility, discrimination = sums.facility, sums.discrimination
    if facility is not None and not sums.facility_missing:
        if facility >= TOO_EASY:
            found.append(Flag.TOO_EASY)
        # Worse than chance by a hair is hard, whatever chance is.
        if facility <= max(TOO_HARD, chance):
            found.append(Flag.TOO_HARD)
    if discrimination is not None and not sums.discrimination_missing:
        if discrimination < NEGATIVE:
            found.append(Flag.NEGATIVE)
        elif discrimination < WEAK and chance > 0 and max(0.5, chance) < (facility or 0.0) < TOO_EASY:
            found.append(Flag.GUESSABLE)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class OptionCount:
    """How often one option was chosen among counted answers."""

    key: str
    chosen: int = 0
    rested: int = 0
    """How many of those who chose it have a known rest."""
    rest: float = 0.0
    """The sum of their rests."""

    def __add__(self, other: OptionCount) -> OptionCount:
        return OptionCount(
            self.key, self.chosen + other.chosen, self.rested + other.rested, self.rest + other.rest
        )

    @property
    def mean_rest(self) -> float | None:
        """How good those who chose it are at the rest, 0 to 1; None when nobody's rest is known."""
        return self.rest / self.rested if self.rested else None

    def share(self, counted: int) -> float | None:
        """The share of counted answers that chose it; None without any."""
        return self.chosen / counted if counted else None

    def never_works(self, counted: int) -> bool:
        """Whether it draws so few that, as a wrong option, it might as well be missing."""
        return counted >= TRUSTWORTHY and self.chosen < NEVER_CHOSEN * counted


def bucket_of(seconds: float) -> int:
    """The bucket that an answer time is counted in; times are taken as 1 second to an hour."""
    return round(math.log(min(max(seconds, 1.0), MAX_SECONDS)) / math.log(BUCKET_RATIO))


def seconds_of(bucket: int) -> float:
    """The time in the middle of a bucket, in seconds."""
    return BUCKET_RATIO**bucket


def median_seconds(counts: Mapping[int, int]) -> float | None:
    """The median of times that were counted in buckets (bucket → how many); None without any."""
    total = sum(counts.values())
    if not total:
        return None
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if 2 * seen >= total:
            return seconds_of(bucket)
    raise AssertionError("the buckets hold less than their sum")


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, as `report` takes it."""

    learner: str
    question_id: str
    fraction: float
    chosen: tuple[str, ...] = ()
    """Keys of the options that were chosen."""
    seconds: float | None = None


@dataclass
class Report:
    """The figures of one question."""

    tally: Tally = field(default_factory=Tally)
    options: dict[str, OptionCount] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)


def report(answers: Iterable[Answered]) -> dict[str, Report]:
    """Question id → its figures, from answers in the order in which they were given, of one version each.

    A learner's rest is what they had shown on other questions by then.
    """
    first: dict[str, dict[str, float]] = {}
    reports: dict[str, Report] = {}
    for answer in answers:
        known = first.setdefault(answer.learner, {})
        counted = answer.question_id not in known
        rest = rest_of(known, answer.question_id)
        found = reports.setdefault(answer.question_id, Report())
        found.tally += tally(answer.fraction, rest, counted=counted)
        if not counted:
            continue
        known[answer.question_id] = answer.fraction
        for key in answer.chosen:
            one = OptionCount(key, 1, int(rest is not None), rest or 0.0)
            found.options[key] = found.options.get(key, OptionCount(key)) + one
        if answer.seconds is not None:
            bucket = bucket_of(answer.seconds)
            found.times[bucket] = found.times.get(bucket, 0) + 1
    return reports


def chance(kind: str, options: int, right: int) -> float:
    """What blind guessing earns on average at a question with so many options, `right` of them right; 0 to 1.

    For a multiple choice, each option is taken or left by the toss of a coin.
    """
    if not options:
        return 0.0
    if kind != "multiple":
        return right / options
    wrong = options - right
    return (
        sum(
            math.comb(right, hits) * math.comb(wrong, slips) * max(0.0, (hits - slips) / right)
            for hits in range(right + 1)
            for slips in range(wrong + 1)
        )
        / 2.0**options
    )
