"""The result of grading one notebook: JSON of a fixed schema with size caps."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_MESSAGE_BYTES = 2_048


class TaskStatus(StrEnum):
    """How a task went."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """The check itself is broken: not the learner's fault."""


class NotebookStatus(StrEnum):
    """How the run of the notebook went."""

    COMPLETED = "completed"
    """Every cell ran; some may have raised."""
    TIMED_OUT = "timed_out"
    OUTPUT_LIMIT = "output_limit"
    KERNEL_DIED = "kernel_died"
    OUT_OF_MEMORY = "out_of_memory"
    SANDBOX_LOST = "sandbox_lost"
    """The notebook ended the whole sandbox, twice."""
    INVALID = "invalid"
    """Not run: it is not a notebook, or has none of the lab's cells."""


def cap(text: str, limit: int = MAX_MESSAGE_BYTES) -> str:
    """The text, cut to `limit` bytes of UTF-8 with a mark where it was cut, without what could break a terminal or JSON."""
    clean = "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text.strip()[: limit + 1])
    encoded = clean.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 4].decode("utf-8", "ignore").rstrip() + " …"


Message = Annotated[str, AfterValidator(cap)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TaskResult(_Model):
    """One task's result."""

    id: str
    title: str
    points: int
    earned: int
    status: TaskStatus
    message: Message
    """For the learner: what holds now, or which property broke. Never a hidden input or an expected value."""


class NotebookResult(_Model):
    """What happened when the notebook ran from top to bottom."""

    status: NotebookStatus
    message: Message


class SandboxUsed(_Model):
    """Where the notebook ran."""

    driver: str
    image: str


class Report(_Model):
    """The result of grading one notebook."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    lab: str
    content_hash: str
    """sha256 of the lab's folder as it was graded."""
    seed: int
    """The hidden inputs were drawn from it; the same seed grades the same way again."""
    score: int
    max_score: int
    percent: int
    """Rounded down: 100 means every point."""
    notebook: NotebookResult
    tasks: tuple[TaskResult, ...]
    sandbox: SandboxUsed
    seconds: float
    executed: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)
    """The notebook as it ran, with outputs (nbformat 4 JSON, untrusted); kept apart from the document."""

    @property
    def lost(self) -> frozenset[str]:
        """Ids of the tasks that did not pass."""
        return frozenset(task.id for task in self.tasks if task.status is not TaskStatus.PASSED)

    def document(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)
