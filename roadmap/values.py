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
    MODULE = "module"
    TOPIC = "topic"
    LESSON = "lesson"


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
    body: str
    content_hash: str
    """SHA-256 of the file with its line ends normalised, in hexadecimal: what an attempt was made against."""


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
    artifact: str
    """Markdown: what the learner makes, and what it must hold to count."""


@dataclass(frozen=True, slots=True)
class Track:
    """An ordered way through modules."""

    id: str
    title: str
    summary: str
    modules: tuple[str, ...]


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

    def current_id(self, kind: Kind, id_: str) -> str | None:
        """The id that `id_` goes by now: itself while it is in use, else what replaced it, else None."""
        entries: Mapping[Kind, Mapping[str, object]] = {
            Kind.TRACK: self.tracks,
            Kind.MODULE: self.modules,
            Kind.TOPIC: self.topics,
            Kind.LESSON: self.lessons,
        }
        if id_ in entries[kind]:
            return id_
        return self.replaced.get(kind, {}).get(id_)
