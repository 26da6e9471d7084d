"""The shape of the content's files: what an author may write, with the bounds of every field.

`tracks/<id>.yaml` is a `TrackFile`, `modules/<id>.yaml` a `ModuleFile`, the front matter of `lessons/<id>.md`
a `LessonHead`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from roadmap.values import Depth

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=60)]
"""A stable id: words in lower case joined by hyphens. Once published it is renamed only with `replaces`."""

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=90)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=20, max_length=400)]
"""One or two sentences that teach or state something."""
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=40, max_length=6000)]
"""A few paragraphs of Markdown."""


class _Strict(BaseModel):
    """Unknown keys are faults (they are mostly misspelt ones), and nothing is converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TrackFile(_Strict):
    """`tracks/<id>.yaml`."""

    id: Id
    title: Title
    summary: Sentence
    modules: list[Id] = Field(min_length=1, max_length=80)
    """Module ids in the order in which to learn them."""
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class TopicEntry(_Strict):
    """One item of a module's `topics`."""

    id: Id
    title: Title
    summary: Sentence
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class ModuleFile(_Strict):
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
    artifact: Prose
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class LessonHead(_Strict):
    """The front matter of `lessons/<id>.md`."""

    id: Id
    title: Title
    summary: Sentence
    minutes: int = Field(ge=2, le=120)
    topics: list[Id] = Field(min_length=1, max_length=20)
    labs: list[Id] = Field(default_factory=list, max_length=10)
    replaces: list[Id] = Field(default_factory=list, max_length=20)
