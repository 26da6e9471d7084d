"""Success criteria of a track: reached by evidence, or by the learner's own word where only they can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.content import Content
from portal.features.roadmap import ORDER, Progress, TopicProgress, TopicState
from roadmap import Criterion, Topic, Track


class Reached(StrEnum):
    """How far a criterion is."""

    MET = "met"
    PARTLY = "partly"
    OPEN = "open"
    SAID = "said"
    """By the learner's own word."""
    UNSAID = "unsaid"


@dataclass(frozen=True)
class Piece:
    """One thing that a criterion asks for."""

    kind: str
    """`topic`, `activity` or `lab`."""
    id: str
    title: str
    at: datetime | None
    """When it was reached; None while it is missing."""
    ask: str
    """What to do for it, before its title."""
    module: str = ""
    """Where a topic is taught."""


@dataclass(frozen=True)
class Judged:
    """One criterion and what there is for it."""

    criterion: Criterion
    pieces: tuple[Piece, ...]
    said_at: datetime | None = None

    @property
    def own_word(self) -> bool:
        """Whether only the learner can tell."""
        return not self.criterion.evidence

    @property
    def missing(self) -> list[Piece]:
        """What is not there yet."""
        return [piece for piece in self.pieces if piece.at is None]

    @property
    def state(self) -> Reached:
        """How far it is."""
        if self.own_word:
            return Reached.SAID if self.said_at else Reached.UNSAID
        if not self.missing:
            return Reached.MET
        return Reached.PARTLY if len(self.missing) < len(self.pieces) else Reached.OPEN

    @property
    def is_reached(self) -> bool:
        """By evidence or by word."""
        return self.state in (Reached.MET, Reached.SAID)

    @property
    def at(self) -> datetime | None:
        """When its last piece came, or when the learner said so; None before."""
        if self.own_word:
            return self.said_at
        times = [piece.at for piece in self.pieces if piece.at is not None]
        return max(times) if times and not self.missing else None


def judge(track: Track, content: Content, progress: Progress, said: Mapping[str, datetime]) -> list[Judged]:
    """The criteria of a track, in their order."""
    return [
        Judged(
            criterion,
            tuple(_pieces(criterion.evidence, content, progress)),
            said.get(criterion.id),
        )
        for criterion in track.criteria
    ]


def _pieces(references: Iterable[str], content: Content, progress: Progress) -> Iterable[Piece]:
    for reference in references:
        kind, _, id_ = reference.partition("/")
        if kind == "topic":
            topic = content.roadmap.topics[id_]
            yield _topic(topic, progress.topics[id_])
        elif kind == "activity":
            standing = progress.activities.get(id_)
            title = content.roadmap.activities[id_].title
            yield Piece(kind, id_, title, standing.approved_at if standing else None, "have approved")
        elif kind == "lab":
            yield _lab(id_, content, progress)


def _topic(topic: Topic, reached: TopicProgress) -> Piece:
    """A topic is there when it is proven; while nothing can prove it, when it is practised."""
    needed = TopicState.PRACTISED if reached.best == TopicState.PRACTISED else TopicState.PROVEN
    there = ORDER[reached.state] >= ORDER[needed]
    ask = "prove the topic" if needed is TopicState.PROVEN else "practise the topic"
    return Piece("topic", topic.id, topic.title, reached.at if there else None, ask, topic.module)


def _lab(id_: str, content: Content, progress: Progress) -> Piece:
    ask = "pass, in a submission, every task of"
    lab = content.lab(id_)
    if lab is None:
        return Piece("lab", "", id_, None, ask)
    times = [progress.tasks_proven.get((lab.id, task.id)) for task in lab.tasks]
    reached = [time for time in times if time is not None]
    return Piece(
        "lab", lab.id, lab.title, max(reached) if reached and len(reached) == len(times) else None, ask
    )
