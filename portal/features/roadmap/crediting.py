"""From what a learner did to what it bought: pure arithmetic on evidence and today's content.

Evidence names ids that were current when it came about; everything here goes by the ids of now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from portal.content import Content
from portal.features.roadmap.progress import ORDER, Standing, TopicProgress, TopicState
from portal.features.roadmap.queries import PassedTask, Right
from portal.models import FURTHEST_LAST, SubmissionKind
from roadmap import Kind


class Ledger:
    """The evidence for each topic: the strongest stands, of equally strong ones the oldest."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.best: dict[str, TopicProgress] = {}
        self.hints: dict[str, str] = {}

    def credit(self, named: str, state: TopicState, why: str, at: datetime) -> None:
        """Credit a topic, by today's id or a former one; an id that is gone is passed over."""
        topic_id = self.content.roadmap.current_id(Kind.TOPIC, named)
        if topic_id is None:
            return
        known = self.best.get(topic_id)
        if known is None or (ORDER[known.state], -_stamp(known.at)) < (ORDER[state], -_stamp(at)):
            self.best[topic_id] = TopicProgress(topic_id, state, why, at)

    def lessons(self, read: Mapping[str, datetime]) -> frozenset[str]:
        """Credit what lessons teach; today's ids of those that were read."""
        catalogue = self.content.roadmap
        found = set()
        for lesson_id, at in read.items():
            lesson = catalogue.lessons.get(catalogue.current_id(Kind.LESSON, lesson_id) or "")
            if lesson is not None:
                found.add(lesson.id)
                for topic_id in lesson.topics:
                    self.credit(topic_id, TopicState.READ, f"read in “{lesson.title}” on {day_of(at)}", at)
        return frozenset(found)

    def questions(self, rights: Iterable[Right]) -> None:
        """Credit topics of which two questions were right, or one on two days."""
        by_topic: dict[str, list[Right]] = {}
        for right in self._by_current_id(rights):
            question = self.content.bank.find(right.question_id)
            if question is None:
                continue
            for topic_id in dict.fromkeys(map(self.content.topic_id, question.topics)):
                by_topic.setdefault(topic_id, []).append(right)
        for topic_id, found in by_topic.items():
            self._master(topic_id, sorted(found, key=lambda one: one.at))

    def _by_current_id(self, rights: Iterable[Right]) -> list[Right]:
        """One for each question of today, however many former ids its answers were given under."""
        merged: dict[str, Right] = {}
        for right in rights:
            question = self.content.bank.find(right.question_id)
            if question is None:
                continue
            known = merged.get(question.id)
            merged[question.id] = Right.joined(question.id, [right] if known is None else [known, right])
        return list(merged.values())

    def _master(self, topic_id: str, found: list[Right]) -> None:
        """`found` are right answers to different questions of one topic, oldest first."""
        ways: list[tuple[datetime, str]] = []
        if len(found) > 1:
            at = found[1].at
            ways.append((at, f"practised by two questions answered right, the second on {day_of(at)}"))
        ways += [
            (
                one.again,
                f"practised by a question answered right on {day_of(one.at)} and again on {day_of(one.again)}",
            )
            for one in found
            if one.again is not None
        ]
        if ways:
            at, why = min(ways)
            self.credit(topic_id, TopicState.PRACTISED, why, at)
        else:
            self.hints[topic_id] = (
                f"One question was right on {day_of(found[0].at)}. "
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
                why = f"{verb} “{task.title}” of {lab.title} on {day_of(one.first_at)}"
                self.credit(topic_id, state, why, one.first_at)
        return proven

    def activities(self, works: Iterable[tuple[str, Standing]]) -> dict[str, Standing]:
        """Credit what activities prove; where the learner is with each, by today's ids."""
        catalogue = self.content.roadmap
        standings: dict[str, Standing] = {}
        for named, standing in works:
            activity = catalogue.activities.get(catalogue.current_id(Kind.ACTIVITY, named) or "")
            if activity is None:
                continue
            known = standings.get(activity.id)
            standings[activity.id] = standing if known is None else furthest(known, standing)
            thing = f"{activity.kind} “{activity.title}”"
            for topic_id in activity.topics:
                if standing.approved_at is not None:
                    why = f"proven by the approved {thing} on {day_of(standing.approved_at)}"
                    self.credit(topic_id, TopicState.PROVEN, why, standing.approved_at)
                if standing.done_at is not None:
                    why = f"practised by the {thing}, which you called done on {day_of(standing.done_at)}"
                    self.credit(topic_id, TopicState.PRACTISED, why, standing.done_at)
        return standings


def furthest(one: Standing, other: Standing) -> Standing:
    """Of two pieces of work on what is one activity now, the one that came further; the newer of equal ones."""
    return max(one, other, key=lambda work: (FURTHEST_LAST.index(work.state), work.started_at))


def day_of(at: datetime) -> str:
    """`4 May 2026`."""
    return f"{at.day} {at:%B %Y}"


def _stamp(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
