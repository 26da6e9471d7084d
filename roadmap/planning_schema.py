"""The shape of the files beside the tracks: `plans/<id>.yaml`, `glossary.yaml` and `scorecard.yaml`."""

from __future__ import annotations

from pydantic import Field

from roadmap.schema import Id, Line, Reference, Sentence, Strict, Title


class AimEntry(Strict):
    """One item of a week's `aims`."""

    id: Id
    title: Line
    refs: list[Reference] = Field(min_length=1, max_length=20)
    """What there is for it: modules, topics, lessons, labs, activities, commitments."""


class WeekEntry(Strict):
    """One item of a plan's `weeks`; it may stand for more than one."""

    title: Title
    weeks: int = Field(default=1, ge=1, le=8)
    aims: list[AimEntry] = Field(min_length=1, max_length=20)


class PlanFile(Strict):
    """`plans/<id>.yaml`: a plan that is ready to use."""

    id: Id
    title: Title
    summary: Sentence
    track: Id
    """The track that it goes through."""
    hours_per_week: int = Field(ge=1, le=60)
    weeks: list[WeekEntry] = Field(min_length=1, max_length=60)
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class TermEntry(Strict):
    """One item of the glossary's `terms`."""

    id: Id
    term: Line
    also: list[Line] = Field(default_factory=list, max_length=8)
    """Other words for it; texts are searched for them too."""
    text: Sentence
    lesson: Id | None = None
    """The lesson that teaches it."""


class GlossaryFile(Strict):
    """`glossary.yaml`."""

    terms: list[TermEntry] = Field(min_length=1, max_length=600)


class ScorecardEvidence(Strict):
    """What a dimension is computed from."""

    modules: list[Id] = Field(default_factory=list, max_length=60)
    activities: list[Id] = Field(default_factory=list, max_length=60)
    commitments: list[Id] = Field(default_factory=list, max_length=20)


class DimensionEntry(Strict):
    """One item of the scorecard's `dimensions`."""

    id: Id
    title: Title
    question: Sentence
    levels: list[Sentence] = Field(min_length=5, max_length=5)
    """What 1 to 5 mean when learners assess themselves."""
    evidence: ScorecardEvidence
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class CommitmentEntry(Strict):
    """One item of the scorecard's `commitments`: what is done every week, for visibility and contacts."""

    id: Id
    title: Line
    per_week: int = Field(ge=1, le=50)
    advice: Sentence
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class MetricEntry(Strict):
    """One item of the scorecard's `metrics`: a number that is noted every month."""

    id: Id
    title: Line
    replaces: list[Id] = Field(default_factory=list, max_length=20)


class ScorecardFile(Strict):
    """`scorecard.yaml`."""

    months: int = Field(ge=1, le=24)
    dimensions: list[DimensionEntry] = Field(min_length=3, max_length=12)
    commitments: list[CommitmentEntry] = Field(min_length=1, max_length=20)
    metrics: list[MetricEntry] = Field(min_length=1, max_length=20)
