"""What a learner has shown at a moment, as a plan counts it: is this lesson, this lab, this aim done?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from portal.content import Content
from portal.days import day_in
from portal.features.practice import practisable
from portal.features.roadmap import Evidence, Progress, TopicState
from portal.models import SubmissionKind
from roadmap import Kind, Lesson, Module

LAB = "lab"
"""The kind of references that lead to a lab; the roadmap doesn't know these."""


@dataclass(frozen=True)
class Shown:
    """The state of one learner."""

    content: Content
    progress: Progress
    labs: frozenset[str]
    """Labs of which every task was passed in a submission."""
    activities: frozenset[str]

    def minutes_left(self, module: Module) -> int:
        """What the rest of the module is reckoned to take."""
        return -(-module.hours * 60 * (100 - self.progress.of_module(module).percent) // 100)

    def practised(self, topic_id: str) -> bool:
        """Whether the topic is practised or better; for one that nobody can practise, whether it is as far as it gets."""
        topic = self.progress.topics[topic_id]
        if topic.state in (TopicState.PRACTISED, TopicState.PROVEN):
            return True
        return topic.state == topic.best != TopicState.UNSEEN

    def to_practise(self, module: Module) -> list[str]:
        """Topics of the module that have questions and are not practised."""
        asked = self.content.questions_by_topic
        return [
            topic.id
            for topic in module.topics
            if not self.practised(topic.id) and any(map(practisable, asked.get(topic.id, ())))
        ]

    def is_done(self, reference: str) -> bool:
        """Whether there is evidence for what a reference names; never for what only the learner can tell."""
        kind, _, id_ = reference.partition("/")
        catalogue = self.content.roadmap
        match kind:
            case Kind.TOPIC:
                return self.practised(id_)
            case Kind.LESSON:
                return id_ in self.progress.lessons_read
            case Kind.MODULE:
                return self._is_through([id_])
            case Kind.STAGE:
                stages = (stage for track in catalogue.tracks.values() for stage in track.stages)
                return self._is_through(next((s.modules for s in stages if s.id == id_), ()))
            case Kind.TRACK:
                return self._is_through(catalogue.tracks[id_].modules)
            case Kind.ACTIVITY:
                return id_ in self.activities
            case _:
                return kind == LAB and id_ in self.labs

    def _is_through(self, modules: tuple[str, ...] | list[str]) -> bool:
        known = self.content.roadmap.modules
        return bool(modules) and all(self.progress.of_module(known[m]).percent >= 100 for m in modules)


def shown(content: Content, progress: Progress) -> Shown:
    """What a learner's progress shows."""
    labs = frozenset(lab.id for lab in content.labs.labs.values() if progress.has_passed(lab))
    return Shown(content, progress, labs, activities_done(progress))


def activities_done(progress: Progress) -> frozenset[str]:
    """Ids of the activities that the learner has done, or that were approved."""
    return frozenset(
        name
        for name, standing in progress.activities.items()
        if standing.done_at is not None or standing.approved_at is not None
    )


@dataclass(frozen=True)
class Deeds:
    """What was done in a week."""

    lessons: tuple[str, ...] = ()
    """Titles."""
    tasks: tuple[str, ...] = ()
    """Titles of lab tasks that were passed in a submission."""
    questions: int = 0
    """How many were answered right for the first time."""

    @property
    def none(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.lessons or self.tasks or self.questions)


def deeds(content: Content, found: Evidence, since: date, until: date) -> Deeds:
    """What was done from one day on and before the other, in the learner's days."""

    def within(at: datetime) -> bool:
        return since <= day_in(found.zone, at) < until

    catalogue = content.roadmap
    lessons = [
        lesson.title
        for name, at in found.lessons.items()
        if within(at) and (lesson := catalogue.current(Lesson, name)) is not None
    ]
    tasks = []
    for passed in found.tasks:
        lab = content.lab(passed.lab_id)
        if lab is None or passed.kind != SubmissionKind.SUBMIT or not within(passed.first_at):
            continue
        tasks += [f"{task.title} ({lab.title})" for task in lab.tasks if task.id == passed.task_id]
    return Deeds(tuple(lessons), tuple(tasks), sum(map(within, found.right_answers())))
