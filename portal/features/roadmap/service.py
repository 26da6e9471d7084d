"""Progress by evidence: unseen, read, practised, proven."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
    why: str = ""
    """One sentence that names the evidence; empty when unseen."""
    at: datetime | None = None
    best: TopicState = TopicState.PROVEN
    """The furthest state that today's content lets anyone reach."""


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
        found = [self.topics[topic_id] for topic_id in topic_ids]
        possible = sum(ORDER[topic.best] for topic in found)
        done = sum(min(ORDER[topic.state], ORDER[topic.best]) for topic in found)
        counts = {state: sum(topic.state == state for topic in found) for state in TopicState}
        return ModuleProgress(percent=100 * done // possible if possible else 0, counts=counts)

    def of_module(self, module: Module) -> ModuleProgress:
        """The progress in one module."""
        return self.of_topics(topic.id for topic in module.topics)


class ProgressService:
    """Reads and records progress in one database session."""

    def __init__(self, db: Session, content: Content) -> None:
        self.db = db
        self.content = content

    def evidence(self, user_id: int) -> queries.Evidence:
        """What this learner has done, with the dates."""
        return queries.evidence(self.db, user_id)

    def of(self, user_id: int) -> Progress:
        """This learner's progress: three statements, then arithmetic."""
        return self.bought_by(self.evidence(user_id))

    def bought_by(self, found: queries.Evidence) -> Progress:
        """The progress that this evidence buys with today's content."""
        catalogue = self.content.roadmap
        best: dict[str, TopicProgress] = {}

        def credit(named: str, state: TopicState, why: str, at: datetime) -> None:
            topic_id = catalogue.current_id(Kind.TOPIC, named)
            if topic_id is None:
                return
            known = best.get(topic_id)
            if known is None or (ORDER[known.state], -_stamp(known.at)) < (ORDER[state], -_stamp(at)):
                best[topic_id] = TopicProgress(topic_id, state, why, at)

        lessons_read: set[str] = set()
        for lesson_id, at in found.lessons.items():
            lesson = catalogue.lessons.get(catalogue.current_id(Kind.LESSON, lesson_id) or "")
            if lesson is not None:
                lessons_read.add(lesson.id)
                for topic_id in lesson.topics:
                    credit(topic_id, TopicState.READ, f"read in “{lesson.title}” on {_day(at)}", at)
        for question_id, at in found.questions.items():
            question = self.content.bank.find(question_id)
            for topic_id in question.topics if question is not None else ():
                credit(
                    topic_id,
                    TopicState.PRACTISED,
                    f"practised by a question answered right on {_day(at)}",
                    at,
                )
        for passed in found.tasks:
            lab = self.content.lab(passed.lab_id)
            task = next((t for t in lab.tasks if t.id == passed.task_id), None) if lab else None
            if lab is None or task is None:
                continue
            proven = passed.kind == SubmissionKind.SUBMIT
            state = TopicState.PROVEN if proven else TopicState.PRACTISED
            verb = "proven by" if proven else "practised in a check of"
            for topic_id in task.proves:
                credit(
                    topic_id,
                    state,
                    f"{verb} “{task.title}” of {lab.title} on {_day(passed.first_at)}",
                    passed.first_at,
                )
        topics: dict[str, TopicProgress] = {}
        for topic_id in self.content.roadmap.topics:
            seen = best.get(topic_id, TopicProgress(topic_id))
            topics[topic_id] = TopicProgress(topic_id, seen.state, seen.why, seen.at, self._reachable(topic_id))
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

    def _reachable(self, topic_id: str) -> TopicState:
        if topic_id in self.content.proofs_by_topic:
            return TopicState.PROVEN
        if any(practisable(question) for question in self.content.questions_by_topic.get(topic_id, ())):
            return TopicState.PRACTISED
        has_lesson = self.content.roadmap.topics[topic_id].lesson is not None
        return TopicState.READ if has_lesson else TopicState.UNSEEN


def hours_left(modules: Iterable[Module], states: Mapping[str, ModuleProgress]) -> int:
    """What the rest of some modules is reckoned to take, in hours: what isn't done of each, rounded up once."""
    return math.ceil(sum(module.hours * (100 - states[module.id].percent) for module in modules) / 100)


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"


def _stamp(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
