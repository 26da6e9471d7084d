"""Progress as plain values: what one learner has shown, over the whole roadmap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from labs.catalogue import Lab
from portal.models import WorkState
from roadmap import Catalogue, Module, Track


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
    hint: str = ""
    """What is there already on the way to the next state; empty when there is nothing to say."""


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
class Standing:
    """Where a learner is with one activity."""

    state: WorkState
    started_at: datetime
    done_at: datetime | None = None
    """When the learner said that it is done."""
    approved_at: datetime | None = None

    def before(self, moment: datetime) -> Standing:
        """Where the learner was at that moment, after the beginning."""
        approved = self.approved_at is not None and self.approved_at < moment
        done = self.done_at is not None and self.done_at < moment
        if approved or (self.approved_at is None and done):
            return self
        return Standing(
            state=WorkState.DONE if done else WorkState.STARTED,
            started_at=self.started_at,
            done_at=self.done_at if done else None,
        )


@dataclass(frozen=True)
class Progress:
    """The progress of one learner over the whole roadmap."""

    topics: dict[str, TopicProgress]
    lessons_read: frozenset[str]
    activities: Mapping[str, Standing] = field(default_factory=dict)
    """Those that the learner began, by today's id."""
    tasks_proven: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """(lab, task) → when it first passed in a submission, by today's id of the lab."""

    def of_topics(self, topic_ids: Iterable[str]) -> ModuleProgress:
        """The progress over some topics."""
        found = [self.topics[topic_id] for topic_id in topic_ids]
        possible = sum(ORDER[topic.best] for topic in found)
        done = sum(min(ORDER[topic.state], ORDER[topic.best]) for topic in found)
        counts = {state: sum(topic.state == state for topic in found) for state in TopicState}
        return ModuleProgress(percent=100 * done // possible if possible else 0, counts=counts)

    def of_module(self, module: Module) -> ModuleProgress:
        """The progress in one module."""
        return self.of_modules([module])

    def of_modules(self, modules: Iterable[Module]) -> ModuleProgress:
        """The progress over the topics of some modules."""
        return self.of_topics(topic.id for module in modules for topic in module.topics)

    def has_passed(self, lab: Lab) -> bool:
        """Whether every task of the lab was passed in a submission."""
        return all((lab.id, task.id) in self.tasks_proven for task in lab.tasks)

    def tracks_begun(self, catalogue: Catalogue) -> list[Track]:
        """The tracks in which the learner has shown anything, or began an activity; all of them when there is none."""
        begun = [
            track
            for track in catalogue.tracks.values()
            if any(
                any(self.topics[topic.id].state != TopicState.UNSEEN for topic in module.topics)
                or any(activity.id in self.activities for activity in module.activities)
                for module in map(catalogue.modules.__getitem__, track.modules)
            )
        ]
        return begun or list(catalogue.tracks.values())


def hours_left(modules: Iterable[Module], states: Mapping[str, ModuleProgress]) -> int:
    """What the rest of some modules is reckoned to take, in hours: what isn't done of each, rounded up once."""
    return math.ceil(sum(module.hours * (100 - states[module.id].percent) for module in modules) / 100)
