"""What `lab.yaml` may say: the tasks, the services and the limits of one lab."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from labs.faults import Fault
from labs.yaml_source import parse_mapping, validate
from sandboxes.interface import ExecutionLimits, Limits

HINTS_PER_TASK = 3

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=56)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=120)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=400)]
Hint = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2_000)]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
OptionValue = Annotated[str, StringConstraints(max_length=500)]


class Level(StrEnum):
    """How much a lab expects of the learner."""

    FOUNDATION = "foundation"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


class Mode(StrEnum):
    """What is graded."""

    REPLAY = "replay"
    """The notebook, run from top to bottom in a fresh sandbox."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LabLimits(_Model):
    """What one sandbox and one run of the notebook may use."""

    memory_mb: int = Field(default=1024, ge=128, le=8192)
    cpus: float = Field(default=1.0, ge=0.25, le=8.0)
    pids: int = Field(default=256, ge=32, le=2048)
    disk_mb: int = Field(default=512, ge=32, le=4096)
    total_seconds: int = Field(default=120, ge=5, le=900)
    """How long the whole notebook may run."""
    cell_seconds: int = Field(default=30, ge=1, le=600)
    """How long one cell may run."""
    check_seconds: int = Field(default=120, ge=5, le=900)
    """How long all checks together may take."""
    output_kb: int = Field(default=256, ge=4, le=4096)
    """How much the notebook may print."""

    def sandbox(self) -> Limits:
        """These limits as a sandbox driver takes them."""
        return Limits(memory_mb=self.memory_mb, cpus=self.cpus, pids=self.pids, disk_mb=self.disk_mb)

    def execution(self) -> ExecutionLimits:
        """These limits as the run of a notebook takes them."""
        return ExecutionLimits(
            total_seconds=float(self.total_seconds),
            cell_seconds=float(min(self.cell_seconds, self.total_seconds)),
            output_bytes=self.output_kb * 1024,
        )


class Task(_Model):
    """One thing the learner has to get right."""

    id: Slug
    """Stable: what people achieved is stored under it."""
    title: Title
    points: int = Field(ge=1, le=100)
    proves: tuple[Slug, ...] = Field(min_length=1, max_length=8)
    """Ids of the roadmap's topics that passing this task is evidence for."""
    hints: tuple[Hint, ...] = Field(min_length=HINTS_PER_TASK, max_length=HINTS_PER_TASK)
    """From a nudge to nearly the code."""


class Manifest(_Model):
    """Everything about a lab but its text."""

    id: Slug
    """The slug: also the name of the lab's folder and of its notebook."""
    title: Title
    summary: Sentence
    minutes: int = Field(ge=5, le=600)
    """How long a learner should need."""
    level: Level
    image: Slug = "base"
    services: dict[ServiceName, dict[OptionName, OptionValue]] = Field(default_factory=dict, max_length=8)
    """Service name → its options, started in this order."""
    mode: Mode = Mode.REPLAY
    limits: LabLimits = Field(default_factory=LabLimits)
    replaces: tuple[Slug, ...] = Field(default=(), max_length=16)
    """Ids this lab had before: what was achieved under them counts here."""
    tasks: tuple[Task, ...] = Field(min_length=1, max_length=20)

    @property
    def max_score(self) -> int:
        """The points of all tasks together."""
        return sum(task.points for task in self.tasks)

    def task(self, task_id: str) -> Task:
        """The task of this id. Raises KeyError."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(task_id)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [task.id for task in self.tasks]
        doubled = sorted({one for one in ids if ids.count(one) > 1})
        if doubled:
            raise ValueError(f"the task id `{doubled[0]}` is used twice")
        if self.id in self.replaces:
            raise ValueError(f"the lab replaces itself (`{self.id}`)")
        return self


def read(path: Path, text: str) -> tuple[Manifest | None, list[Fault]]:
    """The manifest in this `lab.yaml`, or every fault in it with its line."""
    source, faults = parse_mapping(text, path)
    if source is None:
        return None, faults
    manifest, invalid = validate(Manifest, source)
    return manifest, faults + invalid
