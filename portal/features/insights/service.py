"""How questions do, and what becomes of reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound
from portal.features.insights import queries
from portal.models import QuestionReport, utcnow
from portal.texts import tidy
from question_bank import Question, statistics
from question_bank.statistics import Flag, Tally

RESOLUTION_MAX = 1_000


class Sort(StrEnum):
    """What the list can be sorted by."""

    QUESTION = "question"
    ANSWERS = "answers"
    FACILITY = "facility"
    DISCRIMINATION = "discrimination"
    TIME = "time"
    FLAGS = "flags"
    REPORTS = "reports"


LOW_FIRST = frozenset({Sort.QUESTION, Sort.FACILITY, Sort.DISCRIMINATION})
"""Where what to look at is at the low end."""


@dataclass(frozen=True)
class Item:
    """How the version of a question that is in the bank now does."""

    question: Question
    tally: Tally
    flags: tuple[Flag, ...]
    chance: float
    median_seconds: float | None
    reports: int
    """Open ones."""
    earlier: int
    """Answers to other versions, which are not in these figures."""


class InsightService:
    """Questions as instructors see them, in one database session."""

    def __init__(self, db: Session, content: Content) -> None:
        self.db = db
        self.content = content

    def items(self) -> list[Item]:
        """Every question of the bank: three statements, whatever was answered."""
        tallies = queries.tallies(self.db)
        questions = self.content.bank.questions.values()
        buckets = queries.median_buckets(self.db, {question.content_hash for question in questions})
        reports = queries.open_reports(self.db)
        chances = self.content.derived(_chances)
        answers: dict[str, int] = {}
        for (question_id, _version), tally in tallies.items():
            answers[question_id] = answers.get(question_id, 0) + tally.answers
        return [
            item_of(
                question,
                tallies.get((question.id, question.content_hash), Tally()),
                bucket=buckets.get((question.id, question.content_hash)),
                reports=sum(reports.get(name, 0) for name in (question.id, *question.replaces)),
                all_answers=sum(answers.get(name, 0) for name in (question.id, *question.replaces)),
                chance=chances[question.id],
            )
            for question in questions
        ]

    def close(self, report_id: int, instructor_id: int, resolution: str) -> QuestionReport:
        """Close a report, with a word on what was done. Raises NotFound, Conflict, Invalid."""
        report = queries.report(self.db, report_id)
        if report is None:
            raise NotFound("There is no such report.")
        if report.closed_at is not None:
            raise Conflict("Somebody has closed this report already.")
        resolution = tidy(resolution)
        if len(resolution) > RESOLUTION_MAX:
            raise Invalid(f"Say it in at most {RESOLUTION_MAX:,} characters; this has {len(resolution):,}.")
        report.closed_at, report.closed_by, report.resolution = utcnow(), instructor_id, resolution
        return report


def item_of(
    question: Question,
    tally: Tally,
    *,
    bucket: int | None,
    reports: int = 0,
    all_answers: int = 0,
    chance: float | None = None,
) -> Item:
    """The figures of one question; `chance` is reckoned when it is not given."""
    chance = chance_of(question) if chance is None else chance
    return Item(
        question=question,
        tally=tally,
        flags=statistics.flags(tally, chance),
        chance=chance,
        median_seconds=statistics.seconds_of(bucket) if bucket is not None else None,
        reports=reports,
        earlier=max(0, all_answers - tally.answers),
    )


def chance_of(question: Question) -> float:
    """What blind guessing earns at this question."""
    return statistics.chance(
        question.kind, len(question.options), sum(option.right for option in question.options)
    )


def _chances(content: Content) -> Mapping[str, float]:
    """Question id → what blind guessing earns."""
    return {question.id: chance_of(question) for question in content.bank.questions.values()}


def _no_figure(_item: Item) -> float | None:
    return None


_FIGURES: Mapping[Sort, Callable[[Item], float | None]] = {
    Sort.ANSWERS: lambda item: item.tally.answers,
    Sort.FACILITY: lambda item: item.tally.facility,
    Sort.DISCRIMINATION: lambda item: item.tally.discrimination,
    Sort.TIME: lambda item: item.median_seconds,
    Sort.FLAGS: lambda item: len(item.flags),
    Sort.REPORTS: lambda item: item.reports,
}


def arranged(items: Iterable[Item], sort: Sort, *, down: bool) -> list[Item]:
    """The items sorted; what has no figure comes last, either way."""

    value = _FIGURES.get(sort, _no_figure)
    by_name = sorted(items, key=lambda item: (item.question.module, item.question.id), reverse=down)
    if sort is Sort.QUESTION:
        return by_name
    by_name = sorted(by_name, key=lambda item: (item.question.module, item.question.id))
    known = [(found, item) for item in by_name if (found := value(item)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=down)
    return [item for _found, item in known] + [item for item in by_name if value(item) is None]
