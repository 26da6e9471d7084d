"""What the practice pages show, as plain values for their templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy.orm import Session

from portal.content import Content
from portal.days import day_in
from portal.features import practice
from portal.features.practice import practisable
from portal.features.practice import programs as program_views
from portal.features.practice import views as practice_views
from portal.features.reviews import queries
from portal.features.reviews.choosing import WEAK_SHOWN, Chooser, current_cards
from portal.features.reviews.programs import graded_of
from portal.features.reviews.queries import SessionLine
from portal.models import (
    RUNS_PENDING,
    CodeRun,
    PracticeAnswer,
    PracticeSession,
    PracticeSource,
    RunPurpose,
    utcnow,
    zone_for,
)
from question_bank import Answer, Bank, Question, scheduling
from roadmap import Lesson, Module, Topic, Track

FORECAST_DAYS = 30
CHART_HEIGHT = 120
BAR_STEP = 20
"""Width of a day in the chart's own units."""
SOURCE_TITLES = {
    PracticeSource.DUE: "What is due",
    PracticeSource.WEAKNESS: "Weak spots",
    PracticeSource.BOOKMARKS: "Bookmarked questions",
}


@dataclass(frozen=True)
class Bar:
    """One day of the forecast: what it says, and where its bar stands in the chart."""

    day: date
    count: int
    x: float
    y: float
    height: float
    tick: bool
    """Whether the axis names this day."""


@dataclass(frozen=True)
class Forecast:
    """How many questions come due on each of the next days."""

    bars: tuple[Bar, ...]
    most: int
    total: int
    width: int = FORECAST_DAYS * BAR_STEP
    height: int = CHART_HEIGHT
    step: int = BAR_STEP

    @property
    def summary(self) -> str:
        """The chart in a sentence, for those who don't see it."""
        if not self.total:
            return f"Nothing comes due in the next {FORECAST_DAYS} days."
        busiest = max(self.bars, key=lambda bar: bar.count)
        questions = "question comes" if self.total == 1 else "questions come"
        words = f"{self.total} {questions} due in the next {FORECAST_DAYS} days, {self.bars[0].count} today"
        if busiest is self.bars[0]:
            return f"{words}."
        return f"{words}; the most, {busiest.count}, on {busiest.day.day} {busiest.day:%B}."


def forecast(dues: Iterable[datetime], now: datetime, zone: tzinfo) -> Forecast:
    """The chart of the next 30 days, today first; days are those of the zone."""
    counts = scheduling.forecast(dues, now, FORECAST_DAYS, zone)
    today = day_in(zone, now)
    most = max(counts)
    scale = (CHART_HEIGHT - 8) / most if most else 0.0
    bars = []
    for ahead, count in enumerate(counts):
        height = round(count * scale, 1)
        bars.append(
            Bar(
                day=today + timedelta(days=ahead),
                count=count,
                x=ahead * BAR_STEP + 3,
                y=round(CHART_HEIGHT - height, 1),
                height=height,
                tick=ahead % 7 == 0,
            )
        )
    return Forecast(tuple(bars), most, sum(counts))


@dataclass(frozen=True)
class Offered:
    """What the content offers to practise, with how many questions each has; the same for every learner."""

    tracks: list[dict[str, Any]]
    modules: list[dict[str, Any]]
    topics: list[dict[str, Any]]
    """Modules with their topics."""


def offered(content: Content) -> Offered:
    """Tracks, modules and topics that have questions."""
    roadmap = content.roadmap
    asked = [question for question in content.bank.questions.values() if practisable(question)]
    by_module = Counter(question.module for question in asked)
    by_topic = Counter(topic for question in asked for topic in question.topics)
    return Offered(
        tracks=[
            {"id": track.id, "title": track.title, "count": count}
            for track in roadmap.tracks.values()
            if (count := sum(by_module[module] for module in track.modules))
        ],
        modules=[
            {"id": m.id, "title": m.title, "count": by_module[m.id]}
            for m in roadmap.modules.values()
            if by_module[m.id]
        ],
        topics=[
            {
                "module": m.title,
                "topics": [
                    {"id": t.id, "title": t.title, "count": by_topic[t.id]} for t in m.topics if by_topic[t.id]
                ],
            }
            for m in roadmap.modules.values()
            if any(by_topic[t.id] for t in m.topics)
        ],
    )


def weak(content: Content, chooser: Chooser) -> list[dict[str, Any]]:
    """The topics that went worst."""
    topics = content.roadmap.topics
    return [
        {
            "title": topics[one.topic_id].title,
            "id": one.topic_id,
            "earned": one.earned,
            "answered": one.answered,
        }
        for one in chooser.weak_topics()[:WEAK_SHOWN]
        if one.topic_id in topics
    ]


def question_page(
    db: Session,
    content: Content,
    session: PracticeSession,
    answer: PracticeAnswer,
    question: Question,
    *,
    given: Answer = None,
    error: str | None = None,
    run: CodeRun | None = None,
) -> dict[str, Any]:
    """One question of a session: its form, or what there is to say once it was answered. `run` is its newest program."""
    onward = waiting(session, content.bank, after=answer.position)
    kept = queries.note(db, session.user_id, question.id)
    facts: dict[str, Any] = {
        "sitting": session,
        "title": title_of(content, session),
        "answer": answer,
        "total": len(session.answers),
        "answered": sum(one.fraction is not None for one in session.answers),
        "bookmarked": kept is not None and kept.bookmarked,
        "note": kept.text if kept is not None else "",
        "next_position": onward.position if onward is not None else None,
        "expected": question.seconds,
    }
    facts |= {"run": run_view(run, question, answer)}
    if answer.given_at is None or (run is not None and run.state in RUNS_PENDING):
        # What was written last: in the form that comes back, in a program that could not be run, or in one that was tried.
        written = given or answer.given or (run.program if run is not None else None)
        view = practice_views.asked(question, answer.seed, number=answer.position, given=written, error=error)
        return facts | {"question": view}
    view = practice_views.graded(
        question,
        answer.seed,
        content=content,
        number=answer.position,
        given=answer.given,
        result=graded_of(run, question, answer.seed) if run is not None else None,
        fraction=answer.fraction,
        correct=answer.correct,
        content_hash=answer.content_hash,
    )
    cards = queries.cards_of(db, session.user_id, (question.id, *question.replaces))
    card = current_cards(content, cards).get(question.id)
    again = until(card.due, utcnow(), zone_for(db, session.user_id)) if card else ""
    return facts | {"question": view, "again": again, "seconds": answer.seconds}


def run_view(run: CodeRun | None, question: Question, answer: PracticeAnswer) -> dict[str, Any] | None:
    """A program that waits, is run or was tried, for its part of the page; None when there is none."""
    if run is None:
        return None
    graded = graded_of(run, question, answer.seed)
    shown = question.present(practice.seed_of(question, answer.seed))
    return {
        "state": str(run.state),
        "pending": run.state in RUNS_PENDING,
        "tried": run.purpose == RunPurpose.TRY,
        "cases": run.cases,
        "done": run.cases_done,
        "error": run.error,
        "message": graded.message if graded else "",
        "lines": program_views.cases(graded, shown.code) if graded and shown.code else [],
    }


def waiting(session: PracticeSession, bank: Bank, after: int = 0) -> PracticeAnswer | None:
    """The first question that waits behind this position, else the first that waits at all."""
    open_ones = [
        one for one in session.answers if one.fraction is None and bank.find(one.question_id) is not None
    ]
    return next((one for one in open_ones if one.position > after), open_ones[0] if open_ones else None)


def title_of(content: Content, session: PracticeSession | SessionLine) -> str:
    """What a session is about, in words."""
    source = PracticeSource(session.source)
    if source in SOURCE_TITLES:
        return SOURCE_TITLES[source]
    roadmap = content.roadmap
    if source is PracticeSource.TOPIC:
        topic = roadmap.current(Topic, session.source_id)
        return topic.title if topic else "A topic that is gone"
    if source is PracticeSource.MODULE:
        module = roadmap.current(Module, session.source_id)
        return module.title if module else "A module that is gone"
    if source is PracticeSource.LESSON:
        lesson = roadmap.current(Lesson, session.source_id)
        return f"After reading: {lesson.title}" if lesson else "A lesson that is gone"
    track = roadmap.current(Track, session.source_id)
    return track.title if track else "A track that is gone"


def until(due: datetime, now: datetime, zone: tzinfo) -> str:
    """When a question is asked again, from now: `now`, `in 10 minutes`, and in days of the zone `tomorrow`, `in 3 days`."""
    seconds = (due - now).total_seconds()
    if seconds <= 0:
        return "now"
    minutes = round(seconds / 60)
    if minutes < 90:
        return "in a minute" if minutes <= 1 else f"in {minutes} minutes"
    hours = round(seconds / 3600)
    days = (day_in(zone, due) - day_in(zone, now)).days
    if hours < 20 or days < 1:
        return f"in {hours} hours"
    if days < 60:
        return "tomorrow" if days == 1 else f"in {days} days"
    return f"in {round(days / 30.4)} months"
