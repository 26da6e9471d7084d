"""Progress by evidence: unseen, read, practised, proven."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.practice import practisable
from portal.features.roadmap import queries
from portal.models import LessonRead, SubmissionKind, utcnow
from roadmap import Kind, Lesson, Module


class TopicState(StrEnum):
    """How much of a topic a learner has shown; each includes the one before it."""

    UNSEEN = "unseen"
    READ = "read"
    PRACTISED = "practised"
    PROVEN = "proven"


ORDER = {state: number for number, state in enumerate(TopicState)}


@dataclass(frozen=True)
class TopicProgress:
    """The state of one topic and the evidence that bought it."""

    topic_id: str
    state: TopicState = TopicState.UNSEEN
    source: str = ""
    """The evidence in words; empty when unseen."""
    at: datetime | None = None
    best: TopicState = TopicState.PROVEN
    """The furthest state that today's content lets anyone reach."""

    @property
    def why(self) -> str:
        """One sentence that names the evidence and its day; empty when unseen."""
        return f"{self.source} on {_day(self.at)}" if self.at is not None else ""


@dataclass(frozen=True)
class ModuleProgress:
    """How far a learner is in a set of topics."""

    percent: int
    """Steps taken of the steps that can be taken: read is one, practised two, proven three."""
    counts: dict[TopicState, int]

    @property
    def state(self) -> str:
        """`done`, `started` or `unseen`."""
        if self.percent >= 100:
            return "done"
        return "started" if self.percent else "unseen"


@dataclass(frozen=True)
class Progress:
    """The progress of one learner over the whole roadmap."""

    topics: dict[str, TopicProgress]
    lessons_read: frozenset[str]

    def of_topics(self, topic_ids: Iterable[str]) -> ModuleProgress:
        """The progress over some topics."""
        possible = done = 0
        counts = dict.fromkeys(TopicState, 0)
        for topic_id in topic_ids:
            topic = self.topics[topic_id]
            best = ORDER[topic.best]
            possible += best
            done += min(ORDER[topic.state], best)
            counts[topic.state] += 1
        return ModuleProgress(percent=100 * done // possible if possible else 0, counts=counts)

    def of_module(self, module: Module) -> ModuleProgress:
        """The progress in one module."""
        return self.of_topics(topic.id for topic in module.topics)


class ProgressService:
    """Reads and records progress in one database session."""

    def __init__(self, db: Session, content: Content) -> None:
        self.db = db
        self.content = content

    def of(self, user_id: int) -> Progress:
        """This learner's progress: three statements, then arithmetic."""
        found = queries.evidence(self.db, user_id)
        catalogue = self.content.roadmap
        best: dict[str, _Credit] = {}
        current = self.content.derived(_current_topics)

        def credit(topic_ids: Iterable[str], rank: int, source: str, at: datetime) -> None:
            for topic_id in topic_ids:
                known = best.get(topic_id)
                if known is None or known[0] < rank or (known[0] == rank and known[1] > at):
                    best[topic_id] = (rank, at, source)

        lessons_read: set[str] = set()
        for lesson_id, at in found.lessons.items():
            lesson = catalogue.lessons.get(catalogue.current_id(Kind.LESSON, lesson_id) or "")
            if lesson is not None:
                lessons_read.add(lesson.id)
                credit(current(lesson.topics), ORDER[TopicState.READ], f"read in “{lesson.title}”", at)
        practised = ORDER[TopicState.PRACTISED]
        for question_id, at in found.questions.items():
            question = self.content.bank.find(question_id)
            if question is not None:
                credit(current(question.topics), practised, "practised by a question answered right", at)
        for passed in found.tasks:
            lab = self.content.lab(passed.lab_id)
            task = next((t for t in lab.tasks if t.id == passed.task_id), None) if lab else None
            if lab is None or task is None:
                continue
            proven = passed.kind == SubmissionKind.SUBMIT
            state = TopicState.PROVEN if proven else TopicState.PRACTISED
            verb = "proven by" if proven else "practised in a check of"
            credit(current(task.proves), ORDER[state], f"{verb} “{task.title}” of {lab.title}", passed.first_at)
        topics = dict(self.content.derived(_unseen))
        states = tuple(TopicState)
        for topic_id, (rank, at, source) in best.items():
            if topic_id in topics:
                topics[topic_id] = TopicProgress(topic_id, states[rank], source, at, topics[topic_id].best)
        return Progress(topics=topics, lessons_read=frozenset(lessons_read))

    def mark_read(self, user_id: int, lesson: Lesson) -> None:
        """Record that this learner read the lesson; twice is the same as once."""
        if self.read_at(user_id, lesson) is None:
            self.db.add(
                LessonRead(
                    user_id=user_id, lesson_id=lesson.id, content_hash=lesson.content_hash, created_at=utcnow()
                )
            )

    def read_at(self, user_id: int, lesson: Lesson) -> datetime | None:
        """When this learner read the lesson, under today's id or one that it replaces."""
        replaced = self.content.roadmap.replaced.get(Kind.LESSON, {})
        former = [old for old, now in replaced.items() if now == lesson.id]
        return queries.lesson_is_read(self.db, user_id, (lesson.id, *former))


_Credit = tuple[int, datetime, str]
"""The rank of a state, when it was reached first, and by what."""


def _current_topics(content: Content) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """From topics as somebody named them to the ids that they go by now; those that are gone are left out."""

    @lru_cache(maxsize=8_192)
    def current(named: tuple[str, ...]) -> tuple[str, ...]:
        found = (content.roadmap.current_id(Kind.TOPIC, name) for name in named)
        return tuple(topic_id for topic_id in found if topic_id is not None)

    return current


def _unseen(content: Content) -> Mapping[str, TopicProgress]:
    """Every topic as it is for somebody who has done nothing."""
    return {
        topic_id: TopicProgress(topic_id, best=_reachable(content, topic_id))
        for topic_id in content.roadmap.topics
    }


def _reachable(content: Content, topic_id: str) -> TopicState:
    if topic_id in content.proofs_by_topic:
        return TopicState.PROVEN
    if any(practisable(question) for question in content.questions_by_topic.get(topic_id, ())):
        return TopicState.PRACTISED
    return TopicState.READ if content.roadmap.topics[topic_id].lesson is not None else TopicState.UNSEEN


def hours_left(modules: Iterable[Module], states: Mapping[str, ModuleProgress]) -> int:
    """What the rest of some modules is reckoned to take, in hours: what isn't done of each, rounded up once."""
    return math.ceil(sum(module.hours * (100 - states[module.id].percent) for module in modules) / 100)


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"
