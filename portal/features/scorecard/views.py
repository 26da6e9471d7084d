"""What the scorecard's pages show, as plain values for their templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.features.scorecard.measuring import LEVELS, Measured
from portal.features.scorecard.radar import Radar, draw
from portal.features.scorecard.service import Month
from portal.features.scorecard.weeks import Week
from roadmap import Commitment, Dimension, Metric, Scorecard


@dataclass(frozen=True)
class Cell:
    """One dimension in one month."""

    percent: int | None
    """What the evidence says; None where there is nothing to measure."""
    words: str
    level: int | None
    """What the learner says, 1 to 5; None when they did not."""
    level_text: str


@dataclass(frozen=True)
class Row:
    """One dimension in all months, oldest first."""

    dimension: Dimension
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Chart:
    """The radar of one month, and the same in a sentence."""

    month: Month
    radar: Radar
    summary: str


def rows(card: Scorecard, months: Sequence[Month]) -> list[Row]:
    """The table: each dimension by month."""
    return [Row(dimension, tuple(_cell(dimension, month) for month in months)) for dimension in card.dimensions]


def _cell(dimension: Dimension, month: Month) -> Cell:
    measured = month.measured.get(dimension.id, Measured())
    level = month.assessed.get(dimension.id)
    share = measured.share
    return Cell(
        percent=None if share is None else round(100 * share),
        words=measured.words,
        level=level,
        level_text=dimension.levels[level - 1] if level else "",
    )


def chart(card: Scorecard, month: Month, *, small: bool = False) -> Chart:
    """The radar of a month."""
    shares = [month.measured.get(each.id, Measured()).share for each in card.dimensions]
    levels = [month.assessed.get(each.id) for each in card.dimensions]
    radar = draw(
        [each.title for each in card.dimensions],
        [None if share is None else share * LEVELS for share in shares],
        levels,
        small=small,
    )
    parts = [
        f"{each.title}: {'no evidence' if share is None else f'{round(100 * share)} % by evidence'}, "
        f"{f'{level} of {LEVELS} by yourself' if level else 'not assessed'}"
        for each, share, level in zip(card.dimensions, shares, levels, strict=True)
    ]
    return Chart(month, radar, f"{month.title}. {'; '.join(parts)}.")


def commitment_rows(commitments: Sequence[Commitment], weeks: Sequence[Week]) -> list[dict[str, object]]:
    """The week overview: each commitment by week."""
    return [
        {
            "commitment": each,
            "cells": [
                {"count": week.counts.get(each.id, 0), "kept": week.kept(each).value, "week": week}
                for week in weeks
            ],
        }
        for each in commitments
    ]


def metric_rows(metrics: Sequence[Metric], months: Sequence[Month]) -> list[dict[str, object]]:
    """The table of numbers: each metric by month."""
    return [{"metric": each, "values": [month.metrics.get(each.id) for month in months]} for each in metrics]
