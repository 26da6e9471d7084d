"""What the catalogue holds: frozen values, tied together by ids.

A *track* lists modules, a *module* lists topics and lessons, a *topic* is the unit that a learner's progress is
counted in, a *lesson* is a Markdown text that teaches one or more topics. A module may stand in several tracks;
a topic belongs to one module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, TypeVar

from roadmap.planning import Commitment, Plan, Scorecard, Term


class Depth(StrEnum):
    """How well a learner should know a module's matter in the end, deepest first."""

    EXPERT = "expert"
    DEEP = "deep"
    WORKING = "working"
    CONCEPTUAL = "conceptual"
    AWARENESS = "awareness"


class Kind(StrEnum):
    """The kinds of entry; ids are unique within a kind."""

    TRACK = "track"
    STAGE = "stage"
    CRITERION = "criterion"
    MODULE = "module"
    TOPIC = "topic"
    LESSON = "lesson"
    ACTIVITY = "activity"
    PLAN = "plan"
    AIM = "aim"
    TERM = "term"
    DIMENSION = "dimension"
    COMMITMENT = "commitment"
    METRIC = "metric"


class ActivityKind(StrEnum):
    """What a learner makes or tries outside of lessons and labs."""

    PROJECT = "project"
    EXERCISE = "exercise"
    EXPERIMENT = "experiment"
    ARTIFACT = "artifact"


class Priority(StrEnum):
    """How much a stage matters, most first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    BONUS = "bonus"


class ReadingKind(StrEnum):
    """What sort of further reading."""

    BOOK = "book"
    DOCUMENTATION = "documentation"
    COURSE = "course"
    SITE = "site"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong with the content, said so that an author can mend it."""

    path: str
    """The file, relative to the content's root, with forward slashes."""
    line: int
    """The line, from 1; 1 also where the fault is about the whole file."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Entry(Protocol):
    """Anything that a reference can name."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def title(self) -> str:
        """What it is called."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing to know, with a sentence that already teaches it."""

    id: str
    title: str
    summary: str
    module: str
    """The id of the module that the topic belongs to."""
    lesson: str | None
    """The lesson to read for it: the first of its module's lessons that names it, else the first of all."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One idea, taught in full. The body is Markdown; whoever shows it renders and sanitises it."""

    id: str
    title: str
    summary: str
    minutes: int
    topics: tuple[str, ...]
    """Ids of the topics it teaches; always known ones."""
    labs: tuple[str, ...]
    """Slugs of the labs that prove what it says."""
    quick: tuple[str, ...]
    """Ids of questions that ask what it taught."""
    body: str
    content_hash: str
    """SHA-256 of the file with its line ends normalised, in hexadecimal: what an attempt was made against."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A project, an exercise, an experiment or an artifact: done elsewhere, handed in as a link or a text."""

    id: str
    kind: ActivityKind
    title: str
    brief: str
    """Markdown."""
    done_when: tuple[str, ...]
    """Conditions that somebody else can check."""
    hours: int
    topics: tuple[str, ...]
    """Ids of the topics that it proves once it is approved."""
    module: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A book, a documentation, a course or a site, and why to read it."""

    title: str
    by: str | None
    kind: ReadingKind
    why: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Module:
    """A stretch of learning with one artifact at its end."""

    id: str
    title: str
    summary: str
    objectives: tuple[str, ...]
    prerequisites: tuple[str, ...]
    """Ids of modules to know before; known ones, and free of cycles. They advise, they don't lock."""
    hours: int
    depth: Depth
    topics: tuple[Topic, ...]
    lessons: tuple[str, ...]
    labs: tuple[str, ...]
    activities: tuple[Activity, ...]
    """The last one is the module's artifact."""
    artifact: str
    """Markdown: what the learner makes, and what it must hold to count."""
    reading: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a track: a month, a phase, an area."""

    id: str
    title: str
    summary: str
    modules: tuple[str, ...]
    weeks: str | None
    priority: Priority | None
    needs: tuple[str, ...]
    """Stages of the same track to go through before; free of cycles."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """By what one knows that a track was worth it."""

    id: str
    title: str
    evidence: tuple[str, ...]
    """References to topics, activities and labs; empty when only the learner can tell."""


@dataclass(frozen=True, slots=True)
class Track:
    """An ordered way through modules, in stages."""

    id: str
    title: str
    summary: str
    stages: tuple[Stage, ...]
    criteria: tuple[Criterion, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """Ids in the order in which to learn them, each once."""
        return tuple(dict.fromkeys(id_ for stage in self.stages for id_ in stage.modules))


EntryT = TypeVar("EntryT", Track, Module, Topic, Lesson, Activity, Plan, Criterion, Commitment)
_KIND_OF: Mapping[type, Kind] = MappingProxyType(
    {
        Track: Kind.TRACK,
        Module: Kind.MODULE,
        Topic: Kind.TOPIC,
        Lesson: Kind.LESSON,
        Activity: Kind.ACTIVITY,
        Plan: Kind.PLAN,
        Criterion: Kind.CRITERION,
        Commitment: Kind.COMMITMENT,
    }
)


def _nothing_replaced() -> Mapping[Kind, Mapping[str, str]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All content that loaded, and every fault of it.

    The values are sound even where the files are not: an unknown id is left out of the entry that names it,
    prerequisites that form a cycle are dropped, of two entries with one id the first stands. Mappings keep the
    order of the tracks, then of the file names.
    """

    tracks: Mapping[str, Track]
    modules: Mapping[str, Module]
    topics: Mapping[str, Topic]
    lessons: Mapping[str, Lesson]
    faults: tuple[Fault, ...]
    """Sorted by file and line; empty when all is well."""
    replaced: Mapping[Kind, Mapping[str, str]] = field(default_factory=_nothing_replaced)
    """For each kind, former id → the id that took its place."""
    activities: Mapping[str, Activity] = field(default_factory=dict)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    terms: Mapping[str, Term] = field(default_factory=dict)
    scorecard: Scorecard = field(default_factory=Scorecard)

    def current_id(self, kind: Kind, id_: str) -> str | None:
        """The id that `id_` goes by now: itself while it is in use, else what replaced it, else None."""
        if id_ in self.entries(kind):
            return id_
        return self.replaced.get(kind, {}).get(id_)

    def current(self, what: type[EntryT], id_: str) -> EntryT | None:
        """The entry that goes by `id_` now, or that replaced the one which did; None when there is neither.

        `what` is the class of entry: `catalogue.current(Track, plan.track_id)`.
        """
        kind = _KIND_OF[what]
        found = self.entries(kind).get(self.current_id(kind, id_) or "")
        return found if isinstance(found, what) else None

    def ids_of(self, kind: Kind, id_: str) -> tuple[str, ...]:
        """The id of an entry, and all former ones: under which of them something may have been stored."""
        return (id_, *(old for old, now in self.replaced.get(kind, {}).items() if now == id_))

    def entries(self, kind: Kind) -> Mapping[str, Entry]:
        """All entries of a kind by id."""
        match kind:
            case Kind.TRACK:
                return self.tracks
            case Kind.MODULE:
                return self.modules
            case Kind.TOPIC:
                return self.topics
            case Kind.LESSON:
                return self.lessons
            case Kind.ACTIVITY:
                return self.activities
            case Kind.PLAN:
                return self.plans
            case Kind.TERM:
                return self.terms
            case Kind.STAGE:
                return {stage.id: stage for track in self.tracks.values() for stage in track.stages}
            case Kind.CRITERION:
                return {each.id: each for track in self.tracks.values() for each in track.criteria}
            case Kind.AIM:
                return {aim.id: aim for plan in self.plans.values() for week in plan.weeks for aim in week.aims}
            case Kind.DIMENSION:
                return {each.id: each for each in self.scorecard.dimensions}
            case Kind.COMMITMENT:
                return {each.id: each for each in self.scorecard.commitments}
            case Kind.METRIC:
                return {each.id: each for each in self.scorecard.metrics}

    def find(self, reference: str) -> Entry | None:
        """What a reference such as `topic/cache-aside` names; None when there is no such entry."""
        kind, _, id_ = reference.partition("/")
        return self.entries(Kind(kind)).get(id_) if kind in set(Kind) else None
