"""What stands beside the tracks: ready-made plans, the glossary and the scorecard, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Aim:
    """One thing to do in a week of a ready-made plan."""

    id: str
    title: str
    refs: tuple[str, ...]
    """References to what there is for it."""


@dataclass(frozen=True, slots=True)
class PlanWeek:
    """One or more weeks of a ready-made plan."""

    title: str
    weeks: int
    aims: tuple[Aim, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A ready-made plan."""

    id: str
    title: str
    summary: str
    track: str
    hours_per_week: int
    weeks: tuple[PlanWeek, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """An entry of the glossary."""

    id: str
    title: str
    also: tuple[str, ...]
    text: str
    lesson: str | None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One side of what an architect is, with what it is computed from."""

    id: str
    title: str
    question: str
    levels: tuple[str, ...]
    """What 1 to 5 mean."""
    modules: tuple[str, ...]
    activities: tuple[str, ...]
    commitments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is done every week to be seen and to know people."""

    id: str
    title: str
    per_week: int
    advice: str


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that is noted every month."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The dimensions, and what is counted by week and by month."""

    months: int = 0
    dimensions: tuple[Dimension, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    metrics: tuple[Metric, ...] = ()
