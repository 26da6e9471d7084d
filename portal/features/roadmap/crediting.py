"""From what a learner did to what it bought: pure arithmetic on evidence and today's content.

Evidence names ids that were current when it came about; everything here goes by the ids of now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo
from functools import partial

from portal.content import Content
from portal.days import day_in
from portal.features.roadmap.progress import ORDER, Standing, TopicProgress, TopicState
from portal.features.roadmap.queries import PassedTask, Right
from portal.models import FURTHEST_LAST, SubmissionKind
from roadmap import Activity, Kind, Lesson


class _Day:
    """A moment that says its day in a zone when it is formatted: `4 May 2026`."""

    __slots__ = ("at", "zone")

    def __init__(self, at: datetime, zone: tzinfo) -> None:
        self.at = at
        self.zone = zone

    def __format__(self, _form: str) -> str:
        day = day_in(self.zone, self.at)
        return f"{day.day} {day:%B %Y}"


Why = Callable[[], str]
"""Says why, once it is known that it is wanted."""


class Ledger:
    """The evidence for each topic: the strongest stands, of equally strong ones the oldest. Days are those of the zone."""

    def __init__(self, content: Content, zone: tzinfo) -> None:
        self.content = content
        self.zone = zone
        self.hints: dict[str, str] = {}
        self._best: dict[str, tuple[TopicState, datetime, Why]] = {}

    def credited(self) -> dict[str, TopicProgress]:
        """What was credited, by topic id."""
        return {name: TopicProgress(name, state, why(), at) for name, (state, at, why) in self._best.items()}

    def credit(self, named: str, state: TopicState, at: datetime, why: Why) -> None:
        """Credit a topic, by today's id or a former one; an id that is gone is passed over."""
        topic_id = self.content.roadmap.current_id(Kind.TOPIC, named)
        if topic_id is None:
            return
        known = self._best.get(topic_id)
        if known is None or ORDER[known[0]] < ORDER[state] or (known[0] == state and at < known[1]):
            self._best[topic_id] = (state, at, why)

    def lessons(self, read: Mapping[str, datetime]) -> frozenset[str]:
        """Credit what lessons teach; today's ids of those that were read."""
        catalogue = self.content.roadmap
        found = set()
        for lesson_id, at in read.items():
            lesson = catalogue.current(Lesson, lesson_id)
            if lesson is not None:
                found.add(lesson.id)
                why = partial("read in “{}” on {}".format, lesson.title, self._day(at))
                for topic_id in lesson.topics:
                    self.credit(topic_id, TopicState.READ, at, why)
        return frozenset(found)

    def questions(self, rights: Iterable[Right]) -> None:
        """Credit topics of which two questions were right, or one on two days."""
        topics_of = self.content.derived(_topics_of)
        by_topic: dict[str, list[Right]] = {}
        for right in self._by_current_id(rights):
            for topic_id in topics_of[right.question_id]:
                by_topic.setdefault(topic_id, []).append(right)
        for topic_id, found in by_topic.items():
            self._master(topic_id, sorted(found, key=lambda one: one.at))

    def _day(self, at: datetime) -> _Day:
        """The day of a moment, where the learner is."""
        return _Day(at, self.zone)

    def _by_current_id(self, rights: Iterable[Right]) -> Iterable[Right]:
        """One for each question of today, however many former ids its answers were given under."""
        merged: dict[str, Right] = {}
        for right in rights:
            question = self.content.bank.find(right.question_id)
            if question is None:
                continue
            known = merged.get(question.id)
            if known is None and question.id == right.question_id:
                merged[question.id] = right
            else:
                merged[question.id] = Right.joined(
                    question.id, [right] if known is None else [known, right], self.zone
                )
        return merged.values()

    def _master(self, topic_id: str, found: list[Right]) -> None:
        """`found` are right answers to different questions of one topic, oldest first."""
        for one in found:
            if one.again is not None:
                words = "practised by a question answered right on {} and again on {}"
                why = partial(words.format, self._day(one.at), self._day(one.again))
                self.credit(topic_id, TopicState.PRACTISED, one.again, why)
        if len(found) > 1:
            why = partial(
                "practised by two questions answered right, the second on {}".format, self._day(found[1].at)
            )
            self.credit(topic_id, TopicState.PRACTISED, found[1].at, why)
        elif found[0].again is None:
            self.hints[topic_id] = (
                f"One question was right on {self._day(found[0].at)}. "
                "A second one, or the same on another day, makes the topic practised."
            )

    def tasks(self, passed: Iterable[PassedTask]) -> dict[tuple[str, str], datetime]:
        """Credit what lab tasks prove; (lab, task) → when it first passed in a submission, by today's ids."""
        proven: dict[tuple[str, str], datetime] = {}
        for one in passed:
            lab = self.content.lab(one.lab_id)
            task = next((t for t in lab.tasks if t.id == one.task_id), None) if lab else None
            if lab is None or task is None:
                continue
            counts = one.kind == SubmissionKind.SUBMIT
            state = TopicState.PROVEN if counts else TopicState.PRACTISED
            verb = "proven by" if counts else "practised in a check of"
            if counts:
                where = (lab.id, task.id)
                proven[where] = min(one.first_at, proven.get(where, one.first_at))
            for topic_id in task.proves:
                why = partial(
                    f"{verb} “{{}}” of {{}} on {{}}".format, task.title, lab.title, self._day(one.first_at)
                )
                self.credit(topic_id, state, one.first_at, why)
        return proven

    def activities(self, works: Iterable[tuple[str, Standing]]) -> dict[str, Standing]:
        """Credit what activities prove; where the learner is with each, by today's ids."""
        catalogue = self.content.roadmap
        standings: dict[str, Standing] = {}
        for named, standing in works:
            activity = catalogue.current(Activity, named)
            if activity is None:
                continue
            known = standings.get(activity.id)
            standings[activity.id] = standing if known is None else furthest(known, standing)
            thing = f"{activity.kind} “{activity.title}”"
            for topic_id in activity.topics:
                if standing.approved_at is not None:
                    why = partial(
                        "proven by the approved {} on {}".format, thing, self._day(standing.approved_at)
                    )
                    self.credit(topic_id, TopicState.PROVEN, standing.approved_at, why)
                if standing.done_at is not None:
                    words = "practised by the {}, which you called done on {}"
                    why = partial(words.format, thing, self._day(standing.done_at))
                    self.credit(topic_id, TopicState.PRACTISED, standing.done_at, why)
        return standings


def furthest(one: Standing, other: Standing) -> Standing:
    """Of two pieces of work on what is one activity now, the one that came further; the newer of equal ones."""
    return max(one, other, key=lambda work: (FURTHEST_LAST.index(work.state), work.started_at))


def _topics_of(content: Content) -> dict[str, tuple[str, ...]]:
    """Question id → the topics that it touches, by the ids that they go by now."""
    return {
        question.id: tuple(dict.fromkeys(map(content.topic_id, question.topics)))
        for question in content.bank.questions.values()
    }
