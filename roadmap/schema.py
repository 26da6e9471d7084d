"""The shape of the content's files: what an author may write, with the bounds of every field.

`tracks/<id>.yaml` is a `TrackFile`, `modules/<id>.yaml` a `ModuleFile`, the front matter of `lessons/<id>.md`
a `LessonHead`. What stands beside them is in `planning_schema`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from roadmap.values import ActivityKind, Depth, Priority, ReadingKind

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=60)]
"""A stable id: words in lower case joined by hyphens. Once published it is renamed only with `replaces`."""

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=90)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=400)]
"""One or two sentences that teach or state something."""
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]
Brief = Annotated[str, StringConstraints(strip_whitespace=True, min_length=40, max_length=3000)]
"""Markdown: what to do."""
Weeks = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}(-[0-9]{1,2})?$")]
"""`3` or `1-4`."""
Reference = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9]+(-[a-z0-9]+)*$", max_length=90)]
"""`topic/cache-aside`: the kind of an entry and its id."""
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=40, max_length=6000)]
"""A few paragraphs of Markdown."""


class Strict(BaseModel):
    """Unknown keys are faults (they are mostly misspelt ones), and nothing is converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StageEntry(Strict):
    """One item of a track's `stages`: a month, a phase, an area."""

    id: Id
    title: Title
    summary: Sentence
    weeks: Weeks | None = None
    priority: Priority | None = Field(default=None, strict=False)
    needs: list[Id] = Field(default_factory=list, max_length=12)
    """Stages of the same track that come before it."""
    modules: list[Id] = Field(min_length=1, max_length=40)
    """In the order in which to learn them."""


class EvidenceEntry(Strict):
    """What shows that something was reached. Empty: the learner says it of themselves."""

    topics: list[Id] = Field(default_factory=list, max_length=60)
    activities: list[Id] = Field(default_factory=list, max_length=40)
    labs: list[Id] = Field(default_factory=list, max_length=20)

    @property
    def references(self) -> list[str]:
        """Each as a reference."""
        return [
            *(f"topic/{id_}" for id_ in self.topics),
            *(f"activity/{id_}" for id_ in self.activities),
            *(f"lab/{id_}" for id_ in self.labs),
        ]


class CriterionEntry(Strict):
    """One item of a track's `criteria`: by what one knows that the track was worth it."""

    id: Id
    title: Line
    evidence: EvidenceEntry = Field(default_factory=EvidenceEntry)
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class TrackFile(Strict):
    """`tracks/<id>.yaml`."""

    id: Id
    order: int = Field(ge=1, le=999)
    """Its place among the tracks, the least first; no two tracks have the same."""
    title: Title
    summary: Sentence
    stages: list[StageEntry] = Field(min_length=1, max_length=30)
    criteria: list[CriterionEntry] = Field(default_factory=list, max_length=40)
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class ActivityEntry(Strict):
    """One item of a module's `activities`: what a learner does outside of lessons and labs."""

    id: Id
    kind: ActivityKind = Field(strict=False)
    title: Title
    brief: Brief
    done_when: list[Sentence] = Field(min_length=1, max_length=8)
    hours: int = Field(ge=1, le=120)
    topics: list[Id] = Field(default_factory=list, max_length=30)
    """Of any module."""
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class ReadingEntry(Strict):
    """One item of a module's `reading`."""

    title: Line
    by: Line | None = None
    kind: ReadingKind = Field(strict=False)
    why: Sentence
    url: Annotated[str, StringConstraints(pattern=r"^https://[^\s<>\"]+$", max_length=300)] | None = None


class TopicEntry(Strict):
    """One item of a module's `topics`."""

    id: Id
    title: Title
    summary: Sentence
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class ModuleFile(Strict):
    """`modules/<id>.yaml`."""

    id: Id
    title: Title
    summary: Sentence
    objectives: list[Sentence] = Field(min_length=2, max_length=12)
    prerequisites: list[Id] = Field(default_factory=list, max_length=12)
    hours: int = Field(ge=1, le=200)
    depth: Depth = Field(strict=False)
    topics: list[TopicEntry] = Field(min_length=1, max_length=60)
    lessons: list[Id] = Field(default_factory=list, max_length=40)
    labs: list[Id] = Field(default_factory=list, max_length=20)
    activities: list[ActivityEntry] = Field(default_factory=list, max_length=40)
    artifact: Prose
    reading: list[ReadingEntry] = Field(default_factory=list, max_length=20)
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class LessonHead(Strict):
    """The front matter of `lessons/<id>.md`."""

    id: Id
    title: Title
    summary: Sentence
    minutes: int = Field(ge=2, le=120)
    topics: list[Id] = Field(min_length=1, max_length=20)
    labs: list[Id] = Field(default_factory=list, max_length=10)
    quick: list[Id] = Field(default_factory=list, max_length=3)
    """Questions of the bank that ask what the lesson taught."""
    replaces: list[Id] = Field(default_factory=list, max_length=20)
